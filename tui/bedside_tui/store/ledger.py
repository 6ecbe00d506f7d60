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

from bedside_protocol.pyramid import Floats, Ints
from bedside_protocol.rows import Rows
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


class Arrivals:
    """The rows of a series, or of several that come together, and how many of them were known at each position."""

    __slots__ = ("_positions", "_sizes", "rows")

    def __init__(self) -> None:
        self.rows = Rows()
        self._positions = array("q")
        self._sizes = array("q")

    def extend(self, positions: Sequence[int], sizes: Sequence[int], steps: Ints, times: Floats) -> None:
        """Rows of several records at once: after the record at `positions[i]`, the first `sizes[i]` of them are known."""
        before = len(self.rows)
        self.rows.extend(steps, times)
        self.told(positions, [size + before for size in sizes])

    def told(self, positions: Sequence[int], sizes: Sequence[int]) -> None:
        """After the record at `positions[i]`, `sizes[i]` rows are known."""
        self._positions.extend(positions)
        self._sizes.extend(sizes)

    def size_at(self, position: int) -> int:
        """How many rows were known at `position`."""
        if not self._positions or self._positions[-1] <= position:
            return len(self.rows)
        place = bisect_right(self._positions, position)
        return self._sizes[place - 1] if place else 0

    def copy(self) -> Arrivals:
        """The same as rows of their own."""
        other = Arrivals()
        other.rows = self.rows.copy(len(self.rows))
        other.told(self._positions, self._sizes)
        return other


class Track:
    """A series, and how many of its points were known at each position.

    Tracks of metrics that are logged together may be given one `Arrivals`: it is extended once, then each track takes its values.
    """

    __slots__ = ("_arrivals", "series")

    def __init__(self, arrivals: Arrivals | None = None) -> None:
        self._arrivals = Arrivals() if arrivals is None else arrivals
        self.series = Series(self._arrivals.rows)

    def append(self, position: int, step: int, time: float, value: float) -> None:
        """One point that came with the record at `position`, to a track that shares nothing."""
        self.extend([position], [1], np.array([step], np.int64), np.array([time]), np.array([value]))

    def extend(self, positions: Sequence[int], sizes: Sequence[int], steps: Ints, times: Floats, values: Floats) -> None:
        """Points of several records at once, to a track that shares nothing: see `Arrivals.extend`."""
        self._arrivals.extend(positions, sizes, steps, times)
        self.series.take(values)

    def take(self, values: Floats) -> None:
        """The values of rows that its arrivals have been given."""
        self.series.take(values)

    def part(self) -> None:
        """Share nothing from here on."""
        self._arrivals = self._arrivals.copy()
        self.series.rows = self._arrivals.rows

    def upto(self, position: int) -> SeriesHistory:
        """The history known at `position`."""
        return self.series.upto(self._arrivals.size_at(position))
