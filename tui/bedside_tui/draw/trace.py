"""The dots of a curve: each column of its history a vertical stretch from low to high, joined to its neighbours by straight lines.

Where a column stands, what breaks the line and how a line falls on dots is decided here; cells, colours and axes are the chart's matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.series import Columns
from bedside_tui.draw.scale import Scale

_GAP = 3
"""Empty columns of time in a row at which the line is broken: the run was held, or silent. Steps have no silence."""

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Stretches(NamedTuple):
    """Vertical stretches of dots: the column each stands in, its lowest and its highest dot, counted from the lower left."""

    x: Places
    bottom: Places
    top: Places


def trace(columns: Columns, low: float, high: float, scale: Scale, wide: int, tall: int) -> Flags:
    """Which of `wide` × `tall` dots a curve covers, the uppermost row first, on an axis from `low` to `high`.

    What does not lie on a logarithmic axis is left out. The line is broken by columns of nothing but NaN and, over time, by silence.
    """
    places = scale.place(columns.high)
    shown = np.flatnonzero((columns.count > 0) & np.isfinite(places))
    lows = np.nan_to_num(scale.place(columns.low)[shown], nan=0.0)  # a column that reaches below a logarithmic axis begins at its end
    middle = columns.start[shown] + (columns.span / 2 if columns.span > 1 or columns.axis == "time" else 0.0)
    share = np.clip((middle - low) / (high - low), 0.0, 1.0)
    stretches = Stretches(
        np.minimum((share * wide).astype(np.int64), wide - 1),
        np.rint(lows * (tall - 1)).astype(np.int64),
        np.rint(places[shown] * (tall - 1)).astype(np.int64),
    )
    return _covered(stretches, _joins(stretches, ~_broken(columns, shown)), wide, tall)


def _broken(columns: Columns, shown: Places) -> Flags:
    """Whether the line is broken between each of the columns shown and the next: by nothing but NaN and, over time, by a silence or a
    restart."""
    only_bad = np.cumsum(columns.bad & (columns.count == 0))
    broken = np.diff(only_bad[shown]) > 0
    if columns.axis == "time":
        broken |= (np.diff(shown) > _GAP) | (np.diff(np.cumsum(columns.breaks)[shown]) > 0)
    return broken


def _joins(stretches: Stretches, linked: Flags) -> Stretches:
    """The straight lines between neighbours that are linked, from where either is nearest to the other; a stretch a column of dots.

    A line takes, of every two columns of dots, the dots up to halfway in the one and those from there on in the other.
    """
    x, bottom, top = (np.stack([column[:-1][linked], column[1:][linked]]) for column in stretches)
    meeting = (bottom.max(axis=0) + top.min(axis=0)) // 2
    begin, end = np.clip(meeting, bottom, top)
    across, rise = x[1] - x[0], np.abs(end - begin)
    line = np.repeat(np.arange(len(across)), across + 1)
    place = np.arange(len(line)) - np.repeat(np.cumsum(across + 1) - (across + 1), across + 1)
    each = np.maximum(across, 1)[line]
    first = _halfway(rise[line] * np.clip((place - 0.5) / each, 0.0, 1.0))
    last = np.where(place == across[line], rise[line], _halfway(rise[line] * np.clip((place + 0.5) / each, 0.0, 1.0)))
    first += (place > 0) & (first < last)
    sign = np.sign(end - begin)[line]
    ends = begin[line] + sign * first, begin[line] + sign * last
    return Stretches(x[0][line] + place, np.minimum(*ends), np.maximum(*ends))


def _halfway(distance: NDArray[np.float64]) -> Places:
    """The nearest dot, of two as near the first."""
    return np.ceil(distance - 0.5).astype(np.int64)


def _covered(stretches: Stretches, joins: Stretches, wide: int, tall: int) -> Flags:
    """The dots in any of the stretches, the uppermost row first."""
    x, bottom, top = (np.concatenate(pair) for pair in zip(stretches, joins, strict=True))
    begun = np.zeros((tall + 1, wide), np.int32)
    np.add.at(begun, (bottom, x), 1)
    np.subtract.at(begun, (top + 1, x), 1)
    return (np.cumsum(begun[:-1], axis=0) > 0)[::-1]
