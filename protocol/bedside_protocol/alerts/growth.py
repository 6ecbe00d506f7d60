"""Whether a norm grows geometrically: doubled three times running, or as much in up to twice as many even rises.

On one real spike of a language model with 176 billion parameters three doublings gave three to four steps' lead. Where the values of a step
are noise their medians over stretches of steps may rise all the same, so that growth is looked for at several paces. It knows neither the
beginning of the training nor what its loss does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice, pairwise
from math import inf, isfinite, log, nan
from statistics import median
from typing import Final

from bedside_protocol.alerts.conditions import Grows
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.records import Snapshot

_WARM_UP: Final = 100
"""Steps from the first value in which nothing is judged: from an output that begins at zero a norm grows a thousandfold in twenty."""
_OF_POINTS: Final = (1, 8, 32, 64, 128)
_OF_SNAPSHOTS: Final = (1, 2, 4)
"""The paces: how many values each step of a growth is the median of."""
_STRETCHED: Final = 2
"""Times the fewest rises a growth may take. Between two paces it would double at neither."""
_EVEN: Final = 0.5
"""The least share of the mean rise, of logarithms, that each must have: a single jump is no growth."""
_BEFORE: Final = 200
"""Values of a pace before a growth, which must leave the highest of them behind: noise that lasts doubles too, and comes back."""
_LEAST_BEFORE: Final = 3
_NOISE: Final = 2.0
"""Medians of their successive differences, of logarithms, by which it must."""


class Pace:
    """The medians of every `size` values, one by one."""

    __slots__ = ("_block", "_enough", "_limits", "_size", "_values", "rises")

    def __init__(self, size: int, limits: Grows) -> None:
        self._size = size
        self._limits = limits
        self._block: list[float] = []
        self._enough = limits.times * log(limits.factor) if limits.factor > 0.0 else -inf
        """What a growth comes to in all, as a logarithm: a power of what a file of rules says may be no number."""
        self._values: deque[tuple[int, float]] = deque(maxlen=_BEFORE + _STRETCHED * min(limits.times, _BEFORE) + 1)
        self.rises = 0
        """How many rises running have just been a growth; 0 where it does not grow."""

    def __repr__(self) -> str:
        return f"<Pace of {self._size} {'grows' if self.rises else 'does not grow'}>"

    @property
    def ends(self) -> tuple[tuple[int, float], tuple[int, float]]:
        """Step and value before the growth, and after it."""
        return self._values[-1 - self.rises], self._values[-1]

    def take(self, step: int, value: float) -> None:
        self._block.append(value)
        if len(self._block) == self._size:
            self._values.append((step, median(self._block)))
            self._block.clear()
            self.rises = self._growth()

    def _growth(self) -> int:
        """The fewest rises running that are one."""
        values = self._values
        if len(values) < 2 or values[-1][1] <= values[-2][1]:
            return 0
        fewest = self._limits.times
        most = min(_STRETCHED * fewest, len(values) - 1 - _LEAST_BEFORE)
        return next((rises for rises in range(fewest, most + 1) if self._have_grown(rises)), 0)

    def _have_grown(self, rises: int) -> bool:
        last = [self._values[place][1] for place in range(-1 - rises, 0)]
        if min(last) <= 0.0 or log(last[-1]) - log(last[0]) < self._enough:
            return False
        least = (last[-1] / last[0]) ** (_EVEN / rises)
        before = [value for _, value in islice(self._values, len(self._values) - 1 - rises)]
        return all(after >= least * earlier for earlier, after in pairwise(last)) and self._leave_behind(before[-_BEFORE:], last)

    def _leave_behind(self, before: Sequence[float], last: Sequence[float]) -> bool:
        """Whether a growth ends above what came before it, and above its noise: asked of few values. One that begins far below what came
        before it is a return."""
        factor, highest, level = self._limits.factor, max(before), median(before)
        if level <= 0.0 or last[-1] < factor * highest or factor * last[0] < level:  # from nothing any norm grows
            return False
        moves = [abs(log(after) - log(earlier)) for earlier, after in pairwise(before) if earlier > 0.0 < after]
        return log(last[-1]) - log(highest) >= _NOISE * (median(moves) if moves else 0.0)


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
        pace = next((pace for pace in self._paces if pace.rises), None)
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
        return AMBER if any(pace.rises for pace in self._paces) else OK


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
