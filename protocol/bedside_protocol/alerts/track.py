"""One metric under the rules that follow its level: its tests, fed point by point, in segments between resumes.

Which windows a test takes depends on how often the metric is logged, which is known after a few points: until then they are held back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import nan
from statistics import median
from typing import Final, TypeAlias

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.bounds import Limits
from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Beyond, Condition, DoesNotFall, Explodes, Grows, Leaves, LostLevel, Memorises, Recurs, Spikes
from bedside_protocol.alerts.explosion import Explosion
from bedside_protocol.alerts.growth import Growth
from bedside_protocol.alerts.learning import NeverLearns
from bedside_protocol.alerts.level import LossLevel
from bedside_protocol.alerts.levels import PointTest
from bedside_protocol.alerts.memorising import Memorising
from bedside_protocol.alerts.recurrence import Recurrence
from bedside_protocol.alerts.reference import Envelope
from bedside_protocol.alerts.spike import BreakAway, Spike
from bedside_protocol.alerts.surroundings import DENSE, SPARSE, SPARSE_STRIDE, Surroundings

_HELD_BACK: Final = 11
FROM_SCRATCH: Final = 10
"""The last step a first value may have to be taken for the training's own first (or the second of its stride)."""

Point: TypeAlias = tuple[int, float, float]
"""Step, seconds since the run began, value."""


class Track:
    """A metric and its alarms. `fresh`: no resume came before, so a first value may be the training's own."""

    __slots__ = ("_circumstances", "_held", "_last_step", "alarms", "around", "fresh", "name", "tests", "why")

    def __init__(self, name: str, alarms: Sequence[Alarm], fresh: bool, circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self.name = name
        self.alarms = tuple(alarms)
        self.fresh = fresh
        self.why = ""
        """Why the segment began; empty for the first, and for a resume."""
        self.tests: tuple[PointTest | None, ...] = ()
        """One for each alarm once the stride is known; None where the test needs a beginning this segment does not have."""
        self.around = Surroundings()
        """What those of them that look at levels read: each value is pushed before they see it."""
        self._held: list[Point] = []
        self._last_step: int | None = None

    def __repr__(self) -> str:
        return f"<Track {self.name}, {len(self.alarms)} alarms, at step {self._last_step}>"

    def resumes_at(self, step: int) -> bool:
        """Whether this step lies before the last one: the run was resumed."""
        return self._last_step is not None and step < self._last_step

    @property
    def begun(self) -> bool:
        """Whether a value has been seen in this segment."""
        return self._last_step is not None

    @property
    def level(self) -> float:
        """Where the metric is, NaN before it is known or where no rule asks."""
        return next((test.level for test in self.tests if isinstance(test, LossLevel) and not test.waiting), nan)

    def restart(self, why: str = "") -> None:
        """A new segment: nothing is known of it."""
        self.fresh = False
        self.why = why
        self.tests = ()
        self._held.clear()
        self._last_step = None

    def take(self, points: Sequence[Point]) -> Sequence[Point]:
        """The points to be judged now: none while the stride is unknown, then also those held back."""
        if points:
            self._last_step = points[-1][0]
        if self.tests:
            return points
        self._held.extend(points)
        if len(self._held) < _HELD_BACK:
            return ()
        held, self._held = self._held, []
        self._choose(held)
        return held

    def _choose(self, points: Sequence[Point]) -> None:
        steps = [step for step, _, _ in points]
        stride = median(after - before for before, after in pairwise(steps))
        scratch = self.fresh and steps[0] <= max(FROM_SCRATCH, stride)
        around = self.around = Surroundings(SPARSE if stride >= SPARSE_STRIDE else DENSE)
        self.tests = tuple(_test(_only(alarm.rule.conditions), around, scratch, self._circumstances) for alarm in self.alarms)

    def pairs(self) -> Iterator[tuple[Alarm, PointTest | None]]:
        return zip(self.alarms, self.tests, strict=True)


def _only(conditions: Sequence[Condition]) -> Condition:
    (condition,) = conditions
    return condition


def _test(condition: Condition, around: Surroundings, scratch: bool, circumstances: Circumstances) -> PointTest | None:
    match condition:
        case LostLevel():
            return LossLevel(condition, around, scratch)
        case Explodes(factor=factor):
            return Explosion(factor, around) if scratch else BreakAway(condition, around)
        case Spikes():
            return Spike(condition, around)
        case Recurs():
            return Recurrence(condition, circumstances.marks, around)
        case DoesNotFall(by=by, share=share):
            return NeverLearns(by, share, cause=circumstances.why_not) if scratch else None
        case Beyond():
            return Limits(condition)
        case Grows():
            return Growth(condition)
        case Memorises():
            return Memorising(condition, circumstances)
        case Leaves():
            return Envelope(condition)
    raise TypeError(f"{type(condition).__name__} is no condition for the values of a metric")
