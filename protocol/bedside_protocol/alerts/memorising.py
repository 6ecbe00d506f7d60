"""Whether a model learns by heart: its evaluation loss has risen from its best for good, while the training loss lies far below it.

Either alone is no finding: evaluation losses rise a little in many trainings that still learn, and a training loss lies below them in all.
The more of one there is the less is asked of the other. Where an evaluation also counts what is right, and that is as good as ever, the
model has grown too sure of itself, and may be wanted all the same: that is never red.
"""

from __future__ import annotations

from collections import deque
from math import inf, isfinite, nan
from statistics import median
from typing import Final

from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Memorises
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts

_WINDOW: Final = 5
"""Evaluations whose median is their level."""


class Memorising:
    """One evaluation loss beside the training's level."""

    __slots__ = ("_best", "_best_step", "_circumstances", "_first_step", "_level", "_recent", "limits")

    def __init__(self, limits: Memorises, circumstances: Circumstances) -> None:
        self.limits = limits
        self._circumstances = circumstances
        self._recent: deque[float] = deque(maxlen=_WINDOW)
        self._level = nan
        self._best = inf
        self._best_step = 0
        self._first_step: int | None = None

    def __repr__(self) -> str:
        return f"<Memorising {self._level:.4g}, best {self._best:.4g}>"

    @property
    def waiting(self) -> str:
        return f"fewer than {_WINDOW} values" if len(self._recent) < _WINDOW else "no level of the training loss yet"

    def facts(self) -> Facts:
        return {"value": self._level, "level": self._level, "best": self._best}

    def see(self, step: int, value: float) -> int:
        if self._first_step is None:
            self._first_step = step
        self._recent.append(value)
        training = self._circumstances.training_level
        if len(self._recent) < _WINDOW or not isfinite(training):
            return UNCHECKED
        self._level = median(self._recent)
        if self._level < self._best:
            self._best, self._best_step = self._level, step
        risen = self._level > self.limits.rise * self._best > 0.0
        if not risen or training >= self._level / self.limits.gap:
            return OK
        return RED if self._has_been_long(step - self._best_step, self._best_step - self._first_step) else AMBER

    def _has_been_long(self, since: int, until: int) -> bool:
        """Whether the steps `since` the best are so many beside those `until` it that nothing better is to come."""
        times = self.limits.red_after
        return times is not None and since >= times * until and not self._circumstances.scores.hold
