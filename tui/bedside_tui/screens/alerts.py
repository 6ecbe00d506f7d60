"""Alerts: what is wrong, what was, and what no rule could judge yet; one alarm opened shows its runbook."""

from __future__ import annotations

from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.view import AlertView
from bedside_tui.widgets.alarm_page import opened
from bedside_tui.widgets.alarms import alert_columns, alert_row, alerts_heading
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.curves import curve_panel
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.judged import below
from bedside_tui.widgets.lines import Line, beside, filled, line, select
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


class AlertsScreen(RunScreen):
    """The list, or one alarm opened. Rows are known by rule, target and episode."""

    where = ("lists", "alerts")

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.is_open = False
        self._scroll = 0

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        alerts = [alert for alert in frame.view.alerts if self.passes(alert.rule, alert.title, alert.target, alert.message)]
        self.choice.offer([key_of(alert) for alert in alerts])
        if self.is_open and alerts:
            return self._opened(frame, alerts[self.choice.place], len(alerts), width, height)
        self.is_open = False
        return self._list(frame, alerts, width, height)

    def _list(self, frame: Frame, alerts: list[AlertView], width: int, height: int) -> list[Line]:
        standing = len(frame.view.alarms)
        lines = [
            self.heading(
                frame, f"alerts · {number.count(standing)} {'needs' if standing == 1 else 'need'} a look" if standing else "alerts", width
            )
        ]
        if not alerts and self.filter:
            lines += self.empty("no alert contains this text; esc shows all")
        elif not alerts:
            lines += self.empty("no alarm in this run so far", "what the rules find stands here: a red one stays until it is acknowledged")
        else:
            cells = alert_columns(alerts, width)
            lines.append(alerts_heading(cells))
            left = height - len(lines)
            room = min(len(alerts), max(left - len(below(frame.view, width, height)) - 1, left // 2, 3), left)
            first = window(len(alerts), self.choice.place, room)
            for place, alert in enumerate(alerts[first : first + room], start=first):
                row = alert_row(alert, cells, width)
                lines.append(select(row, width) if place == self.choice.place else row)
        more = below(frame.view, width, height - len(lines) - 1)
        return [*lines, (), *more] if more else lines

    def _opened(self, frame: Frame, alert: AlertView, count: int, width: int, height: int) -> list[Line]:
        place = number.ordinal(self.choice.place + 1, count)
        lines = [self.heading(frame, f"alert {place}", width)]
        beside_it = width >= WIDE
        page = opened(alert, frame.view, PAGE if beside_it else width)
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
        self.is_open = self.choice.chosen is not None
        self._scroll = 0
        self.viewer.redraw()

    @property
    def _chosen(self) -> AlertView | None:
        """The alarm under the cursor, as it is known now."""
        newest = self.viewer.viewing.store.at(None).alerts
        return next((alert for alert in newest if key_of(alert) == self.choice.chosen), None)

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


def _evidence(alert: AlertView, frame: Frame, width: int, height: int) -> list[Line]:
    """What the alarm is about: the panel of its probe, or the chart of its metric."""
    probe, metric = frame.view.probe(alert.target), frame.view.metric(alert.target)
    if probe is not None:
        return panel_of(probe, frame, width, min(height, 30))
    return filled(curve_panel(frame, [metric], width, min(height, 24)), height) if metric is not None else []
