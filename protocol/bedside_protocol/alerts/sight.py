"""One probe under one rule: its grace, its tests, its alarm."""

from __future__ import annotations

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.bounds import Bounds, Peak
from bedside_protocol.alerts.conditions import All, Beyond, Condition, FellFromPeak, Grows, NamesPersist
from bedside_protocol.alerts.growth import GrowthOfField
from bedside_protocol.alerts.levels import UNCHECKED, Facts, SnapshotTest
from bedside_protocol.alerts.persistence import Persistence
from bedside_protocol.alerts.rules import Grace
from bedside_protocol.records import Snapshot


class Sight:
    """A probe and one alarm on it."""

    __slots__ = ("_facts", "_judged", "_step", "_tests", "alarm", "level", "why")

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm
        self._step = 0
        self._begin()
        self._facts: Facts = {}
        self._judged = False
        self.level = UNCHECKED
        self.why = waiting(alarm.rule.grace) or "nothing measured yet"

    def __repr__(self) -> str:
        return f"<Sight {self.alarm!r}>"

    def _begin(self) -> None:
        self._tests = tuple(_test(condition) for condition in self.alarm.rule.conditions)

    def resumes_at(self, step: int) -> bool:
        """Whether this step lies before that of the last snapshot: the run was resumed."""
        return step < self._step

    def see(self, snapshot: Snapshot) -> None:
        """Judges one snapshot: the worst of the tests, or UNCHECKED and why; no word where it has judged before and this one is silent."""
        if self.resumes_at(snapshot.step):  # a peak, a growth, names that persisted: of a training that is gone
            self._begin()
        self._step = snapshot.step
        self.level, self._facts = UNCHECKED, {}
        self.why = warming_up(self.alarm.rule.grace, snapshot)
        if self.why:
            return
        seen = [(test.see(snapshot), test) for test in self._tests]
        self.level, worst = max(seen, key=lambda pair: pair[0])
        self._facts = worst.facts()
        if self.level == UNCHECKED:  # what is not in every snapshot is judged by those that have it
            self.why = "" if self._judged else "the snapshot lacks what it looks at"
        self._judged |= self.level != UNCHECKED

    def facts(self, snapshot: Snapshot) -> Facts:
        return {**snapshot.scalars, **self._facts}


class Together:
    """Several tests as one, see `All`. UNCHECKED where one of them is: it is the least of the levels."""

    __slots__ = ("_tests",)

    def __init__(self, condition: All) -> None:
        self._tests = tuple(_test(one) for one in condition.conditions)

    def __repr__(self) -> str:
        return f"<Together {self._tests!r}>"

    def facts(self) -> Facts:
        first, *others = (test.facts() for test in self._tests)
        return {name: fact for facts in (*others, first) for name, fact in facts.items()}

    def see(self, snapshot: Snapshot) -> int:
        return min([test.see(snapshot) for test in self._tests])  # all of them: each remembers


def waiting(grace: Grace) -> str:
    """What is said before the first snapshot; empty without a grace."""
    return f"warming up until step {grace.step:,}" if grace.step else ""


def warming_up(grace: Grace, snapshot: Snapshot) -> str:
    """Why a snapshot is too early to be judged, empty when it is not. The same words until the reason changes."""
    if snapshot.step < grace.step:
        return waiting(grace)
    if not grace.field:
        return ""
    needed = grace.least * (snapshot.scalars.get(grace.per, float("nan")) if grace.per else 1.0)
    there = snapshot.scalars.get(grace.field, float("nan"))
    return "" if there >= needed else f"warming up: {grace.field} below {needed:,.0f}"


def _test(condition: Condition) -> SnapshotTest:
    match condition:
        case Beyond():
            return Bounds(condition)
        case FellFromPeak():
            return Peak(condition)
        case NamesPersist():
            return Persistence(condition)
        case Grows():
            return GrowthOfField(condition)
        case All():
            return Together(condition)
    raise TypeError(f"{type(condition).__name__} is no condition for the snapshots of a probe")
