"""Whether spikes come back: each soon after an event the script has marked, or at equal distances.

One spike is a bad batch; three after the same event are what that event does. That it is the event is said only where chance is out of
the question: events marked at every step are followed by whatever happens. A rise that stays is another rule's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import comb, nan
from typing import Final

from bedside_protocol.alerts.circumstances import Marks
from bedside_protocol.alerts.conditions import Recurs
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.alerts.surroundings import Surroundings

_SOON: Final = 3
"""Points after an event within which a spike is its consequence."""
_CHANCE: Final = 1e-3
"""A coincidence as likely as this, or likelier, is no news: spikes that had nothing to do with the event, or with each other, would show
it that often."""
_EVEN: Final = 0.1
"""Distances are told as a period where they are within this share of their mean."""
_MISSING: Final = 1.5
"""Of the longest distance so far: by then the next spike has not come."""
_BACK: Final = 1.4
"""A level above this factor of that before the last spike has not come back."""
_KEPT: Final = 20
_WIDTH: Final = 16


@dataclass(frozen=True, slots=True)
class Onset:
    """The first value of a spike, and the names of the events marked just before it."""

    step: int
    value: float
    level: float
    after: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Spikes with something in common: the event, if any, and how likely it is that they have it by accident."""

    event: str
    spikes: tuple[Onset, ...]
    chance: float

    @property
    def longest(self) -> int:
        return max(after.step - before.step for before, after in pairwise(self.spikes))

    @property
    def words(self) -> str:
        gaps = [after.step - before.step for before, after in pairwise(self.spikes)]
        mean = sum(gaps) / len(gaps)
        even = mean > 0.0 and all(abs(gap - mean) <= _EVEN * mean for gap in gaps)
        name = self.event if len(self.event) <= _WIDTH else self.event[: _WIDTH - 1] + "…"
        return f"{len(self.spikes)} spikes" + (f" after {name}" if name else "") + (f" every {mean:,.0f} steps" if even else "")


class Recurrence:
    """Amber from the spike that completes a pattern until the next one of it is missing."""

    __slots__ = ("_begun", "_calm", "_first", "_marks", "_pattern", "_spikes", "_steps", "_window", "around", "limits")

    def __init__(self, limits: Recurs, marks: Marks, around: Surroundings) -> None:
        self.limits = limits
        self._marks = marks
        self.around = around
        self._window = self._calm = around.windows.level
        """Points since the last one that stood out."""
        self._steps: deque[int] = deque(maxlen=_SOON + 2)
        self._first: int | None = None
        self._begun: tuple[float, float] | None = None
        """Value and level of a spike that began with the last point: its event may stand after it in the log."""
        self._spikes: deque[Onset] = deque(maxlen=_KEPT)
        self._pattern: Pattern | None = None

    def __repr__(self) -> str:
        return f"<Recurrence {len(self._spikes)} spikes{f': {self._pattern.words}' if self._pattern else ''}>"

    @property
    def waiting(self) -> str:
        return self.around.waiting

    def facts(self) -> Facts:
        if self._pattern is None:
            return {"value": nan, "times": nan, "why": ""}
        last = self._pattern.spikes[-1]
        return {"value": last.value, "times": last.value / last.level, "why": self._pattern.words}

    def see(self, step: int, value: float) -> int:
        around = self.around
        self._steps.append(step)
        if not around.known_before:
            self._first = step
            return UNCHECKED
        out = around.x > around.before and around.stands_out(self.limits.factor, self.limits.noise)
        if self._begun is not None:
            self._note(*self._begun)
        level = around.unit(around.before) if out and self._calm >= self._window else 0.0
        self._begun = (value, level) if level > 0.0 else None
        self._calm = 0 if out else self._calm + 1
        if self._pattern is not None and step - self._pattern.spikes[-1].step > _MISSING * self._pattern.longest:
            self._pattern = None
            self._spikes.clear()
        return AMBER if self._pattern is not None else OK

    def _note(self, value: float, level: float) -> None:
        """A spike began at the last point but one."""
        if self._spikes and level > _BACK * self._spikes[-1].level:
            self._spikes.clear()
        self._spikes.append(Onset(self._steps[-2], value, level, self._marks.near(self._steps[0], self._steps[-2])))
        if len(self._spikes) >= self.limits.times:
            self._pattern = next((found for found in self._patterns() if found.chance < _CHANCE), self._pattern)

    def _patterns(self) -> Iterator[Pattern]:
        """What the spikes may have in common, events first, the least likely of them first."""
        names = frozenset(name for spike in self._spikes for name in spike.after)
        yield from sorted((self._after(name, len(names)) for name in sorted(names)), key=lambda pattern: pattern.chance)
        spikes = tuple(self._spikes)
        for count in range(len(spikes), self.limits.times - 1, -1):
            yield from self._even(spikes[-count:])

    def _after(self, name: str, names: int) -> Pattern:
        """The spikes after an event: as likely by accident as so many of all falling into the share of steps that are just after one."""
        spikes = tuple(spike for spike in self._spikes if name in spike.after)
        if len(spikes) < self.limits.times or name not in self._spikes[-1].after:
            return Pattern(name, spikes, 1.0)
        reach = self._steps[-2] - self._steps[0] + 1
        share = min(1.0, reach * self._marks.rate(name, self._first or 0, self._steps[-1]))
        return Pattern(name, spikes, names * comb(len(self._spikes), len(spikes)) * share ** len(spikes))

    def _even(self, spikes: tuple[Onset, ...]) -> Iterator[Pattern]:
        """Spikes at equal distances, to a point: each after the second is where it was foretold, by accident as likely as three points
        among those from one to the next."""
        gaps = [after.step - before.step for before, after in pairwise(spikes)]
        stride = (self._steps[-1] - self._steps[0]) / (len(self._steps) - 1)
        mean = sum(gaps) / len(gaps)
        if mean > 0.0 and all(abs(gap - mean) <= stride for gap in gaps):  # 0: a step with so many values
            yield Pattern("", spikes, (3.0 * stride / mean) ** (len(spikes) - 2))
