"""One line of braille: how a quantity went. Calm: it draws the mean of each column, and whole columns only where a spike stands out.

Two columns of a history make one cell, so a drawing `width` cells wide reads `reads(width)` columns. It grows from the left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.series import Columns
from bedside_tui.draw.scale import Scale

_DOTS = 4
_LEFT = (0x01, 0x02, 0x04, 0x40)
_RIGHT = (0x08, 0x10, 0x20, 0x80)
_ASCII_LEVELS = "\"'-._"  # from the top
_SPIKE = 4.0
"""How many times further than usual a column's extreme must lie from its mean to be drawn."""


def _fills(bits: tuple[int, ...]) -> NDArray[np.int64]:
    """Dots of one half of a cell from row `top` to row `bottom`, both counted from the top."""
    table = np.zeros((_DOTS, _DOTS), np.int64)
    for top in range(_DOTS):
        for bottom in range(top, _DOTS):
            table[top, bottom] = sum(bits[top : bottom + 1])
    return table


_FILL = np.stack([_fills(_LEFT), _fills(_RIGHT)])


def reads(width: int) -> int:
    """Columns a sparkline of `width` cells shows."""
    return 2 * width


def sparkline(columns: Columns, width: int, *, log: bool = False, ascii: bool = False) -> str:
    """Exactly `width` cells. A cell that holds a NaN or an infinity is `╳` (`x` in ASCII); a place not reached yet is blank.

    `log` draws positive values by their logarithm (and others as usual): a loss that has fallen far still shows where it goes.
    A column in which nothing was logged continues the one before it. The newest columns are shown where there are too many.
    """
    width = max(0, width)
    shown = min(len(columns), reads(width))
    if not shown:
        return " " * width
    part = slice(len(columns) - shown, None)
    low, mid, high, band = _extents(columns, part)
    known = np.isfinite(mid)
    least, most = _range(np.minimum(low, mid - band[0])[known], np.maximum(high, mid + band[1])[known])
    if log and known.any() and (floor := float(low[known].min())) > 0:
        least = max(least, floor)
        log = least < most
    else:
        log = False
    scale = Scale(least, most, log)
    rows = _ASCII_ROWS if ascii else _DOTS
    top, middle, bottom = _rows(scale, np.stack([high, mid, low]), rows)
    cells = _ascii_cells(top, bottom, middle, known) if ascii else _braille_cells(*_joined(top, middle, bottom, known), known)
    for at in np.unique(np.flatnonzero(columns.bad[part]) // 2).tolist():
        cells[at] = "x" if ascii else "╳"
    return "".join(cells).ljust(width)


_ASCII_ROWS = len(_ASCII_LEVELS)


def _extents(columns: Columns, part: slice) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Low, middle and high to draw: the mean, widened to the extreme where that is a spike; holes filled from the left.

    The band is how far the values of a column usually lie below and above its mean: the scale holds it, so that where there is
    nothing but noise the line lies still.
    """
    mid, low, high = columns.mean[part].copy(), columns.low[part], columns.high[part]
    some = columns.count[part] > 0
    up, down = high / 2 - mid / 2, mid / 2 - low / 2  # halved: the distance of ±1e308 is no double
    usual = (_middle(down[some]), _middle(up[some])) if some.any() else (0.0, 0.0)
    high = np.where(up > _SPIKE * usual[1], high, mid)
    low = np.where(down > _SPIKE * usual[0], low, mid)
    source = np.maximum.accumulate(np.where(some, np.arange(len(mid)), -1))
    hole = ~some & (source >= 0)
    mid[hole] = mid[source[hole]]
    band = tuple(min(2 * distance, 1e300) for distance in usual)
    return np.where(hole, mid, low), mid, np.where(hole, mid, high), (band[0], band[1])


def _middle(values: NDArray[np.float64]) -> float:
    """The upper median; numpy's own takes five times as long on so few."""
    return float(np.sort(values)[len(values) // 2])


_MOST = float(np.finfo(np.float64).max)


def _range(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, float]:
    if not len(low):
        return 0.0, 1.0
    least, most = max(float(low.min()), -_MOST), min(float(high.max()), _MOST)
    if most / 2 - least / 2 > max(abs(least), abs(most)) * 1e-12:
        return least, most
    return (0.0, 2 * most) if 0 < most < 1e300 else (-1.0, 1.0) if most == 0 else (least - abs(least) / 2, 1e-300)


def _rows(scale: Scale, values: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
    """Rows counted from the top."""
    places = scale.place(values)
    places = np.where(places >= 0, places, 0.0)  # NaN is nowhere; numpy's own way takes ten times as long on so few
    return np.asarray(np.rint((1.0 - places) * (rows - 1)), dtype=np.int64)


def _joined(
    top: NDArray[np.int64], middle: NDArray[np.int64], bottom: NDArray[np.int64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each column drawn on to the row next to its neighbour's on the left, so that a jump is a line and not two dots."""
    before = np.concatenate([middle[:1], middle[:-1]])
    linked = known & np.concatenate([known[:1], known[:-1]])
    upper = np.where(linked & (before < middle), np.minimum(top, before + 1), top)
    lower = np.where(linked & (before > middle), np.maximum(bottom, before - 1), bottom)
    return upper, lower


def _braille_cells(top: NDArray[np.int64], bottom: NDArray[np.int64], known: NDArray[np.bool_]) -> list[str]:
    side = np.arange(len(top)) % 2
    dots = np.where(known, _FILL[side, top, np.maximum(top, bottom)], 0)
    if len(dots) % 2:
        dots = np.append(dots, 0)
    pairs = dots.reshape(-1, 2).sum(axis=1)
    return [chr(0x2800 + pair) if pair else " " for pair in pairs.tolist()]


def _ascii_cells(top: NDArray[np.int64], bottom: NDArray[np.int64], middle: NDArray[np.int64], known: NDArray[np.bool_]) -> list[str]:
    cells = []
    for at in range(0, len(top), 2):
        here = [row for row, ok in zip(middle[at : at + 2].tolist(), known[at : at + 2].tolist(), strict=True) if ok]
        cells.append(_ASCII_LEVELS[sum(here) // len(here)] if here else " ")
    return cells
