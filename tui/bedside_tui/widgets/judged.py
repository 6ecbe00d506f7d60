"""What stands below the list of alarms: the review of a run that is over, what its script expects, what no rule can judge yet, and by
which rules it is judged."""

from __future__ import annotations

from bedside_tui.draw import number
from bedside_tui.store.view import View
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, fit, line, pad, rule, wrapped
from bedside_tui.widgets.panels.blocks import Block, stacked

_STATES: dict[str, tuple[str, Tone]] = {"met": ("● met", "ok"), "not yet": ("◌ not yet", "quiet")}
_BROKEN: dict[str, tuple[str, Tone]] = {"red": ("✖ broken", "red"), "amber": ("▲ broken", "amber")}


def below(view: View, width: int, height: int) -> list[Line]:
    """The sections that have something to say, each with its head, in at most `height` lines."""
    last = judged_by(view, width)
    parts = [part for part in (reviewed(view, width), expected(view, width), not_judged(view, width)) if part]
    lines = stacked([_cut(part) for part in parts], height - len(last) - (1 if last and parts else 0))
    return [*lines, *([()] if last and lines else []), *last][: max(0, height)]


def _cut(lines: list[Line]) -> Block:
    """A section that says how much of it is not shown."""

    def draw(height: int) -> list[Line]:
        if height >= len(lines):
            return lines
        return [*lines[: height - 1], line((f"   +{len(lines) - height + 1} more", "quiet"))]

    return Block(draw, min(2, len(lines)), len(lines))


def reviewed(view: View, width: int) -> list[Line]:
    """The remarks on a run that is over: worth knowing, never alarms."""
    if not view.review:
        return []
    cells = min(max(len(remark.target) for remark in view.review), max(8, width // 5))
    lines: list[Line] = [rule(f"review · {number.count(len(view.review))} {'remark' if len(view.review) == 1 else 'remarks'}", width)]
    for remark in view.review:
        parts = wrapped(remark.text, max(20, width - cells - 7)) or [""]
        for place, part in enumerate(parts):
            lines.append(fit(line(f"   {pad('' if place else remark.target, cells)}  ", (part, "plain")), width))
    return lines


def expected(view: View, width: int) -> list[Line]:
    """What the script expects, and how that stands; what is broken first."""
    if not view.expectations:
        return []
    order = {"broken": 0, "not yet": 1, "met": 2}
    met = sum(each.state == "met" for each in view.expectations)
    cells = min(max(len(each.text) for each in view.expectations), max(16, width * 2 // 5))
    lines: list[Line] = [rule(f"expected by the script · {met} of {len(view.expectations)} met", width)]
    for each in sorted(view.expectations, key=lambda each: order[each.state]):
        word, tone = _BROKEN[each.severity] if each.state == "broken" else _STATES[each.state]
        lines.append(fit(line(" ", (pad(word, 10), tone), pad(each.text, cells) + "  ", (each.said, "quiet")), width))
    return lines


def not_judged(view: View, width: int) -> list[Line]:
    """The rules that cannot judge yet, and why."""
    if not view.not_checked:
        return []
    name = min(24, max(12, width // 4))
    lines: list[Line] = [rule(f"not checked yet · {number.count(len(view.not_checked))}", width)]
    for rule_name, target, why in view.not_checked:
        title = pad(view.rules.title(rule_name), name)
        lines.append(fit(line((f"   {title} ", "plain"), pad(target, name) + " ", (why, "quiet")), width))
    return lines


def judged_by(view: View, width: int) -> list[Line]:
    """The run's own file of rules, where it has one."""
    if not view.rules.file:
        return []
    tone: Tone = "amber" if view.rules.refused else "quiet"
    return [fit(line((" ! " if view.rules.refused else "   ", tone), (view.rules.said, tone)), width)]
