"""Runs beside the one that is open: its curves over theirs, and panels of what differs.

The open run goes on as it does everywhere; the others are read once, one after the other, and stand as they were then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from textual.message import Message

from bedside_protocol.sanitise import text as safe
from bedside_tui.companion import Companion
from bedside_tui.compare.alerts import alert_rows
from bedside_tui.compare.checkpoints import checkpoint_table, measured
from bedside_tui.compare.configuration import configuration
from bedside_tui.compare.curves import Shared, overlaid, said_of, shared_metrics
from bedside_tui.compare.parts import alert_lines, checkpoint_lines, configuration_lines, legend, metric_lines
from bedside_tui.compare.runs import MOST, Run, lettered_runs
from bedside_tui.draw import cells, number
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.chart import reads
from bedside_tui.run_row import RunRow
from bedside_tui.screens.base import RunScreen
from bedside_tui.screens.compare_choice import CompareDialog, others
from bedside_tui.store.history import History
from bedside_tui.store.view import View
from bedside_tui.viewing import Viewing
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import KEPT, rulers
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.kept import Kept
from bedside_tui.widgets.lines import Line, Span, beside, ends, filled, fit, line, select
from bedside_tui.widgets.rows import Look

PANELS: Final = ("metrics", "configuration", "checkpoints", "alerts")

WIDE: Final = 130
"""Columns from which the panel stands beside the chart; below, the panel of the metrics is the chart."""

TABLES: Final = 10.0
"""Seconds for which the tables of a live run are kept: they cost more than a chart, and what they tell changes with checkpoints and alarms,
which are drawn at once."""

LEGEND: Final = 0.4
"""Share of the lines that the list of runs may take from the chart; where it needs more, the runs stand beside each other."""


class CompareScreen(RunScreen):
    """`j` and `k` choose the metric, or scroll the panel that `tab` chose; `=` chooses the runs."""

    where = ("lists", "cursor", "compare")
    lists_runs = True

    class Read(Message):
        """A run has been read."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.companions: list[Companion] = []
        self.axes = Axes()
        self.panel = 0
        self._scroll = 0
        self._of: Viewing | None = None
        self._begun: set[object] = set()
        self._charted, self._listed = Kept(), Kept()
        self._longest: History | None = None

    # --- which runs

    def choose(self) -> None:
        """Ask for the runs to compare with."""
        viewer = self.viewer
        if viewer.library is None:
            viewer.say("there is no list of runs: the viewer was opened on one alone", "amber")
            return
        run = viewer.viewing.store.at(None).run
        marked = [str(companion.key) for companion in self.companions]

        def rows() -> list[RunRow] | None:
            return others(viewer.run_rows, run) if viewer.runs_read else None

        viewer.push_screen(CompareDialog(viewer.look, rows, marked, MOST - 1), self.compare_with)

    def compare_with(self, rows: list[RunRow] | None) -> None:
        """Compare with these runs from here on; those already read are not read again. None: as before."""
        if rows is None or self.viewer.library is None:
            return
        known = {companion.key: companion for companion in self.companions}
        wanted = {row.id for row in rows}
        for companion in self.companions:
            if companion.key not in wanted:
                companion.close()
        self._of = self.viewer.viewing
        self.companions = [known.get(row.id) or Companion(row.id, row.title, self.viewer.library.open(row)) for row in rows]
        self._read_next()

    def _read_next(self) -> None:
        """Let go of what has been read, and begin with the next: one at a time, so that the screen stays quick."""
        for companion in self.companions:
            if companion.over:
                companion.close()
        waiting = [companion for companion in self.companions if companion.key not in self._begun or not companion.over]
        if waiting and waiting[0].key not in self._begun:
            self._begun.add(waiting[0].key)
            waiting[0].start(lambda: self.post_message(self.Read()))
        self.viewer.redraw()

    def on_compare_screen_read(self) -> None:
        self._read_next()

    def _let_go(self) -> None:
        for companion in self.companions:
            companion.close()
        self.companions, self._begun, self._of = [], set(), None

    def on_unmount(self) -> None:
        self._let_go()

    # --- drawing

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        if self._of is not None and self._of is not self.viewer.viewing:
            self._let_go()  # another run has been opened
        if not self.companions:
            return [self.heading(frame, "compare", width), *self.empty("no other run is chosen: = lays some beside this one")]
        views = [companion.view for companion in self.companions]
        runs = lettered_runs([frame.view, *(view for view in views if view is not None)])
        metrics = [metric for metric in shared_metrics(runs) if self.passes(metric.name)]
        name = cast("str | None", self.choice.offer([metric.name for metric in metrics]))
        chosen = next((metric for metric in metrics if metric.name == name), None)
        lines = [self.heading(frame, self._title(chosen, len(metrics)), width), self._tabs(width)]
        room = height - len(lines)
        if width >= WIDE:
            side = min(100, width * 2 // 5)
            left = self._chart(frame, runs, chosen, width - side - 1, room)
            return lines + beside(left, self._panel(frame, runs, metrics, side, room), width - side - 1)
        if self.panel == 0:
            return lines + self._chart(frame, runs, chosen, width, room)
        return lines + self._panel(frame, runs, metrics, width, room)

    def _title(self, chosen: Shared | None, count: int) -> str:
        place = f"  {number.ordinal(self.choice.place + 1, count)}" if count else ""
        return f"compare · {chosen.name if chosen else 'no metric'} · {said_of(self.axes)}{place}"

    def _tabs(self, width: int) -> Line:
        """The panels, the one in sight pointed at."""
        spans = [
            Span(f"{'›' if place == self.panel else ' '}{name} ", "strong" if place == self.panel else "quiet")
            for place, name in enumerate(PANELS)
        ]
        return ends((Span("  "), *spans), line((" = ", "key"), ("runs ", "quiet")), width)

    def _chart(self, frame: Frame, runs: Sequence[Run], chosen: Shared | None, width: int, height: int) -> list[Line]:
        """The curves, and below them whose they are."""
        waiting = [_waiting(companion, width) for companion in self.companions if companion.view is None]
        if chosen is None:
            why = "no metric contains this text; esc shows all" if self.filter else "none of these runs has logged a metric yet"
            return [*self.empty(why), *waiting]
        step = frame.cursor.at.step if frame.cursor is not None and self.axes.axis == "step" else None
        below = legend(runs, chosen, width, max(2, int(height * LEGEND)), step, ascii=frame.ascii)
        room = max(0, height - len(below) - len(waiting))
        key = (chosen.name, self.axes, width, room, len(runs), frame.cursor, frame.ascii)
        across = rulers(frame.cursor, self.axes.axis)
        drawn = self._charted.lines(key, frame, lambda: overlaid(runs, chosen, width, room, self.axes, across, ascii=frame.ascii))
        self.across = reads(width)
        self._longest = max((view.history for view in chosen.views if view is not None), key=lambda history: history.last[0])
        return filled([*_spans(drawn), *_spans(below), *waiting], height)

    def charted(self, view: View) -> History | None:
        """The curve of the run that has come furthest."""
        return self._longest

    def _panel(self, frame: Frame, runs: Sequence[Run], metrics: Sequence[Shared], width: int, height: int) -> list[Line]:
        """The part of the panel that fits: about the chosen metric, or from where one has scrolled to."""
        seconds = KEPT if PANELS[self.panel] == "metrics" else TABLES
        key = (self.panel, width, len(runs), len(metrics), len(frame.view.checkpoints), frame.view.alerts, frame.ascii)
        drawn = _spans(self._listed.lines(key, frame, lambda: self._lines(runs, metrics, width, frame.ascii), seconds))
        room = height if len(drawn) <= height else height - 1
        if self.panel == 0:
            place = 1 + self.choice.place  # below the letters
            first = window(len(drawn), place, room)
            drawn = [select(row, width) if at == place and metrics else row for at, row in enumerate(drawn)]
        else:
            first = self._scroll = max(0, min(self._scroll, len(drawn) - room))
        shown = drawn[first : first + room]
        if len(drawn) > first + room:
            shown.append(line((f"   +{number.count(len(drawn) - first - room)} more, j", "quiet")))
        return filled(shown, height)

    def _lines(self, runs: Sequence[Run], metrics: Sequence[Shared], width: int, ascii: bool) -> list[cells.Line]:
        if PANELS[self.panel] == "configuration":
            return configuration_lines(runs, configuration(runs), width, ascii=ascii)
        if PANELS[self.panel] == "checkpoints":
            told = [measured(runs[0].view), *(companion.measured for companion in self.companions if companion.measured is not None)]
            return checkpoint_lines(runs, checkpoint_table(runs, told), width, ascii=ascii)
        if PANELS[self.panel] == "alerts":
            return alert_lines(runs, alert_rows(runs), width, ascii=ascii)
        return metric_lines(runs, metrics, width, ascii=ascii)

    # --- keys

    def action_move(self, rows: int) -> None:
        if self.panel == 0:
            self.choice.move(rows)
        else:
            self._scroll = max(0, self._scroll + rows)
        self.viewer.redraw()

    def action_last(self) -> None:
        self.action_move(1_000_000)

    def action_panel(self, panels: int) -> None:
        self.panel = (self.panel + panels) % len(PANELS)
        self._scroll = 0
        self.viewer.redraw()

    def action_open(self) -> None:
        """The chart of the metric in the open run."""
        if isinstance(self.choice.chosen, str) and self.viewer.viewing.store.at(None).metric(self.choice.chosen) is not None:
            self.viewer.show_metric(self.choice.chosen)

    def action_log_axis(self) -> None:
        self._look(self.axes.other_scale)

    def action_time_axis(self) -> None:
        self._look(self.axes.other_axis)

    def action_smooth(self) -> None:
        self._look(self.axes.smoother)

    def _look(self, axes: Axes) -> None:
        self.axes = axes
        self.viewer.redraw()


def _spans(lines: Sequence[cells.Line]) -> list[Line]:
    return [tuple(Span(text, style) for text, style in row if text) for row in lines]


def _waiting(companion: Companion, width: int) -> Line:
    """A run that is still read, or of which nothing can be."""
    if companion.failed:
        return fit(line((" ✖ ", "amber"), f"{companion.title}: ", (safe(companion.failed, 400), "quiet")), width)
    return fit(line((" ◌ ", "accent"), f"{companion.title}  ", (f"reading {companion.progress:.0%}", "quiet")), width)
