"""Whether a loss has lost the level it had reached, and stays there.

The level is a rolling median, the scale a rolling median of successive differences, both in log space: a loss is judged by factors,
not by amounts. A spike moves neither, so only a lasting loss of level is seen. Where a value is below zero the test starts over in
linear space. It knows no metric names and no other rule.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp, inf, log
from typing import Final

from bedside_protocol.alerts.conditions import LostLevel
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.median import RollingMedian

FLOOR: Final = 1e-4
"""Losses below this share of the first are one: noise among ten-thousandths of the beginning is no event."""

_HOPELESS: Final = 2.5
"""Times the factor that is far above the start: a level that high is lost even where no better one was ever seen."""

_TINY: Final = 1e-300
_STARTS: Final = 10
"""Values whose median, or the first if lower, is where the training began."""

SPARSE_STRIDE: Final = 10
"""Steps between points from which the short windows hold: with the long ones a loss logged every 50 steps is judged after 5,000."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Points looked at: for the level, for the scale, how many bad ones running are red, and how many that stand out are no burst."""

    level: int
    scale: int
    hold: int
    burst: int


DENSE: Final = Windows(level=51, scale=201, hold=50, burst=10)
SPARSE: Final = Windows(level=11, scale=41, hold=5, burst=3)


class LossLevel:
    """Amber while the level is lost, red once it has been for `hold` points running.

    `scratch`: the first value is the training's own. Otherwise the start is the first level, and only a level far above it is lost.
    """

    __slots__ = (
        "_bad", "_best", "_earlier", "_last", "_level", "_linear", "_low", "_scale", "_start", "_starts", "limits", "scratch", "windows",
    )  # fmt: skip

    def __init__(self, limits: LostLevel, windows: Windows = DENSE, scratch: bool = True) -> None:
        self.limits = limits
        self.windows = windows
        self.scratch = scratch
        self._linear = False
        self._begin()

    def _begin(self) -> None:
        self._level = RollingMedian(self.windows.level)
        self._scale = RollingMedian(self.windows.scale)
        self._earlier: deque[float] = deque(maxlen=self.windows.scale)
        self._starts: list[float] = []
        self._start = 0.0
        self._low = _TINY
        self._last: float | None = None
        self._best = inf
        self._bad = 0

    def __repr__(self) -> str:
        return f"<LossLevel {'linear' if self._linear else 'log'} best {self.best:.4g}, bad for {self._bad}>"

    @property
    def waiting(self) -> str:
        return "" if self._level.full else f"fewer than {self.windows.level} values"

    @property
    def best(self) -> float:
        """The lowest level reached, in the loss's own unit."""
        return self._best if self._linear else exp(self._best)

    @property
    def level(self) -> float:
        """The level now, in the loss's own unit."""
        return self._level.value if self._linear else exp(self._level.value)

    def facts(self) -> Facts:
        start = self._start if self._linear else exp(self._start)
        return {"value": self.level, "level": self.level, "best": min(self.best, start), "start": start}

    def see(self, step: int, value: float) -> int:
        x = self._coordinate(value)
        if self._last is not None:
            self._earlier.append(self._scale.push(abs(x - self._last)))
        self._last = x
        level = self._level.push(x)
        if len(self._starts) < _STARTS:
            self._note_start(x)
        if not self._level.full:
            return UNCHECKED
        if self._best == inf and not self.scratch:
            self._start = level
        if level < self._best:
            self._best = level
        self._bad = self._bad + 1 if self._is_lost(level) else 0
        if not self._bad:
            return OK
        return RED if self._bad >= self.windows.hold else AMBER

    def _coordinate(self, value: float) -> float:
        """The value where it is judged: its logarithm, or itself once one was below zero (or the first one zero)."""
        if value < self._low and not self._linear and not (self._starts and value >= 0.0):
            self._linear = True
            self._begin()
        if self._linear:
            return value
        return log(value if value > self._low else self._low)

    def _note_start(self, x: float) -> None:
        self._starts.append(x)
        self._start = min(self._starts[0], sorted(self._starts)[len(self._starts) // 2])
        if not self._linear:
            self._low = max(_TINY, FLOOR * exp(self._start))

    def _is_lost(self, level: float) -> bool:
        limits, start, best = self.limits, self._start, self._best
        if self.scratch and not self._linear and self._above(level, start, _HOPELESS * limits.far_above_start):
            return True
        rise = level - best
        if rise <= 0.0:
            return False
        far_above = self._above(level, start, limits.far_above_start)
        if far_above and self.scratch and not self._linear:
            return True
        noise = limits.noise * self._earlier[0]
        if rise <= noise or not self._above(level, best, limits.rise):
            return False
        if not self.scratch:  # the drop since a resume is any drop: losing half of it is no event
            return far_above
        drop = start - best
        if self._linear and drop <= noise:  # around zero a share of the drop, like a factor, says nothing
            return self._above(level, start, limits.far_above_start)
        return rise > limits.share * drop or self._above(level, start, limits.above_start)

    def _above(self, level: float, reference: float, factor: float) -> bool:
        """Whether the level exceeds the reference by a factor; in linear space by that share of its size."""
        if self._linear:
            return level - reference > (factor - 1.0) * abs(reference)
        return level - reference > log(factor)
