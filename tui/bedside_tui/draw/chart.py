"""Curves over steps or time, with axes: drawn by plotext from columns already reduced to the width of the drawing.

plotext keeps one figure for the whole process and fails on infinities, so everything it is given is a place on its canvas, computed
here, and the figure is set up anew each time and used from one thread. Its output is cut into rows of spans. Marks that are not
curves (events, NaN, the cursor) are laid over the rows afterwards. plotext is imported when the first chart is drawn: it takes 35 ms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.series import TICKS, Columns, column_shift
from bedside_tui.draw.cells import Line, Pin, Style, pinned, spans, text_of
from bedside_tui.draw.letters import lettered
from bedside_tui.draw.scale import Scale, axis_ticks, scale_for

MARGIN = 10
"""Cells left of the canvas: the labels and the axis."""

_LABEL = MARGIN - 1
_BELOW = 2
"""Rows below the canvas: the axis and its labels."""

_FEWEST_COLUMNS, _FEWEST_ROWS = 8, 3
"""A canvas smaller than this shows nothing worth reading."""

_DOTS_X, _DOTS_Y = 2, 4
_GAP = 3
"""Empty columns of time in a row at which the line is broken: the run was held, or silent. Steps have no silence."""

CURVES: tuple[Style, ...] = ("curve", "second", "third")
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
_ASCII = str.maketrans("┤├┬┴┼─│└┘┌┐", "||+++-|++++")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. `columns` are read at `reads(width)`; all curves of a chart have the same axis."""

    columns: Columns
    style: Style = "curve"
    letter: str = ""
    """Stands on the line here and there, for eyes and terminals that tell no colours apart; empty for none."""


def reads(width: int) -> int:
    """Columns of a history that a chart `width` cells wide shows."""
    return _DOTS_X * max(0, width - MARGIN)


def chart(
    curves: Sequence[Curve],
    width: int,
    height: int,
    *,
    log: bool = False,
    pins: Sequence[Pin] = (),
    rulers: Sequence[Pin] = (),
    whole: bool = False,
    ascii: bool = False,
) -> list[Line]:
    """`height` lines of exactly `width` cells; all blank where that is too small or there is nothing to draw.

    A curve fills the range from low to high of each column. Its line is broken by columns of nothing but NaN and, over time, by
    silence; a column with NaN or infinity bears a `╳` on the lower edge. `pins` stand on the upper edge, `rulers` are vertical lines behind
    the curves. On a logarithmic axis values at or below zero are left out. `whole`: the axis ends where the curves do, and has no room for
    them to grow into.
    """
    frame = _frame_for(curves, width, height, log, whole)
    if frame is None:
        return [[(" " * max(0, width), "plain")] for _ in range(max(0, height))]
    cells = _cells(_drawn(curves, frame, ascii), frame, [curve.style for curve in curves], ascii)
    _write_letters(cells, curves, frame, ascii)
    _rule(cells, frame, rulers, ascii)
    _lay_over(cells, curves, frame, pins, ascii)
    return [spans(row) for row in cells]


def ruled(lines: Sequence[Line], curves: Sequence[Curve], width: int, rulers: Sequence[Pin], *, ascii: bool = False) -> list[Line]:
    """A chart of these curves drawn before, now with rulers: at a hundredth of what it cost to draw."""
    frame = _frame_for(curves, width, len(lines), False, False)
    if frame is None or not rulers:
        return list(lines)
    cells = [[(char, style) for text, style in line for char in text] for line in lines]
    _rule(cells, frame, rulers, ascii)
    return [spans(row) for row in cells]


