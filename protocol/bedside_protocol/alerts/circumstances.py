"""What a test of one metric may ask about the rest of the run: why it cannot learn, where its training loss is, how its evaluation scores,
and which events the script has marked when."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf, isfinite, nan
from typing import Final

from bedside_protocol.alerts.causes import Causes
from bedside_protocol.alerts.median import RollingMedian
from bedside_protocol.records import Event

_KEPT: Final = 1000
"""Steps remembered of an event's name; a script marks some of them at every step."""
_NAMES: Final = 100


class Marks:
    """At which steps the script marked each of its events."""

    def __init__(self) -> None:
        self._steps: dict[str, list[int]] = {}

    def __repr__(self) -> str:
        return f"<Marks {', '.join(self._steps) or 'none'}>"

    def take(self, event: Event) -> None:
        if event.name not in self._steps and len(self._steps) >= _NAMES:
            return
        steps = self._steps.setdefault(event.name, [])
        place = bisect_left(steps, event.step)
        if steps[place : place + 1] != [event.step]:  # every rank marks it
            steps.insert(place, event.step)
        del steps[:-_KEPT]

    def near(self, first: int, last: int) -> frozenset[str]:
        """The names of the events marked at a step from `first` to `last`."""
        return frozenset(name for name, steps in self._steps.items() if bisect_right(steps, last) > bisect_left(steps, first))

    def rate(self, name: str, first: int, last: int) -> float:
        """How often a step an event was marked from step `first` to `last`, as far back as is remembered."""
        steps = self._steps.get(name, [])
        first = max(first, steps[0]) if len(steps) == _KEPT else first
        return (bisect_right(steps, last) - bisect_left(steps, first)) / (last - first + 1)


_OF_A_SCORE: Final = 5
"""Values whose median is where a score stands."""
_HELD: Final = 0.99
"""The share of its best that a score must keep to be as good as ever."""


class Scores:
    """What evaluations count besides a loss, of which more is better: accuracies."""

    def __init__(self) -> None:
        self._now: dict[str, RollingMedian] = {}
        self._best: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Scores {', '.join(self._now) or 'none'}>"

    def take(self, name: str, value: float) -> None:
        if isfinite(value):
            now = self._now.setdefault(name, RollingMedian(_OF_A_SCORE)).push(value)
            self._best[name] = max(now, self._best.get(name, -inf))

    @property
    def hold(self) -> bool:
        """Whether one of them is as good as it ever was."""
        return any(now.value >= _HELD * self._best[name] for name, now in self._now.items())


class Circumstances:
    """One run's, for all its metrics."""

    def __init__(self) -> None:
        self.causes = Causes()
        self.marks = Marks()
        self.scores = Scores()
        self.training_level = nan
        """The level of the loss the training minimises, NaN while unknown."""

    def __repr__(self) -> str:
        return f"<Circumstances {self.causes!r} {self.marks!r}>"

    def why_not(self) -> str:
        """Why the run cannot learn, as far as it has said; empty where nothing is known."""
        return self.causes.found
