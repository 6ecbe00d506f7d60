"""Whether a model learns by heart: its evaluation loss has risen from its best for good, while the training loss lies far below it.

Either alone is no finding: evaluation losses rise a little in many trainings that still learn, and a training loss lies below them in all.
"""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, nan
from statistics import median
from typing import Final

from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Memorises
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts

_WINDOW: Final = 5
"""Evaluations whose median is their level."""


class Memorising:
    """One evaluation loss beside the training's level."""

    __slots__ = ("_best", "_circumstances", "_level", "_recent", "limits")

    def __init__(self, limits: Memorises, circumstances: Circumstances) -> None:
        self.limits = limits
        self._circumstances = circumstances
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        self._level = nan
        self._best = inf

    def __repr__(self) -> str:
        return f"<Memorising {self._level:.4g}, best {self._best:.4g}>"

    @property
    def waiting(self) -> str:
        return f"fewer than {_WINDOW} values" if len(self._recent) < _WINDOW else "no level of the training loss yet"

    def facts(self) -> Facts:
        return {"value": self._level, "level": self._level, "best": self._best}

    def see(self, step: int, value: float) -> int:
        self._recent.append(value)
        training = self._circumstances.training_level
        if len(self._recent) < _WINDOW or not isfinite(training):
            return UNCHECKED
        self._level = median(self._recent)
        self._best = min(self._best, self._level)
        risen = self._level > self.limits.rise * self._best > 0.0
        return AMBER if risen and training < self._level / self.limits.gap else OK
