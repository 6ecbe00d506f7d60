"""Summaries of an append-only column of numbers at many resolutions.

`Pyramid` keeps, over every whole block of 16, 256, 4096, … points, what a reader needs in place of the points: the range and mean of the
finite values, where the newest finite value stands, whether a NaN or infinity is inside. Blocks are counted by position in the series, so
the first `n` points always read the same, however many follow. Which blocks make a column is `layout`'s matter.

It refuses to know what a step or a second is, and who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FANOUT = 16
"""Points in a block, and blocks in the block above. 16 reads fastest of 4, 8, 16, 32, 64 at 1 M points and 200 columns."""

_GROWTH = 1.25
"""By how much an array that is full grows: memory that nothing was written to is no more than a fifth, at four copies a number."""

Ints: TypeAlias = NDArray[np.int64]
Counts: TypeAlias = NDArray[np.signedinteger[Any]]
"""Numbers of points and places among them, kept as int32: two thousand million points of one metric would be 16 GB."""
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


class Growing:
    """An append-only array. Growth is amortised; what was read stays valid, because nothing already written is written again."""

    __slots__ = ("_data", "_size")

    def __init__(self, dtype: type[np.generic]) -> None:
        self._data: NDArray[Any] = np.empty(0, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, values: NDArray[Any]) -> None:
        size = self._size + len(values)
        if size > len(self._data):
            data = np.empty(max(size, FANOUT, int(_GROWTH * len(self._data))), self._data.dtype)
            data[: self._size] = self._data[: self._size]
            self._data = data
        self._data[self._size : size] = values
        self._size = size

    @property
    def all(self) -> NDArray[Any]:
        """Everything so far, as a view without a copy."""
        return self._data[: self._size]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Summaries side by side, one entry a block (or a single point): see `Pyramid`.

    `low` is +inf and `high` -inf where no value is finite; `mean` is then 0 and `count` (of finite values) 0; `newest` is the
    index in the series of the last finite value, -1 for none; `bad` says whether a value is not finite.
    """

    low: Floats
    high: Floats
    mean: Floats
    count: Counts
    newest: Counts
    bad: Bools

    def take(self, index: Ints | slice) -> Blocks:
        return Blocks(self.low[index], self.high[index], self.mean[index], self.count[index], self.newest[index], self.bad[index])

    @classmethod
    def joined(cls, parts: Sequence[Blocks]) -> Blocks:
        """One after the other."""
        columns = zip(*((one.low, one.high, one.mean, one.count, one.newest, one.bad) for one in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


def single_points(values: Floats, indices: Ints) -> Blocks:
    """Points as blocks of one. `indices` are their places in the series."""
    finite = np.isfinite(values)
    return Blocks(
        np.where(finite, values, np.inf),
        np.where(finite, values, -np.inf),
        np.where(finite, values, 0.0),
        finite.astype(np.int32),
        np.where(finite, indices, -1).astype(np.int32),
        ~finite,
    )


def _merged(blocks: Blocks) -> Blocks:
    """Each run of FANOUT blocks as one; their number is a multiple of FANOUT."""

    def rows(column: NDArray[Any]) -> NDArray[Any]:
        return column.reshape(-1, FANOUT)

    count = rows(blocks.count).sum(axis=1, dtype=np.int32)
    # Weighting before adding keeps the mean of ±1e308 inside the range of a double.
    weights = rows(blocks.count) / np.maximum(count, 1)[:, None]
    return Blocks(
        rows(blocks.low).min(axis=1),
        rows(blocks.high).max(axis=1),
        (rows(blocks.mean) * weights).sum(axis=1),
        count,
        rows(blocks.newest).max(axis=1),
        rows(blocks.bad).max(axis=1),
    )


def cover(size: int, levels: int) -> list[tuple[int, int, int]]:
    """(level, begin, end) of the fewest blocks of at most `levels` levels that hold exactly the first `size` points, largest first, in
    order."""
    parts, begin = [], 0
    for level in range(levels, -1, -1):
        end = size // FANOUT**level
        if begin < end:
            parts.append((level, begin, end))
        begin = end * FANOUT
    return parts


class _Level:
    """The blocks of one size, growing."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        kinds = (np.float64, np.float64, np.float64, np.int32, np.int32, np.bool_)
        self._columns = [Growing(kind) for kind in kinds]

    def __len__(self) -> int:
        return len(self._columns[0])

    def extend(self, blocks: Blocks) -> None:
        columns = (blocks.low, blocks.high, blocks.mean, blocks.count, blocks.newest, blocks.bad)
        for mine, theirs in zip(self._columns, columns, strict=True):
            mine.extend(theirs)

    @property
    def blocks(self) -> Blocks:
        return Blocks(*(column.all for column in self._columns))


class Pyramid:
    """Levels of blocks over a series; level 0 is the points themselves, which it borrows and does not own."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: list[_Level] = []

    def grow(self, values: Floats) -> None:
        """Summarise every whole block of `values` (all points so far) that is not summarised yet."""
        level = 0
        while len(values) >= FANOUT ** (level + 1):
            if level == len(self._levels):
                self._levels.append(_Level())
            mine = self._levels[level]
            begin, end = len(mine) * FANOUT, len(values) // FANOUT ** (level + 1) * FANOUT
            if begin < end:
                mine.extend(_merged(self.blocks(level, np.arange(begin, end), values)))
            level += 1

    def newest(self, size: int, values: Floats) -> int:
        """Index of the last finite value among the first `size` points, -1 for none."""
        parts = cover(size, len(self._levels))
        return max((int(self.blocks(level, np.arange(a, b), values).newest.max()) for level, a, b in parts), default=-1)

    @property
    def levels(self) -> int:
        """How many sizes of blocks there are above the points."""
        return len(self._levels)

    def blocks(self, level: int, index: Ints, values: Floats) -> Blocks:
        """These blocks of `FANOUT`**level points; at level 0 the points themselves."""
        if level == 0:
            return single_points(values[index], index)
        return self._levels[level - 1].blocks.take(index)
