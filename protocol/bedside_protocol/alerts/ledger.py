"""Every alarm of a run and what became of it: findings go in, the changes worth a record come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from math import isfinite, isnan, nan

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.incident import Incidents
from bedside_protocol.alerts.levels import OK, UNCHECKED, Facts
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.records import AlertChanged


def _no_facts() -> Facts:
    return {}


class Ledger:
    """All alarms in the order they came to be, the incidents among them, and the changes not yet handed out."""

    def __init__(self) -> None:
        self._alarms: dict[tuple[Rule, str], Alarm] = {}
        self._standing: dict[tuple[Rule, str], AlertChanged] = {}
        self._incidents = Incidents()
        self._changes: list[AlertChanged] = []

    def __repr__(self) -> str:
        return f"<Ledger {len(self._alarms)} alarms, {self._incidents!r}>"

    @property
    def standing(self) -> tuple[AlertChanged, ...]:
        """The last change of every alarm, in the order the alarms came to be."""
        return tuple(self._standing.values())

    def alarm(self, rule: Rule, target: str) -> Alarm:
        """The alarm of a rule on a target, new where there is none."""
        return self._alarms.setdefault((rule, target), Alarm(rule, target))

    def collect(self) -> list[AlertChanged]:
        """The changes since the last call, by step."""
        changes, self._changes = self._changes, []
        return sorted(changes, key=lambda change: change.step)

    def judge(self, alarm: Alarm, level: int, step: int, time: float, facts: Callable[[], Facts] = _no_facts, waiting: str = "") -> None:
        """One observation of an alarm's target; `waiting` is why, where the level is UNCHECKED: without a reason it says nothing new."""
        if level == UNCHECKED:
            if waiting and not alarm.fires:
                self.suspend(alarm, waiting, step)
            return
        explained = "" if level == OK or alarm.fires else self._incidents.explanation(alarm, level, step)
        if alarm.see(level, step, time, explained):
            self._write(alarm, step, facts())

    def suspend(self, alarm: Alarm, why: str, step: int) -> None:
        """It cannot be judged any more, for this reason; what fired is cleared first."""
        self.clear(alarm, step)
        if alarm.suspend(why):
            self._write(alarm, step, {})

    def undo(self, alarm: Alarm, step: int) -> None:
        """What it found was found in steps that were undone: the run was resumed from before them."""
        if alarm.state in ("pending", "firing"):
            self.suspend(alarm, "resumed", step)

    def clear(self, alarm: Alarm, step: int) -> None:
        """What fired is over."""
        if alarm.clear():
            self._write(alarm, step, {})

    def _write(self, alarm: Alarm, step: int, facts: Facts) -> None:
        in_episode = alarm.state in ("pending", "firing", "cleared")
        change = AlertChanged(
            rule=alarm.rule.name,
            target=alarm.target,
            state=alarm.state,
            severity=(in_episode and alarm.severity) or "",
            step=step,
            first_step=alarm.first_step if in_episode else 0,
            value=_number(facts),
            message=self._message(alarm, step, facts),
            runbook=alarm.rule.runbook,
            episode=alarm.episode,
        )
        self._standing[(alarm.rule, alarm.target)] = change
        self._changes.append(change)
        self._incidents.note(alarm, step)

    def _message(self, alarm: Alarm, step: int, facts: Facts) -> str:
        """The finding where there is one, what it was where it is over, the reason where nothing can be found."""
        match alarm.state:
            case "pending" | "firing":
                known = {**facts, "step": step, "first_step": alarm.first_step, "value": _spoken(_number(facts))}
                return alarm.rule.message.format_map(defaultdict(lambda: nan, known))  # a snapshot may lack what is told besides
            case "cleared":
                return self._standing[(alarm.rule, alarm.target)].message
        return alarm.why


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
