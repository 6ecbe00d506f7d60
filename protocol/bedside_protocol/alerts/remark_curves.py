"""What is remarked of a loss at the end: that it varies, that it has stopped falling, that it fell little, that it is past its best.

As alarms these fire on every second healthy training; at the end of a run they are worth a sentence. Values come in blocks, by step;
which losses are looked at is decided elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.alerts.remark import Remark

LATE: Final = 5000
"""Steps before which nothing is remarked of how a loss moves."""
STRETCH: Final = 1000
"""Steps of a last stretch."""
_BEGINNING: Final = 11
"""Values whose median is where a loss began, or is."""
_LEAST: Final = 20
"""Values below which a stretch says nothing."""
_VARIES: Final = 0.5
_FELL: Final = 0.5
_PAST_BEST: Final = 1.1

_CHART: Final = (("h", "the curve over the last steps, smoothed"),)

Values = NDArray[np.float64]


class Loss:
    """One loss, one rank: where it began, its last two stretches, and the lowest level it had."""

    def __init__(self, name: str, fresh: bool) -> None:
        self.name = name
        self._fresh = fresh
        """Whether its first value is the training's own first."""
        self._first: list[float] = []
        self._first_step = -1
        self._blocks: deque[tuple[NDArray[np.int64], Values]] = deque()
        self._recent: Values = np.empty(0)
        """The last values, as many as a level is the median of."""
        self._best, self._best_step = float("inf"), 0

    def __repr__(self) -> str:
        return f"<Loss {self.name} to step {self.last_step}>"

    @property
    def last_step(self) -> int:
        return int(self._blocks[-1][0][-1]) if self._blocks else 0

    def take(self, steps: NDArray[np.int64], values: Values) -> None:
        """The next values, by step; those that are not finite are left out."""
        good = np.isfinite(values)
        steps, values = steps[good], values[good]
        if not len(steps):
            return
        if self._first_step < 0:
            self._first_step = int(steps[0])
        if steps[0] < self.last_step:  # resumed: what came after is of a training that is gone
            self._blocks.clear()
        self._first += values[: _BEGINNING - len(self._first)].tolist()
        self._level(steps, values)
        self._blocks.append((steps, values))
        while self._blocks[0][0][-1] <= self.last_step - 2 * STRETCH:
            self._blocks.popleft()

    def _level(self, steps: NDArray[np.int64], values: Values) -> None:
        """The lowest level so far, with these values."""
        known = np.concatenate([self._recent[1 - _BEGINNING :], values])
        self._recent = known[-_BEGINNING:]
        if len(known) < _BEGINNING:
            return
        levels = np.median(np.lib.stride_tricks.sliding_window_view(known, _BEGINNING), axis=1)
        lowest = int(np.argmin(levels))
        if levels[lowest] < self._best:
            self._best, self._best_step = float(levels[lowest]), int(steps[lowest - len(levels)])

    def remarks(self) -> Iterator[Remark]:
        """Of a loss that is trained on."""
        last, before = self._stretch(0), self._stretch(1)
        if self.last_step >= LATE and len(last) >= _LEAST:
            yield from self._varying(last)
            if len(before) >= _LEAST:
                yield from self._not_falling(last, before)
        if self._fresh and self._first_step <= _BEGINNING - 1 and self.last_step >= STRETCH:
            yield from self._fell_little()

    def remarks_of_evaluation(self) -> Iterator[Remark]:
        """Of a loss on data that is not trained on."""
        if len(self._recent) < _BEGINNING or self._best <= 0.0:
            return
        level = float(np.median(self._recent))
        if level > _PAST_BEST * self._best:
            yield Remark(
                "past-its-best",
                self.name,
                f"ends at {level:.4g}, {level / self._best:.2f}× its best of {self._best:.4g} at step {self._best_step:,}",
                {"last": level, "best": self._best, "best_step": float(self._best_step)},
                (("h", "it beside the loss trained on: where do they part?"), ("l", f"a checkpoint from about step {self._best_step:,}")),
            )

    def _stretch(self, back: int) -> Values:
        """The values of the last `STRETCH` steps, or of those `back` stretches before."""
        high = self.last_step - back * STRETCH
        parts = [values[(steps > high - STRETCH) & (steps <= high)] for steps, values in self._blocks]
        return np.concatenate(parts) if parts else np.empty(0)

    def _varying(self, last: Values) -> Iterator[Remark]:
        mean, deviation = float(last.mean()), float(last.std())
        if mean > 0.0 and deviation > _VARIES * mean:
            yield Remark(
                "varies",
                self.name,
                f"varies by {deviation / mean:.0%} of its mean of {mean:.4g} over the last {STRETCH:,} steps",
                {"mean": mean, "deviation": deviation},
                (*_CHART, ("v", "batches too small, or lengths and tasks mixed: log them with group=")),
            )

    def _not_falling(self, last: Values, before: Values) -> Iterator[Remark]:
        now, earlier = float(last.mean()), float(before.mean())
        if now >= earlier:
            yield Remark(
                "not-falling",
                self.name,
                f"{now:.4g} over the last {STRETCH:,} steps, {earlier:.4g} over those before: it no longer falls",
                {"last": now, "before": earlier},
                (*_CHART, ("v", "the learning rate: is it still where it should be?")),
            )

    def _fell_little(self) -> Iterator[Remark]:
        first, now = float(np.median(self._first)), float(np.median(self._recent))
        if first > 0.0 and now > _FELL * first:
            share = "above" if now > first else f"{now / first:.0%} of"
            yield Remark(
                "fell-little",
                self.name,
                f"ends at {now:.4g}, {share} the {first:.4g} it began at",
                {"first": first, "last": now},
                (("h", "the whole curve, by log axis"), ("o", "what the model predicts, and whether all of it learns")),
            )
