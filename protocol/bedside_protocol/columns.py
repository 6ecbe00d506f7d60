"""A history reduced to columns side by side: the form in which everything is drawn.

This file decides what a column says, how wide columns are, and how a line is smoothed. Where the points come from is `series`'s matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from bedside_protocol.pyramid import Bools, Floats, Ints

Axis: TypeAlias = Literal["step", "time"]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A history reduced to columns side by side, without holes: a column nothing was logged in has `count` 0.

    `low`, `high`, `mean` and `last` speak of finite values only and are NaN where there is none.
    """

    axis: Axis
    span: float
    """Width of one column, in steps or seconds."""
    start: Floats
    """The step or second at which each column begins."""
    low: Floats
    high: Floats
    mean: Floats
    last: Floats
    count: Ints
    """Finite values in each column."""
    bad: Bools
    """Whether a column holds a NaN or an infinity."""
    breaks: Bools
    """Whether a segment begins in a column, because a step was smaller than the one before it."""

    def __len__(self) -> int:
        return len(self.start)

    def __repr__(self) -> str:
        return f"<Columns {len(self)} of {self.span:g} {self.axis}, {int(self.count.sum())} values, {int(self.bad.sum())} bad>"


def no_columns(axis: Axis = "step") -> Columns:
    """What a history without points reads as."""
    none = np.empty(0)
    flags = np.empty(0, bool)
    return Columns(axis, 1.0, none, none, none, none, none, np.empty(0, np.int64), flags, flags)


def column_shift(low: int, high: int, room: int) -> int:
    """The smallest k for which stretches of 2**k, beginning at multiples of 2**k, cover `low`…`high` with at most `room` ≥ 1.

    Zero is a multiple of everything, so a range with zero inside takes two stretches even where `room` is 1.
    """
    room = max(room, 2 if low < 0 <= high else 1)
    k = max(0, ((high - low) // room).bit_length() - 1)
    while (high >> k) - (low >> k) >= room:
        k += 1
    return k


def smoothed(columns: Columns, weight: float) -> Columns:
    """The columns as a line: exponential average with `weight` a point, corrected for its start as in Adam (Kingma and Ba, 2014)."""
    weight = min(max(weight, 0.0), 0.9999)
    level, trust = 0.0, 0.0
    line = np.full(len(columns), np.nan)
    keeps = weight ** np.minimum(columns.count, 1 << 20)
    for at in np.flatnonzero(columns.count):
        keep = float(keeps[at])
        level = keep * level + (1 - keep) * float(columns.mean[at])
        trust = keep * trust + (1 - keep)
        line[at] = level / trust
    return replace(columns, low=line, high=line, mean=line, last=line)
