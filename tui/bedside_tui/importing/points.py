"""Values as a file has them, row by row and in any order, kept as flat columns: a day-long run has ten million values.

A row costs 20 bytes and a value 10. Their order, and what of them is said together, is decided in `order`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_METRICS: Final = 2000
"""Metrics taken: as many as a viewer keeps. A file with a step or an id in its names has millions."""
MOST_NAME: Final = 500
LARGEST_STEP: Final = 2**53


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows of a file in its own order: each has a step, a time (NaN where it is not known) and the values up to its end."""

    steps: NDArray[np.int64]
    times: NDArray[np.float64]
    ends: NDArray[np.uint32]
    """Where the values of each row end; the next row's begin there."""
    place: NDArray[np.uint16]
    """Indices into `names`, one a value."""
    values: NDArray[np.float64]
    names: tuple[str, ...]
    alone: bool
    """Whether the file tells values one by one, and not rows."""


class Points:
    """Values as they are read. `renamed` is from a file's names to those in the recording."""

    def __init__(self, renamed: Mapping[str, str] | None = None) -> None:
        self._renamed = dict(renamed or {})
        self._names: dict[str, int] = {}
        self._read: dict[str, int] = {}
        """The place of each name that was read, which several may share."""
        self._steps = array("q")
        self._times = array("d")
        self._ends = array("I")
        self._place = array("H")
        self._values = array("d")
        self._open = False
        self._alone = False

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Points {len(self):,} of {len(self._names)} metrics>"

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics as the file names them."""
        return tuple(self._read)

    def add(self, step: int, time: float, name: str, value: float) -> bool:
        """One value of the row that is begun, or of one that begins with it. False where there are too many metrics for one more."""
        place = self._read.get(name)
        if place is None:
            if len(self._read) >= MOST_METRICS:
                return False
            called = self._renamed.get(name, name)[:MOST_NAME]
            place = self._read[name] = self._names.setdefault(called, len(self._names))
        self._place.append(place)
        self._values.append(value)
        if self._open or (self._alone and self._ends and step == self._steps[-1] and time == self._times[-1]):
            self._ends[-1] += 1  # what was told one by one, of one moment
            return True
        self._steps.append(step)
        self._times.append(time)
        self._ends.append(len(self._values))
        self._open = True
        return True

    def end_row(self) -> None:
        """What comes next begins another row."""
        self._open = False

    def end_value(self) -> None:
        """The same, in a file that tells values one by one: which of them are a row, their steps and times tell."""
        self._open = False
        self._alone = True

    def kept(self) -> Kept:
        """All of them, without a copy: nothing can be added while these are held."""
        return Kept(
            _column(self._steps, np.int64),
            _column(self._times, np.float64),
            _column(self._ends, np.uint32),
            _column(self._place, np.uint16),
            _column(self._values, np.float64),
            tuple(self._names),
            self._alone,
        )


def _column(values: array[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(values, dtype) if len(values) else np.empty(0, dtype)
