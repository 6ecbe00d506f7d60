"""What stands below the alarms in the list of alerts, as sections: what the script expects of the run, the review of a run that is over,
what no rule can judge yet. And by which rules the run is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from bedside_tui.draw import number
from bedside_tui.store.view import View
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, fit, line, pad, rule, wrapped

_STATES: dict[str, tuple[str, Tone]] = {"met": ("● met", "ok"), "not yet": ("◌ not yet", "quiet")}
_BROKEN: dict[str, tuple[str, Tone]] = {"red": ("✖ broken", "red"), "amber": ("▲ broken", "amber")}

Passes = Callable[..., bool]
"""Whether a row with these texts is shown under the filter."""


class Entry(NamedTuple):
    """What a row below the alarms is about; also its name."""

    section: Literal["expected", "review", "not checked"]
    rule: str
    """The rule; of the review the remark itself, since a probe may have several of one name."""
    target: str


class Section(NamedTuple):
    """Rows under one head; a row may take several lines."""

    brief: str
    """What is in it, where there is no room for it."""
    head: Line
    rows: Sequence[tuple[Entry, list[Line]]]


def sections(view: View, width: int, passes: Passes = lambda *texts: True) -> list[Section]:
    """Those with something to say."""
    return [
        section
        for section in (_expected(view, width, passes), _reviewed(view, width, passes), _not_judged(view, width, passes))
        if section.rows
    ]


def _reviewed(view: View, width: int, passes: Passes) -> Section:
    """The remarks on a run that is over: worth knowing, never alarms."""
    remarks = [remark for remark in view.review if passes(remark.target, remark.text)]
    cells = _cells([remark.target for remark in remarks], max(8, width // 5))
    rows = []
    for remark in remarks:
        parts = wrapped(remark.text, max(20, width - cells - 7)) or [""]
        names = [remark.target, *[""] * (len(parts) - 1)]
        lines = [fit(line(f"   {pad(name, cells)}  ", part), width) for name, part in zip(names, parts, strict=True)]
        rows.append((Entry("review", remark.text, remark.target), lines))
    brief = f"{number.count(len(rows))} {'remark' if len(rows) == 1 else 'remarks'}"
    return Section(brief, rule(f"review · {brief}", width), rows)


def _expected(view: View, width: int, passes: Passes) -> Section:
    """What the script expects, and how that stands; what is broken first."""
    order = {"broken": 0, "not yet": 1, "met": 2}
    shown = sorted((each for each in view.expectations if passes(each.text, each.said)), key=lambda each: order[each.state])
    cells = _cells([each.text for each in shown], max(16, width * 2 // 5))
    rows = []
    for each in shown:
        word, tone = _BROKEN[each.severity] if each.state == "broken" else _STATES[each.state]
        row = line(" ", (pad(word, 10), tone), pad(each.text, cells) + "  ", (each.said, "quiet"))
        rows.append((Entry("expected", each.rule, each.metric), [fit(row, width)]))
    met = f"{sum(each.state == 'met' for each in shown)} of {len(shown)}"
    return Section(f"{met} expectations met", rule(f"expected by the script · {met} met", width), rows)


def _not_judged(view: View, width: int, passes: Passes) -> Section:
    """The rules that cannot judge yet, and why."""
    known = [(Entry("not checked", name, target), view.rules.title(name), why) for name, target, why in view.not_checked]
    shown = [(entry, title, why) for entry, title, why in known if passes(entry.rule, title, entry.target, why)]
    most = min(24, max(12, width // 4))
    titles, targets = _cells([title for _, title, _ in shown], most), _cells([entry.target for entry, _, _ in shown], most)
    rows = []
    for entry, title, why in shown:
        row = line(f"   {pad(title, titles)}  ", pad(entry.target, targets) + "  ", (why, "quiet"))
        rows.append((entry, [fit(row, width)]))
    count = number.count(len(rows))
    return Section(f"{count} not checked", rule(f"not checked{'' if view.over else ' yet'} · {count}", width), rows)


def _cells(texts: Sequence[str], most: int) -> int:
    """Of a column: as wide as its longest text, but no wider than `most`."""
    return min(max(map(len, texts), default=0), most)


def judged_by(view: View, width: int) -> list[Line]:
    """The run's own file of rules, where it has one."""
    if not view.rules.file:
        return []
    tone: Tone = "amber" if view.rules.refused else "quiet"
    return [fit(line((" ! " if view.rules.refused else "   ", tone), (view.rules.said, tone)), width)]
