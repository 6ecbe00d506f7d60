"""The history before a clip, a few rows of it: enough for its lines to have the same lows and highs, few enough for a small file.

Kept are, of each stretch of rows, the last, and those with the lowest and the highest value of each metric and its first that is no number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Metrics, Record

MOST_ROWS: Final = 512
"""Rows kept of the metrics that are logged together, more or less."""
_LEAST_STRETCHES: Final = 8
_ROOM: Final = 8 * MOST_ROWS


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of metrics that were logged together. `position` and `said` are the place and the time of each row's record."""

    position: NDArray[np.int64]
    said: NDArray[np.float64]
    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    """One line a metric."""

    def at(self, rows: NDArray[Any]) -> Rows:
        """Some of the rows."""
        return Rows(self.position[rows], self.said[rows], self.steps[rows], self.times[rows], self.values[:, rows])


class ThinnedHistory:
    """The values of one rank's metrics that are logged together, thinned as they come."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._parts: list[Rows] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<ThinnedHistory of {len(self.names)} metrics, {self._size} rows>"

    def add(self, position: int, record: Record, block: Metrics) -> None:
        """A block of these metrics, in the order of the log."""
        count = block.steps.size
        self._parts.append(Rows(np.full(count, position), np.full(count, record.time), block.steps, block.times, block.values))
        self._size += count
        if self._size > _ROOM:
            self._parts = [self.rows()]
            self._size = self._parts[0].steps.size

    def rows(self) -> Rows:
        """What is kept, in the order of the log."""
        parts = self._parts
        whole = Rows(
            np.concatenate([part.position for part in parts]),
            np.concatenate([part.said for part in parts]),
            np.concatenate([part.steps for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts], axis=1),
        )
        return whole.at(kept_of(whole.values))


def kept_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rows to keep of `values` (metrics, rows), in their order; all where they are few."""
    metrics, rows = values.shape
    if rows <= MOST_ROWS:
        return np.arange(rows)
    stretches = max(_LEAST_STRETCHES, MOST_ROWS // (2 * metrics + 1))
    kept = [_kept_in(values[:, part]) + part[0] for part in np.array_split(np.arange(rows), stretches)]
    return np.concatenate(kept)


def _kept_in(values: NDArray[np.float64]) -> NDArray[np.int64]:
    finite = np.isfinite(values)
    lowest = np.where(finite, values, np.inf).argmin(axis=1)
    highest = np.where(finite, values, -np.inf).argmax(axis=1)
    bad = (~finite).argmax(axis=1)[~finite.all(axis=1)]
    return np.unique(np.concatenate([lowest, highest, bad, [values.shape[1] - 1]]))