def text(lines: Sequence[Line]) -> list[str]:
    """A chart without its colours."""
    return [text_of(line) for line in lines]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The geometry of one chart: canvas size in cells, the range of the horizontal axis, the vertical scale."""

    columns: int
    rows: int
    low: float
    high: float
    axis: Literal["step", "time"]
    y: Scale


def _frame_for(curves: Sequence[Curve], width: int, height: int, log: bool, whole: bool) -> _Frame | None:
    columns, rows = width - MARGIN, height - _BELOW
    if columns < _FEWEST_COLUMNS or rows < _FEWEST_ROWS or not any(len(curve.columns) for curve in curves):
        return None
    found = [curve.columns for curve in curves if len(curve.columns)]
    low, high = _x_range(found, _DOTS_X * columns)
    if whole:
        high = min(high, max(float(it.start[-1]) + it.span for it in found))
    return _Frame(columns, rows, low, high, found[0].axis, _y_scale(found, log))


def _x_range(columns: Sequence[Columns], dots: int) -> tuple[float, float]:
    """Where the horizontal axis begins and ends: it stands still while curves grow into it, and doubles when they reach the end."""
    found = [it for it in columns if len(it)]
    if not found:
        return 0.0, 1.0
    unit = 1.0 if found[0].axis == "step" else 1.0 / TICKS  # the narrowest column: few points far apart have wide ones
    low = min(float(it.start[0]) for it in found)
    high = max(float(it.start[-1]) + it.span for it in found)
    first, last = int(low // unit), max(int(low // unit), int(-(-high // unit)) - 1)
    shift = column_shift(first, last, max(1, dots))
    begin = (first >> shift) * unit * 2.0**shift
    return begin, max(begin + dots * unit * 2.0**shift, math.nextafter(begin, math.inf))  # beyond 2**53 steps may be too close


def _y_scale(columns: Sequence[Columns], log: bool) -> Scale:
    lows = np.concatenate([it.low for it in columns])
    highs = np.concatenate([it.high for it in columns])
    if log:
        # A column that reaches down to zero or below still shows what of it lies above.
        lows = np.concatenate([lows[lows > 0], highs[highs > 0]])
        highs = highs[highs > 0]
    lows, highs = lows[np.isfinite(lows)], highs[np.isfinite(highs)]
    if not len(lows) or not len(highs):
        return scale_for(np.nan, np.nan, log=log)
    return scale_for(float(lows.min()), float(highs.max()), log=log)


def _drawn(curves: Sequence[Curve], frame: _Frame, ascii: bool) -> str:
    """plotext's picture of the curves, with escape codes that tell them apart by number."""
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)  # else it is cut to the terminal it believes in
    plotext.plotsize(MARGIN + frame.columns, frame.rows + _BELOW)
    plotext.theme("clear")
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    wide, high = (frame.columns, frame.rows) if ascii else (frame.columns * _DOTS_X, frame.rows * _DOTS_Y)
    plotext.xlim(0, wide - 1)
    plotext.ylim(0, high - 1)
    x_ticks = axis_ticks(frame.low, frame.high, frame.axis, max(1, frame.columns // 12))
    plotext.xticks([place * (wide - 1) for place, _ in x_ticks], [label for _, label in x_ticks])
    y_ticks = frame.y.ticks(max(3, frame.rows // 3)) or [(0.0, "")]
    plotext.yticks([place * (high - 1) for place, _ in y_ticks], [label.rjust(_LABEL)[:_LABEL] for _, label in y_ticks])
    for number, curve in enumerate(curves):
        for x, y in _pieces(curve.columns, frame, wide, high):
            plotext.plot(x, y, marker="*" if ascii else "braille", color=number + 1)
    return str(plotext.build())


def _pieces(columns: Columns, frame: _Frame, wide: int, high: int) -> Iterator[tuple[list[int], list[int]]]:
    """Unbroken stretches of a curve as canvas dots, down and up through the range of each column."""
    low, high_ends = frame.y.place(columns.low), frame.y.place(columns.high)
    low = np.where(np.isnan(low), np.where(np.isnan(high_ends), np.nan, 0.0), low)  # below zero on a logarithmic axis
    drawn = np.flatnonzero((columns.count > 0) & np.isfinite(high_ends))
    if not len(drawn):
        return
    middle = columns.start[drawn] + (columns.span / 2 if columns.span > 1 or columns.axis == "time" else 0.0)
    share = np.clip((middle - frame.low) / (frame.high - frame.low), 0.0, 1.0)
    x = np.minimum((share * wide).astype(np.int64), wide - 1)
    bottoms = np.rint(low[drawn] * (high - 1)).astype(np.int64)
    tops = np.rint(high_ends[drawn] * (high - 1)).astype(np.int64)
    for piece in np.split(np.arange(len(drawn)), _broken(columns, drawn)):
        xs, ys = [], []
        for turn, (at, bottom, top) in enumerate(zip(x[piece].tolist(), bottoms[piece].tolist(), tops[piece].tolist(), strict=True)):
            ends = [bottom] if bottom == top else [bottom, top] if turn % 2 else [top, bottom]
            xs += [at] * len(ends)
            ys += ends
        yield xs, ys


def _broken(columns: Columns, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in `drawn` before which the line is broken: after nothing but NaN and, over time, after a silence or a restart."""
    only_bad = np.cumsum(columns.bad & (columns.count == 0))
    broken = np.diff(only_bad[drawn]) > 0
    if columns.axis == "time":
        broken |= (np.diff(drawn) > _GAP) | (np.diff(np.cumsum(columns.breaks)[drawn]) > 0)
    return np.flatnonzero(broken) + 1


def _cells(drawn: str, frame: _Frame, styles: Sequence[Style], ascii: bool) -> list[list[tuple[str, Style]]]:
    """plotext's rows as cells with their styles."""
    rows = []
    for line in drawn.rstrip("\n").split("\n")[: frame.rows + _BELOW]:
        row: list[tuple[str, Style]] = []
        style: Style = "quiet"
        for at, piece in enumerate(_COLOUR.split(line)):
            if at % 2:
                number = int(piece[5:]) if piece.startswith("38;5;") else 0
                style = styles[(number - 1) % len(styles)] if number else "quiet"
            else:
                row += [(char, style) for char in (piece.translate(_ASCII) if ascii else piece)]
        blank: list[tuple[str, Style]] = [(" ", "quiet")] * (MARGIN + frame.columns)
        rows.append((row + blank)[: MARGIN + frame.columns])
    blank_row: list[tuple[str, Style]] = [(" ", "quiet")] * (MARGIN + frame.columns)
    return (rows + [list(blank_row) for _ in range(frame.rows + _BELOW)])[: frame.rows + _BELOW]


def _write_letters(cells: list[list[tuple[str, Style]]], curves: Sequence[Curve], frame: _Frame, ascii: bool) -> None:
    """The letters of the curves that have one, over their lines."""
    across, down = (1, 1) if ascii else (_DOTS_X, _DOTS_Y)
    named = [curve for curve in curves if curve.letter]
    pieces = (_pieces(curve.columns, frame, frame.columns * across, frame.rows * down) for curve in named)
    ways = [{x // across: y // down for xs, ys in piece for x, y in zip(xs, ys, strict=True)} for piece in pieces]
    for (column, row), place in lettered(ways, frame.columns).items():
        cells[frame.rows - 1 - row][MARGIN + column] = (named[place].letter, named[place].style)


def _rule(cells: list[list[tuple[str, Style]]], frame: _Frame, rulers: Sequence[Pin], ascii: bool) -> None:
    """Vertical lines where the canvas is blank: they stand behind everything."""
    for column, span in pinned(rulers, frame.low, frame.high, frame.columns, ascii=ascii).items():
        for row in cells[: frame.rows]:
            if row[MARGIN + column][0] == " ":
                row[MARGIN + column] = span


def _lay_over(cells: list[list[tuple[str, Style]]], curves: Sequence[Curve], frame: _Frame, pins: Sequence[Pin], ascii: bool) -> None:
    """Marks over the finished rows: NaN on the lower edge, events on the upper."""
    for curve in curves:
        bad = curve.columns.start[curve.columns.bad] + curve.columns.span / 2
        marks = [Pin(float(at), "╳", "red") for at in bad]
        for column, span in pinned(marks, frame.low, frame.high, frame.columns, ascii=ascii).items():
            cells[frame.rows - 1][MARGIN + column] = span
    for column, span in pinned(pins, frame.low, frame.high, frame.columns, ascii=ascii).items():
        cells[0][MARGIN + column] = span
