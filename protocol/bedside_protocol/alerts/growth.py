"""Whether a norm grows geometrically: at least doubled, three times running.

On one real spike of a language model with 176 billion parameters this gave three to four steps' lead. Where the values of a step are noise
their medians over stretches of steps may double all the same, so that growth is looked for at several paces. It knows neither the
beginning of the training nor what its loss does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, log, nan
from statistics import median
from typing import Final

from bedside_protocol.alerts.conditions import Grows
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.records import Snapshot

_WARM_UP: Final = 100
"""Steps from the first value in which nothing is judged: from an output that begins at zero a norm grows a thousandfold in twenty."""
_OF_POINTS: Final = (1, 8, 32, 128)
_OF_SNAPSHOTS: Final = (1, 2, 4)
"""The paces: how many values each step of a growth is the median of."""
_BEFORE: Final = 200
"""Values of a pace before a growth, which must leave the highest of them behind: noise that lasts doubles too, and comes back."""
_LEAST_BEFORE: Final = 3
_NOISE: Final = 2.0
"""Medians of their successive differences, of logarithms, by which it must."""


class Pace:
    """The medians of every `size` values, one by one."""

    __slots__ = ("_before", "_block", "_limits", "_recent", "_size", "grows")

    def __init__(self, size: int, limits: Grows) -> None:
        self._size = size
        self._limits = limits
        self._block: list[float] = []
        self._recent: deque[tuple[int, float]] = deque()
        self._before: deque[float] = deque(maxlen=_BEFORE)
        self.grows = False

    def __repr__(self) -> str:
        return f"<Pace of {self._size} {'grows' if self.grows else 'does not grow'}>"

    @property
    def ends(self) -> tuple[tuple[int, float], tuple[int, float]]:
        """Step and value before the growth, and after it."""
        return self._recent[0], self._recent[-1]

    def take(self, step: int, value: float) -> None:
        self._block.append(value)
        if len(self._block) == self._size:
            self._push(step, median(self._block))
            self._block.clear()

    def _push(self, step: int, value: float) -> None:
        self._recent.append((step, value))
        if len(self._recent) > self._limits.times + 1:
            self._before.append(self._recent.popleft()[1])
        self.grows = len(self._before) >= _LEAST_BEFORE and self._has_grown()

    def _has_grown(self) -> bool:
        factor = self._limits.factor
        doubled = all(after >= factor * before > 0.0 for (_, before), (_, after) in pairwise(self._recent))
        return doubled and self._leaves_behind(self._recent[-1][1])

    def _leaves_behind(self, value: float) -> bool:
        """Whether a value is above what came before the growth, and above its noise: asked of few values. A growth that begins far below
        what came before it is a return."""
        factor, highest, level = self._limits.factor, max(self._before), median(self._before)
        if level <= 0.0 or value < factor * highest or factor * self._recent[0][1] < level:  # from nothing any norm grows
            return False
        moves = [abs(log(after) - log(before)) for before, after in pairwise(self._before) if before > 0.0 < after]
        return log(value) - log(highest) >= _NOISE * (median(moves) if moves else 0.0)


class Growth:
    """The values of a metric, or of a field of snapshots, one by one: amber while one of the paces has just grown."""

    __slots__ = ("_first", "_paces", "limits")

    def __init__(self, limits: Grows, paces: Sequence[int] = _OF_POINTS) -> None:
        self.limits = limits
        self._paces = [Pace(size, limits) for size in paces]
        self._first: int | None = None

    def __repr__(self) -> str:
        return f"<Growth {self._paces!r}>"

    @property
    def waiting(self) -> str:
        return f"fewer than {_WARM_UP} steps"

    def facts(self) -> Facts:
        pace = next((pace for pace in self._paces if pace.grows), None)
        if pace is None:
            return {"value": nan, "before": nan, "steps": nan}
        (first, before), (last, value) = pace.ends
        return {"value": value, "before": before, "steps": float(last - first)}

    def see(self, step: int, value: float) -> int:
        if self._first is None:
            self._first = step
        if step - self._first < _WARM_UP:
            return UNCHECKED
        for pace in self._paces:
            pace.take(step, value)
        return AMBER if any(pace.grows for pace in self._paces) else OK


class GrowthOfField:
    """The same on a probe's field; a snapshot without it says nothing."""

    __slots__ = ("_growth",)

    def __init__(self, limits: Grows) -> None:
        self._growth = Growth(limits, _OF_SNAPSHOTS)

    def __repr__(self) -> str:
        return f"<GrowthOfField {self._growth!r}>"

    def facts(self) -> Facts:
        return self._growth.facts()

    def see(self, snapshot: Snapshot) -> int:
        value = snapshot.scalars.get(self._growth.limits.field, nan)
        return self._growth.see(snapshot.step, value) if isfinite(value) else UNCHECKED
