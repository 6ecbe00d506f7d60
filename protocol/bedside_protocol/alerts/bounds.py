"""Whether a number in a probe's snapshots is outside its limits, or has fallen from its own peak."""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, nan
from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.rules import Beyond, FellFromPeak
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
        value, whole = snapshot.scalars.get(limits.field, nan), snapshot.scalars.get(limits.per, nan) if limits.per else 1.0
        if not (isfinite(value) and isfinite(whole) and whole > 0.0):
            return UNCHECKED
        self._value = value
        share = value / whole
        before = self._recent[0] if self._recent else nan
        self._recent.append(share)
        if share < _or(limits.red_below, -inf) or share > _or(limits.red_above, inf):
            return RED
        too_low, too_high = share < _or(limits.amber_below, -inf), share > _or(limits.amber_above, inf)
        if not (too_low or too_high):
            return OK
        mending = share > before * _MENDING if too_low else share * _MENDING < before
        return OK if limits.unless_mending and mending else AMBER


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


def _or(limit: float | None, otherwise: float) -> float:
    return otherwise if limit is None else limit
