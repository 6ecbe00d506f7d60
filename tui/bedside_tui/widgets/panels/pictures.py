"""Pictures of arrays with what is needed to read them: heat maps with their ramp, bars with their ends, lines with their axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from rich.cells import cell_len

from bedside_protocol.series import Columns, Series
from bedside_tui.draw import number
from bedside_tui.draw.cells import Line as Drawn
from bedside_tui.draw.cells import Pin, Style
from bedside_tui.draw.chart import MARGIN, Curve, chart, reads, ruled
from bedside_tui.draw.heatmap import Heat, Piece, Range, heatmap, ramp
from bedside_tui.draw.profile import cells_of, profile
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Paint, Span, cut_text, fit, line
from bedside_tui.widgets.panels.blocks import heading, short, without_common
from bedside_tui.widgets.panels.given import Floats

Write: TypeAlias = Callable[[float], str]

MOST_POINTS = 4096
"""Points of a line that are drawn; of more, the newest."""


def shaded(pieces: Sequence[Piece], frame: Frame) -> Line:
    """A heat map's line for this terminal: in the colours of its ramp, or as shades where it has none."""
    spans = []
    for text, style in pieces:
        if not isinstance(style, int):
            spans.append(Span(text, style))
        elif frame.heat:
            colour = frame.heat[min(style, len(frame.heat) - 1)]
            spans.append(Span(text, Paint(colour, colour)))
        else:
            spans.append(Span(text, "curve"))
    return tuple(span for span in spans if span.text)


def legend(heat: Heat, frame: Frame, indent: int, what: str = "") -> Line:
    """` 0.0012 ░▒▓█ 0.81  log`: what the ends of the ramp are worth, and what a cell stands for."""
    pad_in = Span(" " * indent)
    if heat.range is None:
        return (pad_in, Span("no finite number in it", "quiet"))
    low, high, log = heat.range
    words = [what] if what else []
    words += ["log"] if log else []
    words += [f"the largest of {heat.rows_a_cell} a row"] if heat.rows_a_cell > 1 else []
    words += [f"the largest of {heat.columns_a_cell} a column"] if heat.columns_a_cell > 1 else []
    said = f"  {' · '.join(words)}" if words else ""
    ends = (Span(f"{number.value(low)} ", "quiet"), *shaded(ramp(8, ascii=frame.ascii), frame), Span(f" {number.value(high)}", "quiet"))
    return (pad_in, *ends, Span(said, "quiet"))


def heat_lines(
    title: str,
    values: Floats,
    frame: Frame,
    width: int,
    height: int,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    within: Range | None = None,
    log: bool = False,
    label: int | None = None,
    widest: int = 6,
    what: str = "",
) -> list[Line]:
    """A title, the map, and its legend. `label`: cells of the names of the rows, 0 where they stand further left already."""
    named = without_common(rows)
    cells = min(max([0, *(len(name) for name in named)]), max(4, width // 4)) + 1 if label is None and named else label or 0
    indent = 3 if label is None else 0
    names = [short(name, cells - 1) for name in named]
    heat = heatmap(
        values, max(1, width - indent), max(0, height - 2), rows=names, columns=columns, label=cells, within=within, log=log,
        ascii=frame.ascii, widest=widest,
    )  # fmt: skip
    body = [(Span(" " * indent), *shaded(pieces, frame)) if indent else shaded(pieces, frame) for pieces in heat.lines]
    begin = " " * (indent + cells)
    lines = [line((cut_text(f"{begin}{title}", width), "quiet")), *body, fit(legend(heat, frame, indent + cells, what), width)]
    return lines[: max(0, height)]


def profile_lines(
    title: str, values: Floats, frame: Frame, width: int, height: int, *, first: str, last: str, write: Write = number.value
) -> list[Line]:
    """Upright bars under their title, with the names of the first and the last below; the title says what a full bar is."""
    room = max(1, width - 3)
    most = float(np.max(values, where=np.isfinite(values), initial=-math.inf))
    full = f" · a full bar is {write(most)}" if math.isfinite(most) and most > 0 else ""
    rows = profile(values, room, max(0, height - 2), ascii=frame.ascii)
    cells = cells_of(values.size, room)
    return [
        heading(f"{title}{full}", width),
        *(line("   ", (row, "curve")) for row in rows),
        line((f"   {axis_ends(first, last, cells)}", "quiet")),
    ][: max(0, height)]


def axis_ends(first: str, last: str, width: int) -> str:
    """The names of the two ends of an axis at its ends; beyond the last one where the axis is too short for both."""
    gap = max(2, width - cell_len(first) - cell_len(last))
    return f"{first}{' ' * gap}{last}"


def line_chart(
    lines: Sequence[tuple[Floats, Style]],
    frame: Frame,
    width: int,
    height: int,
    *,
    first: str,
    last: str,
    rulers: Sequence[Pin] = (),
) -> list[Line]:
    """Curves from their first value at the left edge to their last at the right, with the names of both ends below.

    Nothing where it would be too small to read. Values between those given lie on a straight line; of more than are drawn, the mean of
    neighbours. `rulers` are vertical lines at shares of the way, from 0 to 1.
    """
    if height < 5 or width < 24 or not lines:
        return []
    curves = tuple((values[-MOST_POINTS:].tobytes(), style) for values, style in lines if values.size)
    drawn, rows = _charted(curves, width, height + 1, frame.ascii)
    across = [pin._replace(at=pin.at * (reads(width) - 1)) for pin in rulers]
    rows = ruled(rows, drawn, width, across, ascii=frame.ascii)
    axis = line((" " * MARGIN + axis_ends(first, last, width - MARGIN), "quiet"))
    return [*(tuple(Span(text, style) for text, style in row) for row in rows[:-2]), axis]


@lru_cache(maxsize=32)
def _charted(curves: tuple[tuple[bytes, Style], ...], width: int, height: int, ascii: bool) -> tuple[list[Curve], list[Drawn]]:
    """A chart costs a hundred times a row, and a snapshot stands for many drawings."""
    room = reads(width)
    drawn = [Curve(columns_of(_stretched(np.frombuffer(raw), room), room), style) for raw, style in curves]
    return drawn, chart(drawn, width, height, ascii=ascii)


def _stretched(values: Floats, size: int) -> Floats:
    """`size` values along the straight lines between those given; what is not finite stays where it is."""
    each = -(-values.size // size)
    with np.errstate(all="ignore"):
        means = np.add.reduceat(values / each, np.arange(0, values.size - values.size % each, each)) if each > 1 else values
        at = np.linspace(0, means.size - 1, size)
        low = np.minimum(at.astype(np.int64), max(0, means.size - 2))
        share = at - low
        between = means[low] * (1 - share) + means[np.minimum(low + 1, means.size - 1)] * share
    return np.where(share <= 0, means[low], between)


def columns_of(values: Floats, width: int) -> Columns:
    """A vector as the columns that sparklines and charts are drawn from."""
    kept = values[-MOST_POINTS:]
    places = np.arange(kept.size, dtype=np.int64)
    series = Series()
    series.extend(places, places.astype(np.float64), kept)
    return series.history().columns(max(1, width))
