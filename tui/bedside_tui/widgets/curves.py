"""A chart with its head and its readout: what is known at the moment shown, events on the upper edge, the cursor as a line across."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bedside_protocol.columns import Axis
from bedside_tui.cursor import Cursor, value_at
from bedside_tui.draw import cells, number
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.cells import Pin
from bedside_tui.draw.chart import CURVES, Curve, chart, reads, ruled
from bedside_tui.store.view import MetricView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, cut_text, line, rule, width_of
from bedside_tui.widgets.timeline import tone_of

STYLES = CURVES
"""Curves of one chart, in order; more than these are not told apart."""

KEPT = 1.0
"""Seconds for which a chart is not drawn again for its newest points alone."""

PLAIN_AXES = Axes()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart without the cursor, and what it shows."""

    curves: Sequence[Curve]
    lines: Sequence[cells.Line]

    def under(self, cursor: Cursor | None, width: int, axes: Axes, *, ascii: bool) -> list[Line]:
        """The chart with the cursor and what is pinned as lines across it."""
        lines = ruled(self.lines, self.curves, width, rulers(cursor, axes.axis), ascii=ascii)
        return [tuple(Span(text, style) for text, style in row) for row in lines]


class CurveCache:
    """The chart drawn last, kept for a second: a chart costs a hundred times a row, and its newest column says no more sooner."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._points = 0
        self._at = -math.inf
        self._drawn = Drawn((), ())

    def curves(self, frame: Frame, metrics: Sequence[MetricView], width: int, height: int, axes: Axes) -> list[Line]:
        """As `curves`; drawn anew when anything but the cursor and the newest points changed, or after a second."""
        time = None if frame.playhead.mode == "now" else frame.playhead.time
        marks = len(frame.view.marks)
        key = (tuple(metric.name for metric in metrics), width, height, axes, time, marks, frame.ascii)
        points = sum(len(metric.history) for metric in metrics)
        fresh = points == self._points or (frame.now - self._at < KEPT and points < self._points * 1.01)
        if key != self._key or not fresh:
            self._key, self._points, self._at = key, points, frame.now
            self._drawn = draw(frame, metrics, width, height, axes)
        return self._drawn.under(frame.cursor, width, axes, ascii=frame.ascii)


def curve_panel(
    frame: Frame, metrics: Sequence[MetricView], width: int, height: int, axes: Axes = PLAIN_AXES, cache: CurveCache | None = None
) -> list[Line]:
    """A head, the chart, and a readout a metric: `height` lines, of which the chart takes what is left."""
    names = " · ".join(metric.name for metric in metrics)
    lines: list[Line] = [rule(names or "chart", width, axes.said)]
    readouts = [readout(metric, style, width, frame.cursor) for metric, style in zip(metrics, STYLES, strict=False)]
    room = height - len(lines) - len(readouts)
    if not metrics:
        return [*lines, (), line(("   no metric to draw yet", "quiet"))]
    drawn = (cache.curves if cache is not None else curves)(frame, metrics, width, room, axes)
    if not drawn:
        return [*lines, *readouts]
    return lines + drawn + readouts


def curves(frame: Frame, metrics: Sequence[MetricView], width: int, height: int, axes: Axes) -> list[Line]:
    """The chart alone; nothing where it would be too small to read."""
    return draw(frame, metrics, width, height, axes).under(frame.cursor, width, axes, ascii=frame.ascii)


def draw(frame: Frame, metrics: Sequence[MetricView], width: int, height: int, axes: Axes) -> Drawn:
    """The chart without the cursor; nothing where it would be too small to read."""
    if height < 5 or width < 20:
        return Drawn((), ())
    drawn = [
        Curve(metric.history.columns(reads(width), axis=axes.axis, smoothing=axes.smoothing), style)
        for metric, style in zip(metrics, STYLES, strict=False)
    ]
    by_step = axes.axis == "step"
    pins = [Pin(float(mark.step if by_step else mark.time), mark.glyph, tone_of(mark)) for mark in frame.view.marks if mark.jump]
    in_front_last = drawn[::-1]
    return Drawn(drawn, chart(in_front_last, width, height, log=axes.log, pins=pins, ascii=frame.ascii))


def rulers(cursor: Cursor | None, axis: Axis) -> list[Pin]:
    """The cursor, and behind it what is pinned."""
    if cursor is None:
        return []
    pin = [Pin(cursor.pin.on(axis), "┊", "second")] if cursor.pin is not None else []
    return [*pin, Pin(cursor.at.on(axis), "┃", "strong")]


def readout(metric: MetricView, style: Tone, width: int, cursor: Cursor | None = None) -> Line:
    """What the curve is worth: now, least, most; or at the cursor, and how that differs from what is pinned."""
    name = line(("   ━ ", style), (f"{cut_text(metric.name, max(8, width // 4))}  ", "plain"))
    if cursor is not None:
        return (*name, *_at_cursor(metric, cursor, width - width_of(name)))
    step, _, value = metric.history.last
    lowest, highest = metric.history.lowest, metric.history.highest
    parts: list[tuple[str, Tone]] = [(number.value(value), "strong"), (f" @ {number.count(step)}", "quiet")]
    if lowest is not None and highest is not None and width >= 56:
        parts.append((f"   least {number.value(lowest[1])} @ {number.count(lowest[0])}", "quiet"))
        parts.append((f"   most {number.value(highest[1])} @ {number.count(highest[0])}", "quiet") if width >= 80 else ("", "quiet"))
    return (*name, *line(*parts))


def _at_cursor(metric: MetricView, cursor: Cursor, width: int) -> Line:
    """`┃ 0.0071 @ 1,303  Δ -0.0012 -15 % since 1,000  now 0.0064`: what fits."""
    found = value_at(metric.history, cursor)
    if found is None:
        return line(("┃ ", "strong"), (f"nothing logged by step {number.count(cursor.at.step)}", "quiet"))
    row = line(("┃ ", "strong"), (number.value(found.value), "strong"), (f" @ {number.count(found.step)}", "quiet"))
    more = [line("   ", (found.difference, "second"))] if found.difference else []
    if found.difference and cursor.pin is not None:
        more.append(line((f" since {number.count(cursor.pin.step)}", "quiet")))
    for piece in (*more, line((f"   now {number.value(metric.history.last[2])}", "quiet"))):
        row = (*row, *piece) if width_of(row) + width_of(piece) <= width else row
    return row
