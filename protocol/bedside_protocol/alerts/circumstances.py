"""What a test of one metric may ask about the rest of the run: why it cannot learn, where its training loss is, and which events the
script has marked when."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import nan
from typing import Final

from bedside_protocol.alerts.causes import Causes
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


class Circumstances:
    """One run's, for all its metrics."""

    def __init__(self) -> None:
        self.causes = Causes()
        self.marks = Marks()
        self.training_level = nan
        """The level of the loss the training minimises, NaN while unknown."""

    def __repr__(self) -> str:
        return f"<Circumstances {self.causes!r} {self.marks!r}>"

    def why_not(self) -> str:
        """Why the run cannot learn, as far as it has said; empty where nothing is known."""
        return self.causes.found
