"""`bedside check RUN`: judge a recording again; the exit code is the verdict (0 ok, 1 amber, 2 red, 3 unknown).

It judges by the rules of `--rules`; where none are given, by those that the recording keeps (the last declared, where a run went on with
others); where it keeps none, or some that this version cannot read, by the built-in ones. After the alarms comes what is known of the
checkpoints, and the review: remarks, of which the exit code knows nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from bedside_protocol.alerts.checkpoints import last_good_of, suspects_of
from bedside_protocol.alerts.judge import Judgement, judge
from bedside_protocol.alerts.review import Review
from bedside_protocol.alerts.rule_file import RuleFile, RuleFileError, read_rules
from bedside_protocol.alerts.rule_reach import Reach
from bedside_protocol.records import Record, RulesDeclared
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli.options import add_json, add_run, chosen_run
from bedside_tui.cli.rules import BUILT_IN, add_rules, rules_of
from bedside_tui.cli.text import HEALTH
from bedside_tui.library import read_recording
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace

_BUILT_IN: Final = "built in"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_rules(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    given = rules_of(options) if options.rules else None  # a file that is refused is said before a recording is read
    place = chosen_run(options)
    rules, whose = (given, given.name or _BUILT_IN) if given else kept_rules(place)
    judgement = judged(place, rules)
    print(json.dumps(to_json(judgement, whose), indent=2, allow_nan=False) if options.json else to_text(judgement, whose))
    return judgement.exit_code


def kept_rules(place: RunPlace) -> tuple[RuleFile, str]:
    """The rules that a recording keeps, and whose they are in words. Raises `Unreadable` where there is nothing to read."""
    kept = read_recording(place, _last_declared)
    if kept is None:
        return BUILT_IN, _BUILT_IN
    name = safe(kept.name)
    try:
        return read_rules(kept.text, name), f"{name} (kept in the recording)"
    except RuleFileError as error:
        return BUILT_IN, f"{_BUILT_IN}: {name}, kept in the recording, cannot be read by this version ({safe(error.slips[0])})"


def _last_declared(records: Iterator[Record], heard: float) -> RulesDeclared | None:
    last = None
    for record in records:
        if isinstance(record.body, RulesDeclared):
            last = record.body
    return last


def judged(place: RunPlace, rules: RuleFile = BUILT_IN) -> Judgement:
    """The rules' judgement of a recording, with its review; a rule of the file that looks at nothing there is not checked. Raises
    `Unreadable` where there is nothing to read."""
    word, reach, review = LastWord(), Reach(), Review()

    def noted(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            word.take((record,))
            reach.take(record)
            review.take(record)
            yield record

    judgement, heard = read_recording(place, lambda records, heard: (judge(noted(records), rules.rules), heard))
    idle = tuple((name, "", why) for name, why in reach.idle(rules.rules, rules.origins))
    ended = word.now(place.directory, max(0.0, time.time() - heard))[0]
    return replace(judgement, ended=ended, not_checked=(*judgement.not_checked, *idle), review=review.remarks)


def to_json(judgement: Judgement, rules: str = _BUILT_IN) -> dict[str, Any]:
    """The documented object of `check --json`; `rules` tells whose rules judged."""
    return {
        "verdict": judgement.verdict,
        "rules": safe(rules, 500),
        "steps": judgement.steps,
        "ended": judgement.ended,
        "alerts": [
            {
                "rule": alert.rule,
                "severity": alert.severity,
                "target": safe(alert.target),
                "first_step": alert.first_step,
                "step": alert.step,
                "value": alert.value if math.isfinite(alert.value) else None,
                "message": safe(alert.message),
                "runbook": alert.runbook,
                "horizon": alert.horizon,
            }
            for alert in judgement.alerts
        ],
        "checkpoints": [
            {"step": each.step, "path": safe(each.path, 500), "suspect_of": each.suspect_of or None} for each in judgement.checkpoints
        ],
        "review": [
            {"name": each.name, "target": safe(each.target), "text": safe(each.text), "numbers": dict(each.numbers)}
            for each in judgement.review
        ],
        "not_checked": [{"rule": rule, "why": safe(f"{target}: {why}" if target else why)} for rule, target, why in judgement.not_checked],
    }


def to_text(judgement: Judgement, rules: str = _BUILT_IN) -> str:
    """The same for a person."""
    lines = [f"{HEALTH[judgement.verdict]}  ·  {judgement.ended} at step {judgement.steps:,}"]
    if rules != _BUILT_IN:
        lines.append(f"  rules: {safe(rules, 500)}")
    for alert in judgement.alerts:
        symbol = "✖ RED  " if alert.severity == "red" else "▲ AMBER"
        when = "" if alert.horizon == "now" else " (within the hour)"
        lines.append(f"  {symbol}  {alert.rule} on {safe(alert.target)} at step {alert.step:,}: {safe(alert.message)}{when}")
    lines += _of_checkpoints(judgement)
    if judgement.review:
        lines.append("review")
        lines += [f"  {safe(each.target)}: {safe(each.text)}" for each in judgement.review]
    if judgement.not_checked:
        lines.append("not checked")
        lines += [
            f"  {rule} on {safe(target)}: {safe(why)}" if target else f"  {rule}: {safe(why)}"
            for rule, target, why in judgement.not_checked
        ]
    return "\n".join(lines)


def _of_checkpoints(judgement: Judgement) -> list[str]:
    """The last good checkpoint, where a later one is suspect."""
    suspects, good = suspects_of(judgement.checkpoints), last_good_of(judgement.checkpoints)
    if not suspects:
        return []
    later = f"{len(suspects)} later {'one is' if len(suspects) == 1 else 'ones are'} suspect: {suspects[0].suspect_of}"
    if good is None:
        return [f"  no good checkpoint: {len(suspects)} saved, all suspect: {suspects[0].suspect_of}"]
    return [f"  last good checkpoint: {safe(good.path, 500)} (step {good.step:,}); {later}"]
