"""Whether a loss has lost the level it had reached, and stays there.

Level and scale are rolling medians. A spike moves neither, so only a lasting loss of level is seen. It knows no metric names and no other
rule.
"""

from __future__ import annotations

from collections import deque
from math import inf, log
from typing import Final

from bedside_protocol.alerts.conditions import LostLevel
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.surroundings import FLOOR, Surroundings

_HOPELESS: Final = 2.5
"""Times the factor that is far above the start: a level that high is lost even where no better one was ever seen."""


class LossLevel:
    """Amber while the level is lost, red once it has been for `hold` points running.

    `scratch`: the first value is the training's own. Otherwise the start is the first level, and only a level far above it is lost.
    """

    __slots__ = ("_bad", "_best", "_earlier", "_least", "_linear", "_start", "around", "limits", "scratch")

    def __init__(self, limits: LostLevel, around: Surroundings, scratch: bool = True) -> None:
        self.limits = limits
        self.scratch = scratch
        self.around = around
        self._linear = around.linear
        self._begin()

    def _begin(self) -> None:
        self._earlier: deque[float] = deque(maxlen=self.around.windows.scale)
        self._start = inf
        self._least = -inf
        """A level below that is taken to be there."""
        self._best = inf
        self._bad = 0

    def __repr__(self) -> str:
        return f"<LossLevel {'linear' if self._linear else 'log'} best {self.best:.4g}, bad for {self._bad}>"

    @property
    def waiting(self) -> str:
        return self.around.waiting

    @property
    def best(self) -> float:
        """The lowest level reached, in the loss's own unit."""
        return self.around.unit(self._best)

    @property
    def level(self) -> float:
        """The level now, in the loss's own unit."""
        return self.around.unit(self.around.level)

    def facts(self) -> Facts:
        start = self.around.unit(self._start)
        return {"value": self.level, "level": self.level, "best": min(self.best, start), "start": start}

    def see(self, step: int, value: float) -> int:
        around = self.around
        if around.linear and not self._linear:
            self._linear = True
            self._begin()
        if around.scale == around.scale:
            self._earlier.append(around.scale)
        if not around.known:
            self._start = around.start
            self._least = -inf if self._linear else self._start + log(FLOOR)
            return UNCHECKED
        level = max(around.level, self._least)
        if self._best == inf and not self.scratch:
            self._start = level
        if level < self._best:
            self._best = level
        self._bad = self._bad + 1 if self._is_lost(level) else 0
        if not self._bad:
            return OK
        return RED if self._bad >= around.windows.hold else AMBER

    def _is_lost(self, level: float) -> bool:
        limits, start, best = self.limits, self._start, self._best
        far_above = level > start and self._above(level, start, limits.far_above_start)
        if far_above and self.scratch and not self._linear and self._above(level, start, _HOPELESS * limits.far_above_start):
            return True
        rise = level - best
        if rise <= 0.0:
            return False
        if far_above and self.scratch and not self._linear:
            return True
        noise = limits.noise * self._earlier[0]
        if rise <= noise or not self._above(level, best, limits.rise):
            return False
        if not self.scratch:  # the drop since a resume is any drop: losing half of it is no event
            return far_above
        drop = start - best
        if self._linear and drop <= noise:  # around zero a share of the drop, like a factor, says nothing
            return far_above
        return rise > limits.share * drop or self._above(level, start, limits.above_start)

    def _above(self, level: float, reference: float, factor: float) -> bool:
        """Whether the level exceeds the reference by a factor; in linear space by that share of its size."""
        if self._linear:
            return level - reference > (factor - 1.0) * abs(reference)
        return level - reference > log(factor)
