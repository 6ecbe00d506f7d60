"""Whether a number, of a probe's snapshots or a metric, is outside its limits, or has fallen from its own peak."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from fnmatch import fnmatchcase
from math import inf, isfinite, nan
from typing import Final

from bedside_protocol.alerts.conditions import Beyond, FellFromPeak
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.records import Snapshot

_MENDING: Final = 1.02
"""A fiftieth over the last snapshots: a codebook that still fills does more, one that stays half empty less."""
_MENDING_OVER: Final = 5


class Bounds:
    """A field against the limits of a `Beyond`."""

    __slots__ = ("_recent", "_value", "limits")

    def __init__(self, limits: Beyond) -> None:
        self.limits = limits
        self._recent: deque[float] = deque(maxlen=_MENDING_OVER)
        self._value = nan

    def __repr__(self) -> str:
        return f"<Bounds {self.limits.field} {self._value:.4g}>"

    def facts(self) -> Facts:
        return {"value": self._value}

    def see(self, snapshot: Snapshot) -> int:
        limits = self.limits
        value, whole = _looked_at(limits, snapshot.scalars), snapshot.scalars.get(limits.per, nan) if limits.per else 1.0
        if not (isfinite(value) and isfinite(whole) and whole > 0.0):
            return UNCHECKED
        self._value = value
        share = value / whole
        before = self._recent[0] if self._recent else nan
        self._recent.append(share)
        level = _level_of(share, limits)
        if level != AMBER or not limits.unless_mending:
            return level
        too_low = share < _or(limits.amber_below, -inf)
        return OK if (share > before * _MENDING if too_low else share * _MENDING < before) else AMBER


class Limits:
    """The values of a metric against the limits of a `Beyond`; what is a share, or mends, only a snapshot can tell."""

    __slots__ = ("_value", "limits")

    waiting = ""

    def __init__(self, limits: Beyond) -> None:
        self.limits = limits
        self._value = nan

    def __repr__(self) -> str:
        return f"<Limits {self._value:.4g}>"

    def facts(self) -> Facts:
        return {"value": self._value}

    def see(self, step: int, value: float) -> int:
        self._value = value
        return _level_of(value, self.limits)


class Peak:
    """A field against its own highest value, of those that were judged."""

    __slots__ = ("_peak", "_value", "limits")

    def __init__(self, limits: FellFromPeak) -> None:
        self.limits = limits
        self._peak = self._value = nan

    def __repr__(self) -> str:
        return f"<Peak {self.limits.field} {self._value:.4g} of {self._peak:.4g}>"

    def facts(self) -> Facts:
        return {"value": self._value, "peak": self._peak}

    def see(self, snapshot: Snapshot) -> int:
        value = snapshot.scalars.get(self.limits.field, nan)
        if not isfinite(value):
            return UNCHECKED
        self._value = value
        if not self._peak >= value:
            self._peak = value
        return AMBER if value < (1.0 - self.limits.share) * self._peak else OK


def _looked_at(limits: Beyond, scalars: Mapping[str, float]) -> float:
    """The field's value; of several the worst that is finite, NaN where there is none."""
    if "*" not in limits.field:
        return scalars.get(limits.field, nan)
    found = (value for name, value in scalars.items() if fnmatchcase(name, limits.field) and isfinite(value))
    falls = limits.amber_above is limits.red_above is None
    return min(found, default=nan) if falls else max(found, default=nan)


def _level_of(share: float, limits: Beyond) -> int:
    if share < _or(limits.red_below, -inf) or share > _or(limits.red_above, inf):
        return RED
    return AMBER if share < _or(limits.amber_below, -inf) or share > _or(limits.amber_above, inf) else OK


def _or(limit: float | None, otherwise: float) -> float:
    return otherwise if limit is None else limit
