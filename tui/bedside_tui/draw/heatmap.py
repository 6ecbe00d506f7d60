"""Numbers as shades: rows × columns of them in as many cells as there are, thinned by the largest so that no peak is lost.

A cell is a place on a ramp of `LEVELS`; its text is a shade, so that it can be told without colours. NaN and infinities are marks and
never bend the scale. Which colours the ramp has is decided by whoever draws on a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.series import column_shift
from bedside_tui.draw.cells import Style, cut, pad, width

LEVELS = 12
"""Places of the ramp: about as many as an eye tells apart side by side in one hue."""

_SHADES = " ░▒▓█"
_ASCII = " .:+#"
_NAN, _INFINITE = "╳", "∞"
_WIDEST = 6
"""Cells of a column at most: wider ones say no more."""

_DECADES = 4.0
"""Decades below the largest that a logarithmic ramp holds: what is smaller is drawn as its lowest place."""

Piece: TypeAlias = tuple[str, "Style | int"]
"""Text and what it means, or its place on the ramp, 0 to LEVELS − 1."""


class Range(NamedTuple):
    """The ends of a ramp; both finite, `low` < `high` unless all values are equal."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Heat:
    """A drawing: `lines` of exactly the width asked for, the range of its shades, and how many rows and columns a cell stands for."""

    lines: list[list[Piece]]
    range: Range | None
    rows_a_cell: int = 1
    columns_a_cell: int = 1


def heatmap(
    values: NDArray[np.float64],
    size: int,
    height: int,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    label: int = 0,
    within: Range | None = None,
    log: bool = False,
    ascii: bool = False,
    widest: int = _WIDEST,
) -> Heat:
    """At most `height` lines of exactly `size` cells for `values` [rows, columns]; fewer where there are fewer rows.

    The names of the rows stand on the left in `label` cells; where `columns` are named, the first line bears as many of those as fit.
    `within` is the range of the shades, that of the values where it is None; values beyond are drawn as its ends. Where there are more
    rows or columns than room, a cell shows the largest of those it stands for, and a NaN or an infinity among them.
    """
    label = min(label, max(0, size - 1))
    room, head = size - label, 1 if any(columns) and height > 1 else 0
    if values.ndim != 2 or 0 in values.shape or room < 1 or height < 1:
        return Heat([], None)
    within = within or range_of(values, log=log)
    each = -(-values.shape[0] // (height - head))
    across = -(-values.shape[1] // room)
    thin = _thinned(_thinned(values, each, 0), across, 1)
    cell = max(1, min(widest, room // thin.shape[1]))
    lines: list[list[Piece]] = [[(pad("", label), "quiet"), (_header(columns[::across], cell, room, ascii), "quiet")]] if head else []
    for place, row in enumerate(thin):
        name = rows[place * each] if place * each < len(rows) else ""
        named: list[Piece] = [(pad(name, label - 1, ascii=ascii) + " ", "quiet")] if label else []
        lines.append(named + _cells(row, within, cell, room, ascii))
    return Heat(lines, within, each, across)


def range_of(values: NDArray[np.float64], *, log: bool = False) -> Range | None:
    """From the least to the largest finite value; logarithmic: positive ones, at most four decades. None where there is none."""
    kept = values[np.isfinite(values)]
    kept = kept[kept > 0] if log else kept
    if not kept.size:
        return None
    low, high = float(kept.min()), float(kept.max())
    return Range(max(low, high * 10**-_DECADES), high, True) if log else Range(low, high)


def levels(values: NDArray[np.float64], within: Range | None) -> NDArray[np.int64]:
    """The place of each value on the ramp; 0 where it is none. All equal values stand in the middle."""
    if within is None:
        return np.zeros(values.shape, np.int64)
    low, high = within.low, within.high
    with np.errstate(all="ignore"):
        if within.log:
            low, high, values = math.log(low), math.log(high), np.log(np.where(values > 0, values, math.exp(-700)))
        span = high / 2 - low / 2  # halved: the distance of ±1e308 is no double
        shares = (values / 2 - low / 2) / span if span > 0 else np.full(values.shape, 0.5)
        places = np.rint(np.clip(np.nan_to_num(shares, nan=0.0), 0, 1) * (LEVELS - 1))
    return np.asarray(places, dtype=np.int64)


def shade(level: int, *, ascii: bool = False) -> str:
    """The character of a place on the ramp. The lowest is still seen: blank is where there is no number at all."""
    ramp = _ASCII if ascii else _SHADES
    return ramp[1 + level * (len(ramp) - 1) // LEVELS]


def ramp(cells: int, *, ascii: bool = False) -> list[Piece]:
    """The whole ramp in so many cells, for a legend."""
    places = [at * LEVELS // max(1, cells) for at in range(cells)]
    return _joined([(shade(place, ascii=ascii), place) for place in places])


def over_time(steps: Sequence[int], values: Sequence[NDArray[np.float64]], columns: int) -> tuple[list[int], NDArray[np.float64]]:
    """Vectors measured at `steps` as a matrix [entries, at most `columns`], and the first step of each column.

    Columns stand still as those of a chart do: each covers 2**k steps, the newest fills up, and when there is no room two become one.
    A column is the largest of the vectors in it. Vectors of another length than the newest are left out. Steps that went back to a
    checkpoint are shown where they belong.
    """
    kept = [place for place, vector in enumerate(values) if len(vector) == len(values[-1])]
    if not kept or columns < 1 or not len(values[-1]):
        return [], np.empty((0, 0))
    at = np.array([steps[place] for place in kept], dtype=np.int64)
    shift = column_shift(int(at.min()), int(at.max()), min(columns, len(kept)))
    buckets, column = np.unique(at >> shift, return_inverse=True)
    picture = np.full((len(buckets), len(values[-1])), -np.inf)
    np.maximum.at(picture, column.reshape(-1), np.stack([values[place] for place in kept]))
    return [int(bucket) << shift for bucket in buckets.tolist()][-columns:], picture.T[:, -columns:]


def _thinned(values: NDArray[np.float64], each: int, axis: int) -> NDArray[np.float64]:
    """The largest of every `each` neighbours; NaN wins over all, since it must be seen."""
    if each <= 1:
        return values
    return np.asarray(np.maximum.reduceat(values, np.arange(0, values.shape[axis], each), axis=axis), dtype=np.float64)


def _cells(row: NDArray[np.float64], within: Range | None, cell: int, room: int, ascii: bool) -> list[Piece]:
    pieces: list[Piece] = []
    nan, infinite = ("x", "8") if ascii else (_NAN, _INFINITE)
    for value, level in zip(row.tolist(), levels(row, within).tolist(), strict=True):
        if math.isfinite(value):
            pieces.append((shade(level, ascii=ascii) * cell, level))
        else:
            pieces.append((pad(nan if math.isnan(value) else infinite, cell, "middle"), "red"))
    pieces.append((" " * (room - cell * len(row)), "plain"))
    return _joined(pieces)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    return [("".join(text for text, _ in run), style) for style, run in groupby((piece for piece in pieces if piece[0]), key=itemgetter(1))]


def _header(names: Sequence[str], cell: int, room: int, ascii: bool) -> str:
    """Names above the cells where they begin; those that would touch the one before are left out."""
    text = ""
    for place, name in enumerate(names):
        free = room - place * cell
        if free < 1 or not name or (text and width(text) >= place * cell):
            continue
        next_wide = cell if len(names) > 1 and width(name) <= cell else free
        text += " " * (place * cell - width(text)) + cut(name, min(free, max(next_wide, width(name))), ascii=ascii)
    return pad(text, room, ascii=ascii)
