"""Alarms as rows, and one alarm opened: what was found, and the runbook that says what it means and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_tui.draw import number
from bedside_tui.store.view import AlertView, View
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, ends, fit, line, pad, pad_left, wrapped
from bedside_tui.widgets.status import title_of

STATES: dict[str, tuple[str, Tone]] = {
    "red": ("✖ RED", "red"),
    "amber": ("▲ AMBER", "amber"),
    "": ("▲", "amber"),
}

LABEL = 9
"""Cells of the label column of an opened alarm: one blank, the longest label, two blanks."""


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
    title = max((len(title_of(alert.rule)) for alert in alerts), default=5)
    target = max((len(alert.target) for alert in alerts), default=2)
    return AlertColumns(min(title, max(10, width // 4)), min(target, max(8, width // 6)))


def alert_row(alert: AlertView, cells: AlertColumns, width: int) -> Line:
    """` ✖ RED  codebook collapse  vq  11,900  41 of 512 codes  first · seen by you`."""
    word, tone = alarm_state(alert)
    flags = [
        *(["first"] if alert.first_out else []),
        *([f"cleared at {number.count(alert.cleared_step)}"] if alert.cleared_step is not None and alert.shown else []),
        *([f"seen by {alert.acknowledged}"] if alert.acknowledged else []),
        *([_shelf(alert)] if alert.shelved_until else []),
    ]
    step = pad_left(number.count(alert.fired_step or alert.first_step, 9), 9)
    left = line(
        " ", (pad(word, 10), tone), (pad(title_of(alert.rule), cells.title) + "  ", "strong" if alert.shown else "plain"),
        pad(alert.target, cells.target), (step + "  ", "quiet"), (alert.message, "plain" if alert.shown else "quiet"),
    )  # fmt: skip
    return ends(left, line((f"  {' · '.join(flags)} ", "quiet")) if flags and width >= 100 else (), width)


def alerts_heading(cells: AlertColumns) -> Line:
    """Names of the columns of `alert_row`."""
    return line((f" {pad('', 10)}{pad('alarm', cells.title)}  {pad('on', cells.target)}{pad_left('step', 9)}  finding", "quiet"))


def opened(alert: AlertView, view: View, width: int) -> list[Line]:
    """One alarm as in a book: when, what, why, look, fixed, and with whom it came."""
    word, tone = alarm_state(alert)
    ago = max(0, view.step - alert.fired_step)
    when = f"fired at {number.count(alert.fired_step)} · {number.count(ago)} steps ago" + (" · first" if alert.first_out else "")
    if alert.cleared_step is not None:
        when += f" · cleared at {number.count(alert.cleared_step)}"
    name = line((f" {word}  ", tone), (f"{title_of(alert.rule)} · {alert.target}", "strong"))
    lines = [ends(name, line((f"{when} ", "quiet")), width), ()]
    lines += _entry("found", [alert.message or "—"], width, "strong")
    book = RUNBOOKS.get(alert.runbook) or RUNBOOKS.get(alert.rule)
    if book is None:
        lines += _entry("what", ["no runbook for this rule"], width, "quiet")
    else:
        lines += _entry("what", [book.what], width)
        lines += _entry("why", [f"{place}  {cause}" for place, cause in enumerate(book.why, start=1)], width)
        lines += _entry("look", [f"{key}  {where}" for key, where in book.look], width)
        lines += _entry("fixed", [f"·  {cure}" for cure in book.fixed], width)
    lines += _entry("with", _company(alert, view), width, "quiet")
    if alert.acknowledged:
        lines += _entry("seen", [f"by {alert.acknowledged}"], width, "quiet")
    if alert.shelved_until:
        lines += _entry("aside", [_shelf(alert)], width, "quiet")
    return lines


def _shelf(alert: AlertView) -> str:
    return f"shelved until {number.clock(alert.shelved_until)}"


def _company(alert: AlertView, view: View) -> list[str]:
    """The other alarms that stand now, and what is not judged about the same target."""
    others = [other for other in view.alarms if (other.rule, other.target) != (alert.rule, alert.target)]
    said = [
        f"{STATES[other.severity][0]} {title_of(other.rule)} · {other.target} ({number.count(other.fired_step)})" for other in others[:3]
    ]
    if len(others) > 3:
        said.append(f"and {len(others) - 3} more")
    return said or ["no other alarm"]


def _entry(label: str, texts: list[str], width: int, tone: Tone = "plain") -> list[Line]:
    """A labelled paragraph, or one a text; wrapped lines are indented under their own text."""
    lines: list[Line] = []
    for text in texts:
        mark, blank, rest = text.partition("  ")
        hang = f"{mark}  " if blank and len(mark) <= 2 else ""
        body = wrapped(rest if hang else text, max(8, width - LABEL - 2 - len(hang))) or [""]
        for place, part in enumerate(body):
            name = label if not lines else ""
            lead = hang if not place else " " * len(hang)
            key: Tone = "key" if label == "look" else "quiet"
            lines.append(fit(line((f" {name:<{LABEL - 2}} ", "accent"), (lead, key), (part, tone)), width))
    return lines
