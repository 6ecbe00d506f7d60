"""Whether a value stands out from those just before it, alone (a spike) or with others (a loss that breaks away).

It is measured against the level of the values before it, in their own noise: neither needs a beginning, so both hold after a resume.
What lasts is another rule's business.
"""

from __future__ import annotations

from collections import deque
from math import exp, inf, log, nan
from typing import Final

from bedside_protocol.alerts.conditions import Explodes, Spikes
from bedside_protocol.alerts.level import DENSE, FLOOR, Windows
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.alerts.median import RollingMedian

_TINY: Final = 1e-300
_LEAST_LEVEL: Final = 1e-3
"""A level below this share of the first is taken to be there: around a ten-thousandth of its beginning a loss doubles now and then."""


class Surroundings:
    """The level of the last values and the median of their successive differences: of logarithms, until a value is below zero."""

    __slots__ = ("_last", "_least", "_level", "_linear", "_low", "_scale", "reference", "value")

    def __init__(self, windows: Windows) -> None:
        self._linear = False
        self._least = -inf
        self._low = 0.0
        """Below this all values are one; known with the first level."""
        self._begin(windows.level, windows.scale)
        self.value = self.reference = nan
        """The last value that stood out, and the level it stood out from."""

    def _begin(self, level: int, scale: int) -> None:
        self._level = RollingMedian(level)
        self._scale = RollingMedian(scale)
        self._last: float | None = None

    def __repr__(self) -> str:
        return f"<Surroundings {'linear' if self._linear else 'log'} level {self._level.value:.4g}, scale {self._scale.value:.4g}>"

    @property
    def waiting(self) -> str:
        return f"fewer than {self._level.size} values"

    @property
    def level(self) -> float:
        """The level now, in the loss's own unit."""
        return self._level.value if self._linear else exp(self._level.value)

    def facts(self) -> Facts:
        times = self.value / self.reference if self.reference else inf
        return {"value": self.value, "reference": self.reference, "times": times}

    def stands_out(self, value: float, factor: float, noise: float) -> bool | None:
        """Takes a value: whether it is above `factor` times the level before it, by more than `noise` times the scale. None where too
        few came before it."""
        if value < 0.0 and not self._linear:
            self._linear = True
            self._begin(self._level.size, self._scale.size)
        x = value if self._linear else log(max(value, self._low, _TINY))
        level, scale, known = self._level.value, self._scale.value, self._level.full
        self._take(x)
        if not known:
            return None
        rise = x - (level if self._linear else max(level, self._least))
        far = rise > (factor - 1.0) * abs(level) if self._linear else rise > log(factor)
        if not far or rise <= noise * scale:
            return False
        self.value, self.reference = value, level if self._linear else exp(level)
        return True

    def _take(self, x: float) -> None:
        if self._last is not None:
            self._scale.push(abs(x - self._last))
        self._last = x
        level = self._level.push(x)
        if not self._low and self._level.full and not self._linear:
            self._low, self._least = FLOOR * exp(level), level + log(_LEAST_LEVEL)


class Spike:
    """Amber at a value that stands out and at the next if that does not: two points of evidence, then. Beside others that stand out it
    is no spike but the beginning of something."""

    __slots__ = ("_around", "_before", "_lone", "limits")

    def __init__(self, limits: Spikes, windows: Windows = DENSE) -> None:
        self.limits = limits
        self._around = Surroundings(windows)
        self._before: deque[bool] = deque(maxlen=2)
        self._lone = False

    def __repr__(self) -> str:
        return f"<Spike {self._around!r}>"

    @property
    def waiting(self) -> str:
        return self._around.waiting

    def facts(self) -> Facts:
        return self._around.facts()

    def see(self, step: int, value: float) -> int:
        out = self._around.stands_out(value, self.limits.factor, self.limits.noise)
        if out is None:
            return UNCHECKED
        alone = self._lone and not out
        self._lone = out and not any(self._before)
        self._before.append(out)
        return AMBER if self._lone or alone else OK


class BreakAway:
    """Amber where two in three of the last values stand out, until the level is back: the explosion of a loss that has no beginning to be
    compared with. Healthy trainings have bursts of up to a dozen values, and are back at once."""

    __slots__ = ("_around", "_from", "_recent", "limits", "most")

    def __init__(self, limits: Explodes, windows: Windows = DENSE) -> None:
        self.limits = limits
        self.most = windows.burst
        self._around = Surroundings(windows)
        self._recent: deque[bool] = deque(maxlen=windows.burst + windows.burst // 2)
        self._from = inf
        """The level it broke away from, until it is back."""

    def __repr__(self) -> str:
        return f"<BreakAway {sum(self._recent)} of {len(self._recent)}, {self._around!r}>"

    @property
    def waiting(self) -> str:
        return self._around.waiting

    def facts(self) -> Facts:
        return {**self._around.facts(), "above": f"which was {self._around.reference:.4g}"}

    def see(self, step: int, value: float) -> int:
        out = self._around.stands_out(value, self.limits.factor, self.limits.noise)
        if out is None:
            return UNCHECKED
        self._recent.append(out)
        if sum(self._recent) >= self.most:
            self._from = min(self._from, self._around.reference)
            return AMBER
        if self._around.level <= self.limits.factor * self._from:
            self._from = inf
        return AMBER if self._from < inf else OK
