"""Curves over steps or time, with axes: their columns are already reduced to the width of the drawing.

The curves are painted in braille on a canvas; the axes with their ticks and labels are plotext's, drawn as the two narrow strips they are
and kept, since they stand still. Marks that are not curves (events, NaN, the cursor) are laid over. plotext keeps one figure for the whole
process, so the figure is set up anew each time and used from one thread; it is imported when the first chart is drawn: it takes 35 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.series import TICKS, Columns, column_shift
from bedside_tui.draw.canvas import DOTS_ACROSS, DOTS_DOWN, Canvas, patterns
from bedside_tui.draw.cells import Line, Pin, Style, pinned, text_of
from bedside_tui.draw.letters import lettered
from bedside_tui.draw.scale import Scale, axis_ticks, scale_for
from bedside_tui.draw.trace import trace

MARGIN = 10
"""Cells left of the canvas: the labels and the axis."""

_LABEL = MARGIN - 1
_BELOW = 2
"""Rows below the canvas: the axis and its labels."""

_FEWEST_COLUMNS, _FEWEST_ROWS = 8, 3
"""A canvas smaller than this shows nothing worth reading."""

CURVES: tuple[Style, ...] = ("curve", "second", "third")
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
    return DOTS_ACROSS * max(0, width - MARGIN)


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
    canvas = Canvas(width, height)
    _draw_axes(canvas, frame, ascii)
    layers = [_layer(curve.columns, frame, ascii) for curve in curves]
    canvas.paint(MARGIN, layers, [curve.style for curve in curves], "*" if ascii else "")
    _write_letters(canvas, curves, layers)
    _rule(canvas, frame, rulers, ascii)
    _lay_over(canvas, curves, frame, pins, ascii)
    return canvas.lines()


def ruled(lines: Sequence[Line], curves: Sequence[Curve], width: int, rulers: Sequence[Pin], *, ascii: bool = False) -> list[Line]:
    """A chart of these curves drawn before, now with rulers: at a fraction of what it cost to draw."""
    frame = _frame_for(curves, width, len(lines), False, False)
    if frame is None or not rulers:
        return list(lines)
    canvas = Canvas.of(lines)
    _rule(canvas, frame, rulers, ascii)
    return canvas.lines()


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
    low, high = _x_range(found, DOTS_ACROSS * columns)
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


_NO_TICK = ((-1.0, " " * _LABEL),)
"""An axis without ticks that takes the room of one that has them."""


def _draw_axes(canvas: Canvas, frame: _Frame, ascii: bool) -> None:
    across = tuple(axis_ticks(frame.low, frame.high, frame.axis, max(1, frame.columns // 12)))
    up = tuple((place, label.rjust(_LABEL)[:_LABEL]) for place, label in frame.y.ticks(max(3, frame.rows // 3)))
    left, below = _plotted(1, frame.rows, _NO_TICK, up or _NO_TICK), _plotted(frame.columns, 1, across or _NO_TICK, _NO_TICK)
    rows = [*(row[:MARGIN] for row in left[: frame.rows]), *below[1:]]
    for place, row in enumerate(rows):
        canvas.write(place, 0, row.translate(_ASCII) if ascii else row, "quiet")


@lru_cache(maxsize=32)
def _plotted(columns: int, rows: int, across: tuple[tuple[float, str], ...], up: tuple[tuple[float, str], ...]) -> list[str]:
    """plotext's empty canvas of so many columns and rows, with these ticks (their share of the axis, and their label) at its axes."""
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)  # else it is cut to the terminal it believes in
    plotext.plotsize(MARGIN + columns, rows + _BELOW)
    plotext.theme("clear")
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    wide, tall = columns * DOTS_ACROSS, rows * DOTS_DOWN
    plotext.xlim(0, wide - 1)
    plotext.ylim(0, tall - 1)
    plotext.xticks([place * (wide - 1) for place, _ in across], [label for _, label in across])
    plotext.yticks([place * (tall - 1) for place, _ in up], [label for _, label in up])
    plotext.scatter([0], [0], marker=" ")  # without a point there are no axes
    drawn = plotext.uncolorize(plotext.build()).rstrip("\n").split("\n")
    return [row.ljust(MARGIN + columns)[: MARGIN + columns] for row in drawn]


def _layer(columns: Columns, frame: _Frame, ascii: bool) -> NDArray[np.uint8]:
    """The cells of a curve: patterns of braille, or 1 where it runs."""
    across, down = (1, 1) if ascii else (DOTS_ACROSS, DOTS_DOWN)
    dots = trace(columns, frame.low, frame.high, frame.y, frame.columns * across, frame.rows * down)
    return dots.astype(np.uint8) if ascii else patterns(dots)


def _write_letters(canvas: Canvas, curves: Sequence[Curve], layers: Sequence[NDArray[np.uint8]]) -> None:
    """The letters of the curves that have one, on the upper edge of their lines."""
    named = [(curve, layer > 0) for curve, layer in zip(curves, layers, strict=True) if curve.letter]
    ways = [{int(at): int(line[:, at].argmax()) for at in np.flatnonzero(line.any(axis=0))} for _, line in named]
    for (column, row), place in lettered(ways, layers[0].shape[1]).items():
        canvas.write(row, MARGIN + column, named[place][0].letter, named[place][0].style)


def _rule(canvas: Canvas, frame: _Frame, rulers: Sequence[Pin], ascii: bool) -> None:
    for column, (glyph, style) in pinned(rulers, frame.low, frame.high, frame.columns, ascii=ascii).items():
        canvas.rule(MARGIN + column, frame.rows, glyph, style)


def _lay_over(canvas: Canvas, curves: Sequence[Curve], frame: _Frame, pins: Sequence[Pin], ascii: bool) -> None:
    """Marks over the curves: NaN on the lower edge, events on the upper."""
    bad = [curve.columns.start[curve.columns.bad] + curve.columns.span / 2 for curve in curves]
    marks = [Pin(float(at), "╳", "red") for at in np.concatenate(bad)]
    for row, those in ((frame.rows - 1, marks), (0, pins)):
        for column, (glyph, style) in pinned(those, frame.low, frame.high, frame.columns, ascii=ascii).items():
            canvas.write(row, MARGIN + column, glyph, style)
