"""Alerts: what is wrong, what was, what the script expects, the review of a run that is over, and what no rule could judge yet, in one
list that scrolls; one alarm opened shows its runbook."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import groupby

from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.screens.compare_choice import likeliest
from bedside_tui.store.history import History
from bedside_tui.store.view import AlertView, View
from bedside_tui.widgets.alarms import alert_columns, alert_row, alerts_heading
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import curve_panel
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.judged import Entry, Section, judged_by, sections
from bedside_tui.widgets.lines import Line, beside, filled, line, marked, select
from bedside_tui.widgets.probe_panels import panel_of

WIDE = 150
"""Columns from which what the alarm is about stands beside its page."""

PAGE = 84
"""Columns of the page then: a line one can read without losing it."""

SHELF = 3600.0
"""Seconds for which the key puts an alarm aside."""

AlertKey = tuple[str, str, int]


def key_of(alert: AlertView) -> AlertKey:
    """An episode's name."""
    return alert.rule, alert.target, alert.episode


Row = tuple[Hashable | None, Line]
"""A line of the list, and what the cursor calls it; None where it cannot stand. An entry may take several lines."""


class AlertsScreen(RunScreen):
    """The list, or one alarm opened. Alarms are known by rule, target and episode."""

    where = ("lists", "cursor", "alerts")

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.is_open = False
        self._scroll = 0

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        alerts = [alert for alert in frame.view.alerts if self.passes(alert.rule, alert.title, alert.target, alert.message)]
        parts = [] if self.is_open and alerts else sections(frame.view, width, self.passes)
        self.choice.offer([*(key_of(alert) for alert in alerts), *(entry for part in parts for entry, _ in part.rows)])
        if self.is_open and alerts:
            return self._opened(frame, alerts[self.choice.place], len(alerts), width, height)
        self.is_open = False
        return self._list(frame, alerts, parts, width, height)

    def _list(self, frame: Frame, alerts: list[AlertView], parts: list[Section], width: int, height: int) -> list[Line]:
        standing = len(frame.view.alarms)
        title = f"alerts · {number.count(standing)} {'needs' if standing == 1 else 'need'} a look" if standing else "alerts"
        rows = self._alarms(alerts, frame.view.over, width)
        heads = []
        for part in parts:
            heads.append((len(rows) + 1, part))
            rows += [(None, ()), (None, part.head), *((entry, row) for entry, lines in part.rows for row in lines)]
        rows += [(None, ()), *((None, row) for row in judged_by(frame.view, width))]
        return [self.heading(frame, title, width), *self._scrolled(rows, heads, width, height - 1)]

    def _alarms(self, alerts: list[AlertView], over: bool, width: int) -> list[Row]:
        if not alerts and self.filter:
            return [(None, row) for row in self.empty("no alert contains this text; esc shows all")]
        if not alerts:
            hope = () if over else ("what the rules find stands here: a red one stays until it is acknowledged",)
            return [(None, row) for row in self.empty(f"no alarm in this run{'' if over else ' so far'}", *hope)]
        cells = alert_columns(alerts, width)
        return [(None, alerts_heading(cells)), *((key_of(alert), alert_row(alert, cells, width)) for alert in alerts)]

    def _scrolled(self, rows: list[Row], heads: list[tuple[int, Section]], width: int, height: int) -> list[Line]:
        """The lines about the cursor; what there is below them stands in the last."""
        while rows and not rows[-1][1]:
            rows.pop()
        room = height if len(rows) <= height else height - 1
        chosen = [place for place, (key, _) in enumerate(rows) if key is not None and key == self.choice.chosen]
        first = window(len(rows), chosen[-1] if chosen else 0, room)
        shown = [_shown(row, place, chosen, width) for place, (_, row) in enumerate(rows[first : first + room], start=first)]
        if room == height:
            return shown
        hidden = [part.brief for head, part in heads if head + 1 >= first + room]
        below = len(rows) - first - room
        if hidden:
            return [*shown, line((f"   further down: {', '.join(hidden)} ", "quiet"), (" tab", "key"))]
        return [*shown, line((f"   +{number.count(below)} more" if below else "", "quiet"))]

    def _opened(self, frame: Frame, alert: AlertView, count: int, width: int, height: int) -> list[Line]:
        from bedside_tui.widgets.alarm_page import opened  # only here: it has every rule and runbook

        place = number.ordinal(self.choice.place + 1, count)
        lines = [self.heading(frame, f"alert {place}", width)]
        beside_it = width >= WIDE
        like = likeliest(self.viewer.run_rows, frame.view.run)
        page = opened(alert, frame.view, PAGE if beside_it else width, like.name if like is not None else "")
        room = height - 1
        self._scroll = max(0, min(self._scroll, len(page) - room))
        shown = page[self._scroll : self._scroll + room]
        if len(page) > self._scroll + room:
            shown[-1] = line((f"          +{len(page) - self._scroll - room + 1} more lines, j", "quiet"))
        if beside_it:
            return lines + beside(shown, _evidence(alert, frame, width - PAGE - 1, room), PAGE)
        return lines + shown

    def show_alarm(self, key: AlertKey) -> None:
        """Open this one."""
        self.choice.choose(key)
        self.is_open = True
        self._scroll = 0

    def back(self) -> bool:
        if self.is_open:
            self.is_open = False
            return True
        return super().back()

    def action_open(self) -> None:
        """Open the alarm, or what an entry is about."""
        if isinstance(self.choice.chosen, Entry):
            self._open_entry(self.choice.chosen)
        else:
            self.is_open = self.choice.chosen is not None
            self._scroll = 0
        self.viewer.redraw()

    def _open_entry(self, entry: Entry) -> None:
        view = self.viewer.viewing.store.at(None)
        alarm = next((alert for alert in view.alerts if (alert.rule, alert.target) == (entry.rule, entry.target)), None)
        if entry.section == "expected" and alarm is not None:
            self.show_alarm(key_of(alarm))
        elif view.probe(entry.target) is not None:
            self.viewer.show_probe(entry.target)
        elif view.metric(entry.target) is not None:
            self.viewer.show_metric(entry.target)
        else:
            self.viewer.say("there is no picture of this", "quiet")

    def action_panel(self, panels: int) -> None:
        """To the first row of the next section, from the last one to the alarms."""
        if self.is_open:
            self.action_move(panels)
            return
        firsts = [next(rows) for _, rows in groupby(self.choice.keys, _section_of)]
        here = [_section_of(first) for first in firsts].index(_section_of(self.choice.chosen)) if firsts else 0
        if firsts:
            self.choice.choose(firsts[(here + panels) % len(firsts)])
        self.viewer.redraw()

    @property
    def _chosen(self) -> AlertView | None:
        """The alarm under the cursor, as it is known now."""
        newest = self.viewer.viewing.store.at(None).alerts
        return next((alert for alert in newest if key_of(alert) == self.choice.chosen), None)

    def charted(self, view: View) -> History | None:
        """Of an open alarm, the metric it is about."""
        alert = self._chosen if self.is_open else None
        metric = view.metric(alert.target) if alert is not None else None
        return metric.history if metric is not None else super().charted(view)

    def action_shelve(self) -> None:
        """Put the alarm aside for a while, or take it from the shelf."""
        alert = self._chosen
        if alert is None or not alert.stands:
            self.viewer.say("no alarm here to shelve", "quiet")
        else:
            seconds = 0.0 if alert.shelved_until else SHELF
            self.viewer.ask_run("shelve", {"rule": alert.rule, "target": alert.target, "seconds": seconds})

    def action_moment(self) -> None:
        """Stand at the moment at which the alarm fired, on every screen."""
        alert = self._chosen
        if alert is None or not alert.fired_step:
            self.viewer.say("no alarm here that has fired", "quiet")
            return
        self.viewer.move_to(alert.fired_time)
        self.viewer.say(f"step {number.count(alert.fired_step)}, when it fired: h charts, end goes back", "plain")

    def action_move(self, rows: int) -> None:
        if self.is_open:
            self._scroll = max(0, self._scroll + rows)
            self.viewer.redraw()
        else:
            super().action_move(rows)

    def action_last(self) -> None:
        if self.is_open:
            self.action_move(1_000)
        else:
            super().action_last()


def _shown(row: Line, place: int, chosen: Sequence[int], width: int) -> Line:
    """A line of the list; the first of those under the cursor is pointed at."""
    if place not in chosen:
        return row
    return select(row, width) if place == chosen[0] else marked(row, width)


def _section_of(key: Hashable) -> str:
    return key.section if isinstance(key, Entry) else "alarms"


def _evidence(alert: AlertView, frame: Frame, width: int, height: int) -> list[Line]:
    """What the alarm is about: the panel of its probe, or the chart of its metric."""
    probe, metric = frame.view.probe(alert.target), frame.view.metric(alert.target)
    if probe is not None:
        return panel_of(probe, frame, width, min(height, 30))
    return filled(curve_panel(frame, [metric], width, min(height, 24)), height) if metric is not None else []
