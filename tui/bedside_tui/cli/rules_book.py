"""The built-in alarms as one document, docs/alarms.md: what each means, when it fires, what to do about it. Made from the rules and their
runbooks, so that it says what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rule_words import condition_words, fires, warming_up, watched
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.alerts.runbooks import RUNBOOKS

_HEAD: Final = """\
# The alarms

What every run is judged by unless its own rules say otherwise ([rules.md](rules.md)). The viewer opens the same page beside each alarm.
Amber is worth a look, red is worth stopping for; *now* is said of what runs on in vain, *within the hour* of what can wait that long. Made
by `bedside rules book`.

- A metric or probe that stops arriving is judged no more. What fires on it goes on firing; what was never judged stays *not checked*, with
  the reason. Only where no step is made at all that is an alarm of its own (*stalled*).
- Where the steps go back the run was resumed: what fires on its metrics and probes is over, and levels, peaks and evidence begin anew.
  Rules that compare with the beginning of a training are *not checked* from then on.
- Values that are not finite are told by *not a number* and left out of every other rule.
- A checkpoint saved during a red alarm on the model that says *now*, or during an explosion or a lost level, is *suspect*.
"""
_WHEN: Final = {"now": "now", "hour": "within the hour"}


def document() -> str:
    """The whole of docs/alarms.md."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    books = [(name, list(alike)) for name, alike in groupby(DEFAULT_RULES, key=lambda rule: rule.name)]
    yield _HEAD
    yield "| alarm | it means | look |\n|---|---|---|"
    for name, alike in books:
        what = RUNBOOKS[alike[0].runbook].what
        yield f"| [{alike[0].title}](#{name}) | {what} | {_WHEN[alike[0].horizon]} |"
    yield ""
    for name, alike in books:
        yield f"## {name}\n"
        yield from _about(alike)


def _about(alike: Sequence[Rule]) -> Iterator[str]:
    book = RUNBOOKS[alike[0].runbook]
    yield f"**{alike[0].title}**: {book.what}.\n"
    for rule in alike:
        conditions = "; or ".join(condition_words(condition) for condition in rule.conditions)
        grace = f"; not before {warming_up(rule)}" if warming_up(rule) else ""
        yield f"- {watched(rule.watch)}: {conditions}. Fires {fires(rule)}{grace}."
    yield ""
    yield from _several("Likely causes", book.why)
    yield from _several("Look", [f"`{key}` {what}" for key, what in book.look])
    yield from _several("Fixed by", book.fixed)


def _several(title: str, sentences: Sequence[str]) -> Iterator[str]:
    yield f"{title}:\n"
    yield from (f"- {sentence}" for sentence in sentences)
    yield ""
