"""The life of one rule on one target: not checked → ok → pending → firing amber/red → cleared.

The one home of this state machine. It is told the level a test found and whether another alarm already explains it; it decides by the
rule's spans. It latches nothing: that a red alarm stays on screen until someone has seen it is the viewer's business.
"""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED
from bedside_protocol.alerts.rules import Rule, Span
from bedside_protocol.records import AlertState, Severity

_BRIEFLY: Final = 10
"""Times the stretch after which it was taken to be well: within it, being well was a pause."""
_MOST_PATIENT: Final = 16


class Evidence:
    """How long something has been so: in points, in steps and in seconds."""

    __slots__ = ("points", "step", "time")

    def __init__(self) -> None:
        self.points = 0
        self.step = 0
        self.time = 0.0

    def __repr__(self) -> str:
        return f"<Evidence {self.points} points since step {self.step}>"

    def gather(self, so: bool, step: int, time: float) -> None:
        """One more observation: it is so (the evidence grows) or not (it is gone). Where the steps go back it begins anew."""
        if not so or step < self.step:
            self.points = 0
        if not so:
            return
        if not self.points:
            self.step, self.time = step, time
        self.points += 1

    def lasts(self, span: Span, step: int, time: float) -> bool:
        return self.points > 0 and span.has_passed(self.points, step - self.step, time - self.time)


class Alarm:
    """One rule on one target. `severity` is empty unless pending, firing or cleared; within an episode it only rises."""

    __slots__ = ("_bad", "_cleared", "_patience", "_red", "_well", "first_step", "rule", "severity", "state", "target", "why")

    def __init__(self, rule: Rule, target: str) -> None:
        self.rule = rule
        self.target = target
        self.state: AlertState = "not_checked"
        self.severity: Severity | None = None
        self.why = ""
        """Why it is not checked."""
        self.first_step = 0
        self._bad, self._red, self._well = Evidence(), Evidence(), Evidence()
        self._patience = 1
        """How many times `keep_firing_for` it takes to clear: twice as many each time it was not well for long."""
        self._cleared: tuple[int, int] | None = None
        """The step at which it cleared by itself, and over how many it had been well."""

    def __repr__(self) -> str:
        return f"<Alarm {self.rule.name} {self.target}: {self.state} {self.severity or self.why}>"

    @property
    def rests(self) -> bool:
        """Whether another observation at level OK would change nothing."""
        return self.state in ("ok", "cleared")

    @property
    def fires(self) -> bool:
        return self.state == "firing"

    @property
    def evidence_step(self) -> int | None:
        """The first step of what is wrong now, None where nothing is."""
        return self._bad.step if self._bad.points else None

    def see(self, level: int, step: int, time: float, explained: str = "") -> bool:
        """Takes one judged observation (OK, AMBER or RED); `explained` names the alarm that already tells this. True if the state or
        the severity changed."""
        self._bad.gather(level >= AMBER, step, time)
        self._red.gather(level >= RED, step, time)
        self._well.gather(level == OK, step, time)
        if self.state == "firing":
            return self._stay(step, time)
        if level == OK:
            return self._rest()
        if explained:
            return self.suspend(f"quiet: {explained}")
        return self._rise(step, time)

    def suspend(self, why: str) -> bool:
        """It cannot be judged, for this reason. True if that is news; a firing alarm must be cleared first."""
        if self.state == "not_checked" and self.why == why:
            return False
        self.state, self.severity, self.why = "not_checked", None, why
        return True

    def clear(self) -> bool:
        """The episode is over, whatever was wrong. True if it was firing."""
        self._bad, self._red, self._well = Evidence(), Evidence(), Evidence()
        self._cleared = None
        if self.state != "firing":
            return False
        self.state = "cleared"
        return True

    def _reached(self, step: int, time: float) -> Severity:
        red = self.rule.worst == "red" and self._red.lasts(self.rule.for_red, step, time)
        return "red" if red else "amber"

    def _stay(self, step: int, time: float) -> bool:
        if self._well.points:
            if self._well.lasts(self.rule.keep_firing_for * self._patience, step, time):
                self.state, self._cleared = "cleared", (step, step - self._well.step)
                return True
        elif self.severity == "amber" and self._reached(step, time) == "red":
            self.severity = "red"
            return True
        return False

    def _was_well_briefly(self) -> bool:
        """Whether what fires now follows soon after it cleared by itself."""
        if self._cleared is None:
            return False
        (at, stretch), self._cleared = self._cleared, None
        return 0 <= self._bad.step - at < _BRIEFLY * stretch

    def _rest(self) -> bool:
        if self.rests:
            return False
        self.state, self.severity, self.why = "ok", None, ""
        return True

    def _rise(self, step: int, time: float) -> bool:
        fires = self._bad.lasts(self.rule.for_amber, step, time)
        if self.state == "pending" and not fires:
            return False
        if self.state != "pending":
            self.first_step = self._bad.step
        if fires:
            self._patience = min(2 * self._patience, _MOST_PATIENT) if self._was_well_briefly() else 1
        self.state, self.why = "firing" if fires else "pending", ""
        self.severity = self._reached(step, time) if fires else "amber"
        return True
