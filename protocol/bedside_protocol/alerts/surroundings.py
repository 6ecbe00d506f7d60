"""What a metric's values are judged against: the level of the last ones, and how far one is from the next.

The level is a rolling median, the scale a rolling median of successive differences, both of logarithms: a loss is judged by factors, not by
amounts. From its first value below zero on, a metric is looked at in linear space. One of these is kept a metric and read by all its
tests; it knows no limits and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, nan
from typing import Final

from bedside_protocol.alerts.median import RollingMedian

FLOOR: Final = 1e-4
"""Values below this share of the first level are one: noise among ten-thousandths of the beginning is no event."""

SPARSE_STRIDE: Final = 10
"""Steps between points from which the short windows hold: with the long ones a loss logged every 50 steps is judged after 5,000."""

_LEAST_LEVEL: Final = 1e-3
"""A level below this share of the first is taken to be there: around a ten-thousandth of its beginning a loss doubles now and then."""
_TINY: Final = 1e-300
_STARTS: Final = 10
"""Values whose median, or the first if lower, is where the training began."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Points looked at: for the level, for the scale, how many bad ones running are red, and how many that stand out are no burst."""

    level: int
    scale: int
    hold: int
    burst: int


DENSE: Final = Windows(level=51, scale=201, hold=50, burst=10)
SPARSE: Final = Windows(level=11, scale=41, hold=5, burst=3)


class Surroundings:
    """The values of a metric, pushed one by one. Levels are coordinates: logarithms while not `linear`; `unit` turns one back."""

    __slots__ = (
        "_least", "_low", "_median", "_scale", "_starts", "_wait", "before", "known", "known_before", "level", "linear", "median_before",
        "scale", "scale_before", "start", "value", "windows", "x",
    )  # fmt: skip

    def __init__(self, windows: Windows = DENSE) -> None:
        self.windows = windows
        self.linear = False
        self.known = self.known_before = False
        """Whether enough values make the level; whether enough came before the newest."""
        self.value = nan
        """The newest value."""
        self.median_before = nan
        """The median of the window before the newest value, in the metric's own unit; NaN until that was full."""
        self.level = self.before = nan
        """The level with the newest value, and without."""
        self._median = RollingMedian(windows.level)
        self._begin()

    def _begin(self) -> None:
        """Nothing is known in these coordinates."""
        self.x = nan
        """The newest value's coordinate."""
        self.scale = self.scale_before = nan
        """The median of the distances between neighbours, with the newest value and without."""
        self.start = nan
        """Where the values began: the first, or the median of the first few if lower."""
        self.known = False
        self._wait = self.windows.level
        self._scale = RollingMedian(self.windows.scale)
        self._starts: list[float] = []
        self._low = _TINY
        self._least = -inf

    def __repr__(self) -> str:
        return f"<Surroundings {'linear' if self.linear else 'log'} level {self.unit(self.level):.4g}, scale {self.scale:.4g}>"

    @property
    def waiting(self) -> str:
        """Why a level cannot be told yet."""
        return "" if self.known else f"fewer than {self.windows.level} values"

    def unit(self, coordinate: float) -> float:
        """A level in the metric's own unit."""
        return coordinate if self.linear else exp(coordinate)

    def push(self, value: float) -> None:
        """Takes one finite value."""
        if value < self._low and not self.linear and (value < 0.0 or not self._starts):
            self.linear = True
            self._begin()
        self.value = value
        rolling = self._median
        self.median_before = rolling.value if rolling.full else nan
        level = rolling.push(value)
        self.known_before, self.before, self.scale_before = self.known, self.level, self.scale
        before = self.x
        if self.linear:
            self.x, self.level = value, level
        else:
            low = self._low
            self.x, self.level = log(value if value > low else low), log(level if level > low else low)
        if before == before:
            self.scale = self._scale.push(abs(self.x - before))
        if not self.known:
            self._settle()

    def _settle(self) -> None:
        """One of the first values has come."""
        if len(self._starts) < _STARTS:
            self._starts.append(self.x)
            self.start = min(self._starts[0], sorted(self._starts)[len(self._starts) // 2])
        self._wait -= 1
        self.known = not self._wait
        if self.known and not self.linear:
            self._low, self._least = max(_TINY, FLOOR * exp(self.level)), self.level + log(_LEAST_LEVEL)

    def stands_out(self, factor: float, noise: float) -> bool:
        """Whether the newest value is above `factor` times the level before it, by more than `noise` times the scale; in linear space by
        that share of its size. To be asked where that level was known."""
        if self.linear:
            rise = self.x - self.before
            far = rise > (factor - 1.0) * abs(self.before)
        else:
            rise = self.x - (self.before if self.before > self._least else self._least)
            far = rise > log(factor)
        return far and rise > noise * self.scale_before
