"""The alarms of one name on one target, told as one: several tests may look for the same trouble, and a person sees it once, at its worst.

It decides what of their changes is news, and counts the episodes. It judges nothing.
"""

from __future__ import annotations

from collections import defaultdict
from math import isfinite, isnan, nan
from typing import Final

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.levels import Facts
from bedside_protocol.records import AlertChanged, AlertState, Severity

_IN_EPISODE: Final = ("pending", "firing", "cleared")


class Voice:
    """`told` is the last change that was news, None before the first."""

    __slots__ = ("alarms", "told")

    def __init__(self) -> None:
        self.alarms: list[Alarm] = []
        self.told: AlertChanged | None = None

    def __repr__(self) -> str:
        return f"<Voice of {len(self.alarms)} alarms: {self._before}>"

    @property
    def _before(self) -> AlertState | None:
        return self.told.state if self.told else None

    def hear(self, alarm: Alarm, step: int, facts: Facts) -> AlertChanged | None:
        """One of the alarms has changed: the change of them all, None where it is none."""
        state, severity = self._state(), self._severity()
        if not self._is_news(state, severity, alarm):
            return None
        begins = state in ("pending", "firing") and self._before not in ("pending", "firing")
        before = self.told or AlertChanged("", "", "not_checked", "", step, 0)
        in_episode = state in _IN_EPISODE
        self.told = AlertChanged(
            rule=alarm.rule.name,
            target=alarm.target,
            state=state,
            severity=before.severity if state == "cleared" else severity if in_episode else "",
            step=step,
            first_step=alarm.first_step if begins else before.first_step if in_episode else 0,
            value=_number(facts),
            message=before.message if state == "cleared" else _message(alarm, step, facts),
            runbook=alarm.rule.runbook,
            episode=before.episode + begins,
        )
        return self.told

    def _state(self) -> AlertState:
        states = {alarm.state for alarm in self.alarms}
        if "firing" in states:
            return "firing"
        if self._before == "firing":
            return "cleared"
        if "pending" in states:
            return "pending"
        if states == {"not_checked"}:
            return "not_checked"
        return "cleared" if self._before == "cleared" else "ok"

    def _severity(self) -> Severity:
        return "red" if any(alarm.fires and alarm.severity == "red" for alarm in self.alarms) else "amber"

    def _is_news(self, state: AlertState, severity: Severity, alarm: Alarm) -> bool:
        if state != self._before:
            return True
        if state == "firing":
            return severity == "red" != (self.told and self.told.severity)
        return state == "not_checked" and not (self.told and self.told.message == alarm.why)


def _message(alarm: Alarm, step: int, facts: Facts) -> str:
    """The finding where there is one, the reason where nothing can be found."""
    if alarm.state not in ("pending", "firing"):
        return alarm.why
    known = {**facts, "step": step, "first_step": alarm.first_step, "value": _spoken(_number(facts))}
    return alarm.rule.message.format_map(defaultdict(lambda: nan, known))  # a snapshot may lack what is told besides


def _number(facts: Facts) -> float:
    value = facts.get("value", nan)
    return value if isinstance(value, float) else nan


class _Word(str):
    """What is said in place of a number: the same, however the number was to be written."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


def _spoken(value: float) -> float | str:
    if isfinite(value):
        return value
    return _Word("NaN" if isnan(value) else "infinite" if value > 0.0 else "minus infinite")
