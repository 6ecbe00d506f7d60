"""Values that change as records come, kept so that what held at any place in the log can be asked.

A *position* is the number of records read; position 0 is before the first. Everything a store knows is a ledger, a series bounded by
a position, or computed from these: that is why looking back is exact.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import numpy as np

from bedside_protocol.series import Series, SeriesHistory

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where and when a record stands: its position, the run's time (never decreasing), running time without pauses, the step."""

    position: int
    time: float
    running: float
    step: int


class Prefix(Sequence[T_co], Generic[T_co]):
    """The first `size` items of a list that only grows, without a copy."""

    __slots__ = ("_items", "_size")

    def __init__(self, items: Sequence[T_co], size: int) -> None:
        self._items = items
        self._size = size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        if isinstance(index, slice):
            return [self._items[at] for at in range(*index.indices(self._size))]
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._items[index if index >= 0 else self._size + index]

    def __iter__(self) -> Iterator[T_co]:
        return (self._items[at] for at in range(self._size))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Prefix {self._size} items>"


class Ledger(Generic[T]):
    """Entries in the order in which records brought them."""

    __slots__ = ("_positions", "entries")

    def __init__(self) -> None:
        self._positions = array("q")
        self.entries: list[T] = []

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, position: int, entry: T) -> None:
        """Append an entry known from `position` on; positions never decrease."""
        self._positions.append(position)
        self.entries.append(entry)

    def insert(self, position: int, entry: T) -> None:
        """Add an entry that belongs to an earlier position than the newest: asked again, the past has it too."""
        place = bisect_right(self._positions, position)
        self._positions.insert(place, position)
        self.entries.insert(place, entry)

    def size_at(self, position: int) -> int:
        """How many entries were known at `position`."""
        if not self._positions or self._positions[-1] <= position:
            return len(self._positions)
        return bisect_right(self._positions, position)

    def last_at(self, position: int) -> T | None:
        """The newest entry known at `position`, None before the first."""
        size = self.size_at(position)
        return self.entries[size - 1] if size else None

    def upto(self, position: int) -> Prefix[T]:
        """All entries known at `position`, oldest first."""
        return Prefix(self.entries, self.size_at(position))


class Track:
    """A series, and how many of its points were known at each position."""

    __slots__ = ("_positions", "_sizes", "series")

    def __init__(self) -> None:
        self.series = Series()
        self._positions = array("q")
        self._sizes = array("q")

    def append(self, position: int, step: int, time: float, value: float) -> None:
        """One point that came with the record at `position`."""
        self.series.append(step, time, value)
        self._positions.append(position)
        self._sizes.append(len(self.series))

    def extend(
        self,
        positions: Sequence[int],
        sizes: Sequence[int],
        steps: np.ndarray[tuple[int], np.dtype[np.int64]],
        times: np.ndarray[tuple[int], np.dtype[np.float64]],
        values: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> None:
        """Points of several records at once: after the record at `positions[i]`, the first `sizes[i]` of them are known."""
        before = len(self.series)
        self.series.extend(steps, times, values)
        self._positions.extend(positions)
        self._sizes.extend(size + before for size in sizes)

    def upto(self, position: int) -> SeriesHistory:
        """The history known at `position`."""
        if not self._positions or self._positions[-1] <= position:
            return self.series.history()
        place = bisect_right(self._positions, position)
        return self.series.upto(self._sizes[place - 1] if place else 0)
