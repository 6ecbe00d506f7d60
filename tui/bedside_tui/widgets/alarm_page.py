"""One alarm opened: what was found and when somebody should look, what is safe, what was done, and the runbook."""

from __future__ import annotations

import math

from bedside_protocol.alerts.checkpoints import damaging
from bedside_protocol.alerts.rule_words import condition_words, fires, watched
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.sanitise import text as safe
from bedside_tui.draw import number
from bedside_tui.store.view import AlertView, CommandView, View
from bedside_tui.theme import Tone
from bedside_tui.widgets.alarms import STATES, alarm_state, shelf
from bedside_tui.widgets.lines import Line, ends, fit, line, wrapped

LONGEST_WHO = 100
"""Characters of a name of who asked that the hub keeps."""

LABEL = 9
"""Cells of the label column: one blank, the longest label, two blanks."""


def opened(alert: AlertView, view: View, width: int, beside: str = "") -> list[Line]:
    """One alarm as in a book: when, what, why, look, fixed, and with whom it came. `beside`: a run to compare this one with."""
    word, tone = alarm_state(alert)
    ago = max(0, view.step - alert.fired_step)
    when = f"fired at {number.count(alert.fired_step)} · {f'{number.count(ago)} steps ago' if ago else 'at this step'}"
    when += " · first" if alert.first_out else ""
    if alert.cleared_step is not None:
        when += f" · cleared at {number.count(alert.cleared_step)}"
    name = line((f" {word}  ", tone), (f"{alert.title} · {alert.target}", "strong"))
    lines = [ends(name, line((f"{when} ", "quiet")), width), ()]
    lines += _entry("found", [alert.message or "—"], width, "strong")
    if alert.state == "firing" and not view.over:
        lines += _entry("when", [_urgency(alert)], width)
    lines += _entry("ckpt", _checkpoints(alert, view), width)
    lines += _entry("done", [_deed(command) for command in _asked_by(alert, view)], width)
    lines += _book(alert, width, beside)
    lines += _entry("rule", _rule(alert, view), width, "quiet")
    lines += _entry("with", _company(alert, view), width, "quiet")
    if alert.acknowledged:
        lines += _entry("seen", [f"by {alert.acknowledged}"], width, "quiet")
    if alert.shelved_until:
        lines += _entry("aside", [f"{shelf(alert)}: s takes it from the shelf"], width, "quiet")
    return lines


def _urgency(alert: AlertView) -> str:
    if alert.horizon == "hour":
        return "within the hour: the run may go on until then"
    return "stop now: what runs on is in vain" if alert.severity == "red" else "look now: it may have to be stopped"


def _checkpoints(alert: AlertView, view: View) -> list[str]:
    """For an alarm that tells of damaged weights: what is safe."""
    if alert.rule not in damaging(view.rules.rules.values()):
        return []
    if not view.checkpoints:
        return [f"none was saved{'' if view.over else ' so far'}"]
    good = view.last_good
    suspect = sum(saved.suspect and (good is None or saved.time > good.time) for saved in view.checkpoints)
    later = f"; {number.count(suspect)} saved since {'is' if suspect == 1 else 'are'} suspect" if suspect else ""
    if good is None:
        return [f"there is no good checkpoint{later}"]
    return [f"the last good one is step {number.count(good.step)}: {good.path}{later}"]


def _asked_by(alert: AlertView, view: View) -> list[CommandView]:
    """What the rule had done in this episode, oldest first."""
    who = f"rule {alert.rule} on {alert.target}"[:LONGEST_WHO]
    same = (other for other in view.alerts if (other.rule, other.target) == (alert.rule, alert.target))
    until = min((other.fired_time for other in same if other.fired_time > alert.fired_time), default=math.inf)
    return [command for command in reversed(view.commands) if command.who == who and alert.fired_time <= command.life[0][0] < until]


def _deed(command: CommandView) -> str:
    """`checkpoint asked by this rule: saved ckpt/step_000812.pt`."""
    where = f" at step {number.count(command.step)}" if command.step >= 0 else ""
    said = command.detail or f"{command.state}{where}"
    said = said if command.state == "applied" or not command.detail else f"{command.state}, {said}"
    return f"{command.verb} asked by this rule: {said}"


def _book(alert: AlertView, width: int, beside: str) -> list[Line]:
    book = RUNBOOKS.get(alert.runbook) or RUNBOOKS.get(alert.rule)
    if book is None:
        return _entry("what", ['no runbook for this rule: in its file, runbook = "NAME" gives it one'], width, "quiet")
    return [
        *_entry("what", [book.what], width),
        *_entry("why", [f"{place}  {cause}" for place, cause in enumerate(book.why, start=1)], width),
        *_entry("look", [f"{key}  {where}" for key, where in (*book.look, *([("=", f"compare with {beside}")] if beside else ()))], width),
        *_entry("fixed", [f"·  {cure}" for cure in book.fixed], width),
    ]


def _rule(alert: AlertView, view: View) -> list[str]:
    """What a rule says that is not as built in: whose it is, what it looks at and when it fires."""
    rules, rule = view.rules, view.rules.rules.get(alert.rule)
    origin = "changed" if alert.rule in rules.changed else "added" if alert.rule in rules.added else ""
    if rule is None or not origin:
        return []
    conditions = " or ".join(condition_words(condition) for condition in rule.conditions)
    return [safe(f"{origin} by {rules.file}: {watched(rule.watch)}; {conditions}; {fires(rule)}", 400)]


def _company(alert: AlertView, view: View) -> list[str]:
    """The other alarms that stand now."""
    others = [other for other in view.alarms if (other.rule, other.target) != (alert.rule, alert.target)]
    said = [f"{STATES[other.severity][0]} {other.title} · {other.target} ({number.count(other.fired_step)})" for other in others[:3]]
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
