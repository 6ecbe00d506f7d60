"""Vitals: the metrics, the probes, the machine and the newest of the log on one screen; on a wide terminal the chart of the chosen
row and the panel of the probe that matters most stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

from bedside_tui.draw import chart, sparkline
from bedside_tui.screens.base import ACROSS, RunScreen
from bedside_tui.store.history import History
from bedside_tui.store.view import MetricView, View
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import CurveCache, curve_panel
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, beside, filled, line, rule, select
from bedside_tui.widgets.metrics import columns_for, longest_name, metric_row
from bedside_tui.widgets.probe_panels import panel_of
from bedside_tui.widgets.rows import Look
from bedside_tui.widgets.timeline import mark_row
from bedside_tui.widgets.vitals import probe_cost, probe_row, system_line

RowKey = tuple[str, str]
"""(panel, name): panel is alarm, metric, probe or log; a log row's name is its place in the timeline."""

ALARM: RowKey = ("alarm", "")

NO_PROBE = "no probe yet: `run.watch(model, optimizer)` or `run.probe(…)`"

WIDE = 120
"""Columns from which there are two columns of panels."""


class Heights(NamedTuple):
    """Rows of each panel, without their heads; 0 where a panel has gone."""

    metrics: int
    probes: int
    system: int
    log: int


