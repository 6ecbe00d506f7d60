"""How a history falls into columns: where they begin, and which blocks of points make each.

That depends on steps and times alone, so metrics that are logged together have it in common and it is worked out once for all of them.
A read descends from the largest blocks and opens only those that straddle a boundary, so it costs about the columns it makes and never
the points it covers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.columns import Axis, Columns, column_shift
from bedside_protocol.pyramid import FANOUT, Blocks, Bools, Floats, Ints, Pyramid, cover
from bedside_protocol.rows import TICKS, Rows, ticks

Positions: TypeAlias = Callable[[int, Ints], tuple[Ints, Ints]]
"""(level, indices of blocks) → the lowest and the highest position inside each."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Columns side by side, without their values: see `Columns`."""

    axis: Axis
    span: float
    start: Floats
    breaks: Bools
    parts: tuple[tuple[int, Ints], ...]
    """The blocks that make the columns: (level, their indices), the largest first."""
    order: Ints
    """The same blocks, each by its place in `parts` one after the other, in the order of their columns."""
    filled: Ints
    """The columns that have blocks."""
    begins: Ints
    """Where the blocks of each of those begin in that order."""
    sizes: Ints
    """How many blocks each of those has."""

    def fold(self, pyramid: Pyramid, values: Floats) -> Columns:
        """The columns of the series with these values."""
        blocks = Blocks.joined([pyramid.blocks(level, index, values) for level, index in self.parts]).take(self.order)
        begins = self.begins
        count = np.add.reduceat(blocks.count, begins, dtype=np.int64)
        # Weighting before adding keeps the mean of ±1e308 inside the range of a double.
        weights = blocks.count / np.repeat(np.maximum(count, 1), self.sizes)
        low, high = np.minimum.reduceat(blocks.low, begins), np.maximum.reduceat(blocks.high, begins)
        mean = np.clip(np.add.reduceat(blocks.mean * weights, begins), low, high)
        last = values[np.maximum.reduceat(blocks.newest, begins)]
        some, room = count > 0, len(self.start)
        known = self.filled[some]
        return Columns(
            axis=self.axis,
            span=self.span,
            start=self.start,
            low=_spread(room, known, low[some], np.nan),
            high=_spread(room, known, high[some], np.nan),
            mean=_spread(room, known, mean[some], np.nan),
            last=_spread(room, known, last[some], np.nan),
            count=_spread(room, self.filled, count, 0),
            bad=_spread(room, self.filled, np.logical_or.reduceat(blocks.bad, begins), False),
            breaks=self.breaks,
        )


_KEPT = 8
"""Layouts kept for the next metric of the same rows: a picture reads few widths, and the rows of a run let go should not stay long."""


@lru_cache(maxsize=_KEPT)
def layout_of(rows: Rows, size: int, levels: int, width: int, axis: Axis) -> Layout:
    """The first `size` ≥ 1 of settled rows in at most `width` columns, made of blocks of at most so many levels."""
    by_step = axis == "step"
    low, high = rows.step_range(size) if by_step else (int(tick) for tick in ticks(rows.times[[0, size - 1]]))
    shift = column_shift(low, high, width)
    origin = low >> shift
    room = (high >> shift) - origin + 1
    parts, columns = _blocks_of(size, levels, rows.by_step if by_step else rows.by_time, shift)
    order = np.argsort(columns, kind="stable")
    filled, begins, sizes = np.unique(columns[order], return_index=True, return_counts=True)
    broken = rows.breaks(size)
    breaks = np.zeros(room, bool)
    breaks[((rows.steps[broken] if by_step else ticks(rows.times[broken])) >> shift) - origin] = True
    span = float(1 << shift) * (1.0 if by_step else 1.0 / TICKS)
    start = (np.arange(room, dtype=np.float64) + float(origin)) * span
    return Layout(axis, span, start, breaks, parts, order, filled - origin, begins, sizes)


def _blocks_of(size: int, levels: int, positions: Positions, shift: int) -> tuple[tuple[tuple[int, Ints], ...], Ints]:
    """The fewest blocks that hold the first `size` points and each lie in one column, and the columns they lie in."""
    covering = {level: (begin, end) for level, begin, end in cover(size, levels)}
    parts: list[tuple[int, Ints]] = []
    columns: list[Ints] = []
    opened: Ints = np.empty(0, np.int64)
    for level in range(levels, -1, -1):
        index = np.concatenate([opened, np.arange(*covering.get(level, (0, 0)))])
        first, last = (position >> shift for position in positions(level, index))
        whole = first == last
        parts.append((level, index[whole]))
        columns.append(first[whole])
        opened = (index[~whole][:, None] * FANOUT + np.arange(FANOUT)).ravel()
    return tuple(parts), np.concatenate(columns)


def _spread(room: int, where: Ints, values: NDArray[Any], otherwise: float | bool) -> NDArray[Any]:
    """`values` at their places among `room`, `otherwise` at all others."""
    spread = np.full(room, otherwise, values.dtype)
    spread[where] = values
    return spread
