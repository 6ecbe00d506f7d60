"""The chart of one metric, or of a few kept together: axes, smoothing, events, and the cursor."""

from __future__ import annotations

from typing import cast

from bedside_tui.draw import number
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.chart import reads
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.view import MetricView, View
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import STYLES, CurveCache, readout
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, beside, filled, line, rule, select
from bedside_tui.widgets.metrics import columns_for, longest_name, metric_row
from bedside_tui.widgets.rows import Look

LIST_FROM = 110
"""Columns from which the list of metrics stands beside the chart."""


class ChartScreen(RunScreen):
    """`j` and `k` choose the metric; `t` keeps one while choosing another."""

    where = ("lists", "cursor", "chart")

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.axes = Axes()
        self.kept: list[str] = []
        self._cache = CurveCache()

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        names = [metric.name for metric in frame.view.metrics if self.passes(metric.name)]
        if self.viewer.metric in names:
            self.choice.choose(self.viewer.metric)
        chosen = cast("str | None", self.choice.offer(names))
        self.viewer.metric = chosen or self.viewer.metric
        shown = self._shown(frame.view, chosen)
        lines = [self.heading(frame, self._said(shown, len(names)), width)]
        if not shown:
            why = "no metric contains this text; esc shows all" if self.filter else 'no metric logged yet: `run.log({"loss": loss})`'
            return lines + self.empty(why)
        side = min(58, width // 3) if width >= LIST_FROM else 0
        room, main = height - len(lines), width - side - (1 if side else 0)
        self.across = reads(main)
        readouts = [readout(metric, style, main, frame.cursor) for metric, style in zip(shown, STYLES, strict=False)][: max(0, room)]
        drawn = self._cache.curves(frame, shown, main, room - len(readouts), self.axes)
        chart = filled([*drawn, *readouts], room)
        return lines + (beside(chart, self._list(frame, names, chosen, side, room), main) if side else chart)

    def _shown(self, view: View, chosen: str | None) -> list[MetricView]:
        """The chosen metric first, then those kept, as many as curves can be told apart."""
        names = [chosen, *(name for name in self.kept if name != chosen)] if chosen else self.kept
        found = (view.metric(name) for name in names if name)
        return [metric for metric in found if metric is not None][: len(STYLES)]

    def _said(self, shown: list[MetricView], count: int) -> str:
        names = " · ".join(metric.name for metric in shown) or "chart"
        place = f"  {number.ordinal(self.choice.place + 1, count)}" if count else ""
        said = f" · {self.axes.said}" if self.axes.said else ""
        return f"{names}{said}{place}"

    def _list(self, frame: Frame, names: list[str], chosen: str | None, width: int, height: int) -> list[Line]:
        lines: list[Line] = [rule("metrics", width)]
        metrics = [metric for metric in frame.view.metrics if metric.name in set(names)]
        room = height - 1
        first = window(len(metrics), self.choice.place, room)
        cells = columns_for(width, longest_name(metrics))
        for metric in metrics[first : first + room]:
            row = metric_row(metric, cells, frame.cursor, ascii=frame.ascii)
            lines.append(select(row, width) if metric.name == chosen else row)
        if len(metrics) > first + room:
            lines[-1] = line((f"   +{len(metrics) - first - room + 1} more", "quiet"))
        return lines

    def action_move(self, rows: int) -> None:
        self.choice.move(rows)
        self.viewer.metric = cast("str | None", self.choice.chosen) or self.viewer.metric
        self.viewer.redraw()

    def action_last(self) -> None:
        self.action_move(1_000_000)

    def action_log_axis(self) -> None:
        """Logarithmic or linear; on a logarithmic axis values at or below zero are left out."""
        self._read(self.axes.other_scale)

    def action_time_axis(self) -> None:
        """Steps or seconds along the bottom."""
        self._read(self.axes.other_axis)

    def action_smooth(self) -> None:
        """The next smoothing, none after the strongest."""
        self._read(self.axes.smoother)

    def action_keep(self) -> None:
        """Keep the metric on the chart while another is chosen, or let it go."""
        name = self.viewer.metric
        if name in self.kept:
            self.kept.remove(name)
            self.viewer.say(f"{name} let go", "quiet")
        elif len(self.kept) >= len(STYLES) - 1:
            self.viewer.say(f"{len(STYLES)} curves at most can be told apart; t on a kept one lets it go", "amber")
        elif name:
            self.kept.append(name)
            self.viewer.say(f"{name} stays; j and k choose another beside it", "quiet")

    def _read(self, axes: Axes) -> None:
        self.axes = axes
        self.viewer.redraw()