def heights(height: int, metrics: int, probes: int) -> Heights:
    """How `height` rows are divided, heads included: metrics first, then probes, the log, the machine; the log takes what is left.

    What the metrics do not need goes to the probes before it goes to the log.
    """
    if height < 3:
        return Heights(0, 0, 0, 0)
    if height < 7:
        return Heights(height - 1, 0, 0, 0)
    if height < 12:
        shown = min(max(1, probes), 2, height - 5)
        return Heights(height - 2 - shown, shown, 0, 0)
    rest = height - 5
    shown = min(max(1, probes), max(2, rest // 4))
    log = min(3, rest - shown - 3)
    wanted = min(max(1, metrics), rest - shown - log)
    shown += min(max(1, probes) - shown, rest - shown - wanted - log)
    return Heights(wanted, shown, 1, rest - shown - wanted)


class VitalsScreen(RunScreen):
    """The screen one lives on."""

    where = ("lists", "cursor", "vitals")

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._panels: list[list[RowKey]] = [[ALARM]]
        self._cache = CurveCache()

    @property
    def at_alarm(self) -> bool:
        return self.choice.chosen == ALARM

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        view = frame.view
        metrics = self._ordered(view)
        shares = heights(height, len(metrics), len(view.probes))
        marks = range(len(view.marks) - 1, max(-1, len(view.marks) - 1 - 200), -1) if shares.log else range(0)
        probes = [("probe", probe.name) for probe in view.probes] if shares.probes else []
        self._panels = [
            [ALARM], [("metric", metric.name) for metric in metrics], probes, [("log", str(place)) for place in marks],
        ]  # fmt: skip
        chosen = cast(RowKey, self.choice.offer([key for panel in self._panels for key in panel]))
        if chosen[0] == "metric":
            self.viewer.metric = chosen[1]
        left_width = width if width < WIDE else max(78, min(100, width * 46 // 100))
        left = self._left(frame, metrics, shares, chosen, left_width, height)
        if width < WIDE:
            self.across = sparkline.reads(columns_for(width, longest_name(metrics)).spark) or ACROSS
            return left
        self.across = chart.reads(width - left_width - 1)
        return beside(left, self._right(frame, metrics, chosen, width - left_width - 1, height), left_width)

    def _ordered(self, view: View) -> list[MetricView]:
        """Alarmed first, then the pinned in the order pinned, then as the view has them."""
        pinned = {name: place for place, name in enumerate(self.viewer.pinned)}
        shown = [metric for metric in view.metrics if self.passes(metric.name)]
        return sorted(shown, key=lambda metric: (metric.badge not in ("red", "amber"), pinned.get(metric.name, len(pinned))))

    # --- the left column

    def _left(self, frame: Frame, metrics: Sequence[MetricView], shares: Heights, chosen: RowKey, width: int, height: int) -> list[Line]:
        lines = [self.heading(frame, "metrics", width)] if height else []
        lines += self._metric_rows(frame, metrics, shares.metrics, chosen, width)
        view = frame.view
        if shares.probes:
            lines.append(rule("probes", width, probe_cost(view)))
            lines += self._probe_rows(view, shares.probes, chosen, width)
        if shares.system:
            lines += [rule("system", width), system_line(view.system, width)]
        if shares.system or shares.log:
            lines.append(rule("log", width))
            lines += self._log_rows(view, shares.log, chosen, width)
        return lines

    def _metric_rows(self, frame: Frame, metrics: Sequence[MetricView], height: int, chosen: RowKey, width: int) -> list[Line]:
        if height <= 0:
            return []
        if not metrics:
            why = "no metric contains this text; esc shows all" if self.filter else 'no metric logged yet: `run.log({"loss": loss})`'
            return filled([line((f"   {why}", "quiet"))], height)
        folded = len(metrics) > height
        room = max(1, height - 1) if folded else height
        place = next((at for at, metric in enumerate(metrics) if ("metric", metric.name) == chosen), 0)
        first = window(len(metrics), place, room)
        cells = columns_for(width, longest_name(metrics))
        lines = []
        for metric in metrics[first : first + room]:
            row = metric_row(metric, cells, frame.cursor, pinned=metric.name in self.viewer.pinned, ascii=frame.ascii)
            lines.append(select(row, width) if ("metric", metric.name) == chosen else row)
        if folded and height > 1:
            lines.append(line((f"   +{len(metrics) - room} more", "quiet")))
        return lines

    def _probe_rows(self, view: View, height: int, chosen: RowKey, width: int) -> list[Line]:
        if not view.probes:
            return filled([line((f"   {NO_PROBE}", "quiet"))], height)
        place = next((at for at, probe in enumerate(view.probes) if ("probe", probe.name) == chosen), 0)
        first = window(len(view.probes), place, height)
        lines = []
        for probe in view.probes[first : first + height]:
            row = probe_row(probe, width)
            lines.append(select(row, width) if ("probe", probe.name) == chosen else row)
        return lines

    def _log_rows(self, view: View, height: int, chosen: RowKey, width: int) -> list[Line]:
        if not view.marks:
            return filled([line(("   nothing happened yet; m writes a note", "quiet"))], height)
        places = range(len(view.marks) - 1, -1, -1)
        at = places.index(int(chosen[1])) if chosen[0] == "log" and int(chosen[1]) in places else 0
        first = window(len(places), at, height)
        lines = []
        for place in places[first : first + height]:
            row = mark_row(view, view.marks[place], width)
            lines.append(select(row, width) if ("log", str(place)) == chosen else row)
        return filled(lines, height)

    # --- the right column

    def _right(self, frame: Frame, metrics: Sequence[MetricView], chosen: RowKey, width: int, height: int) -> list[Line]:
        metric = self._charted(frame.view, metrics, chosen)
        probe = frame.view.probe(chosen[1]) if chosen[0] == "probe" else next(iter(frame.view.probes), None)
        upper = height if probe is None else max(10, height // 2)
        lines = filled(curve_panel(frame, [metric] if metric else [], width, upper, cache=self._cache), upper)
        if probe is not None:
            lines += panel_of(probe, frame, width, height - upper)
        return lines

    def _charted(self, view: View, metrics: Sequence[MetricView], chosen: RowKey) -> MetricView | None:
        """The metric of the chosen row, of the alarm, the one chosen before, or the first."""
        target = next((alarm.target for alarm in view.alarms), "") if chosen == ALARM else ""
        names = [chosen[1] if chosen[0] == "metric" else "", target, self.viewer.metric]
        found = (view.metric(name) for name in names if name)
        return next((metric for metric in found if metric is not None), metrics[0] if metrics else None)

    # --- keys

    def charted(self, view: View) -> History | None:
        metric = self._charted(view, self._ordered(view), cast(RowKey, self.choice.chosen or ALARM))
        return metric.history if metric is not None else None

    def action_panel(self, panels: int) -> None:
        """To the first row of the next panel that has rows."""
        chosen = cast(RowKey, self.choice.chosen or ALARM)
        full = [panel for panel in self._panels if panel]
        here = next((at for at, panel in enumerate(full) if chosen in panel), 0)
        self.choice.choose(full[(here + panels) % len(full)][0])
        self.viewer.redraw()

    def action_open(self) -> None:
        panel, name = cast(RowKey, self.choice.chosen or ALARM)
        if panel == "alarm":
            self.viewer.action_next_alarm()
        elif panel == "metric":
            self.viewer.show_metric(name)
        elif panel == "probe":
            self.viewer.show_probe(name)
        else:
            self.viewer.show_mark(int(name))

    def action_pin(self) -> None:
        """Keep the chosen metric at the top, or let it go again."""
        panel, name = cast(RowKey, self.choice.chosen or ALARM)
        if panel == "metric":
            self.viewer.toggle_pin(name)
        else:
            self.viewer.say("t keeps a metric at the top: choose one first", "quiet")
