"""Alarms as rows of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bedside_tui.draw import number
from bedside_tui.store.view import AlertView
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, ends, line, pad, pad_left

STATES: dict[str, tuple[str, Tone]] = {
    "red": ("✖ RED", "red"),
    "amber": ("▲ AMBER", "amber"),
    "": ("▲", "amber"),
}


def alarm_state(alert: AlertView) -> tuple[str, Tone]:
    """What it is now: severity while it needs somebody, else `cleared` or `pending`."""
    if alert.state == "pending":
        return "◌ pending", "amber"
    if alert.shelved_until:
        return "◌ shelved", "quiet"
    if not alert.shown:
        return "● cleared", "ok"
    return STATES[alert.severity]


class AlertColumns(NamedTuple):
    """Cells of the columns whose texts vary."""

    title: int
    target: int


def alert_columns(alerts: Sequence[AlertView], width: int) -> AlertColumns:
    """As wide as the longest text needs, but no wider than leaves the finding room."""
    title = max((len(alert.title) for alert in alerts), default=5)
    target = max((len(alert.target) for alert in alerts), default=2)
    return AlertColumns(min(title, max(10, width // 4)), min(target, max(8, width // 6)))


def alert_row(alert: AlertView, cells: AlertColumns, width: int) -> Line:
    """` ✖ RED  codebook collapse  vq  11,900  41 of 512 codes  first · seen by you`."""
    word, tone = alarm_state(alert)
    flags = [
        *(["first"] if alert.first_out else []),
        *([f"cleared at {number.count(alert.cleared_step)}"] if alert.cleared_step is not None and alert.shown else []),
        *([f"seen by {alert.acknowledged}"] if alert.acknowledged else []),
        *(["within the hour"] if alert.stands and alert.horizon == "hour" else []),
        *([shelf(alert)] if alert.shelved_until else []),
    ]
    wide = width >= 100
    aside = f"until {number.clock(alert.shelved_until)} · " if alert.shelved_until and not wide else ""
    step = pad_left(number.count(alert.fired_step or alert.first_step, 9), 9)
    left = line(
        " ", (pad(word, 10), tone), (pad(alert.title, cells.title) + "  ", "strong" if alert.shown else "plain"),
        pad(alert.target, cells.target), (step + "  ", "quiet"), (aside, "plain"), (alert.message, "plain" if alert.shown else "quiet"),
    )  # fmt: skip
    return ends(left, line((f"  {' · '.join(flags)} ", "quiet")) if flags and wide else (), width)


def alerts_heading(cells: AlertColumns) -> Line:
    """Names of the columns of `alert_row`."""
    return line((f" {pad('', 10)}{pad('alarm', cells.title)}  {pad('on', cells.target)}{pad_left('step', 9)}  finding", "quiet"))


def shelf(alert: AlertView) -> str:
    """Until when it is put aside."""
    return f"shelved until {number.clock(alert.shelved_until)}"
