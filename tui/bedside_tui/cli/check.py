"""`bedside check RUN`: judge a recording again with the rules; the exit code is the verdict (0 ok, 1 amber, 2 red, 3 unknown)."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bedside_protocol.alerts.judge import Judgement, judge
from bedside_protocol.alerts.rule_file import RuleFile
from bedside_protocol.alerts.rule_reach import Reach
from bedside_protocol.records import Record
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli.options import add_json, add_run, chosen_run
from bedside_tui.cli.rules import BUILT_IN, add_rules, rules_of
from bedside_tui.cli.text import HEALTH
from bedside_tui.library import read_recording
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_rules(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    rules = rules_of(options)  # a file that is refused is said before a recording is read
    judgement = judged(chosen_run(options), rules)
    print(json.dumps(to_json(judgement), indent=2, allow_nan=False) if options.json else to_text(judgement))
    return judgement.exit_code


def judged(place: RunPlace, rules: RuleFile = BUILT_IN) -> Judgement:
    """The rules' judgement of a recording; a rule of the file that looks at nothing there is not checked. Raises `Unreadable` where there
    is nothing to read."""
    word, reach = LastWord(), Reach()

    def noted(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            word.take((record,))
            reach.take(record)
            yield record

    judgement, heard = read_recording(place, lambda records, heard: (judge(noted(records), rules.rules), heard))
    idle = tuple((name, "", why) for name, why in reach.idle(rules.rules, rules.origins))
    ended = word.now(place.directory, max(0.0, time.time() - heard))[0]
    return replace(judgement, ended=ended, not_checked=(*judgement.not_checked, *idle))


def to_json(judgement: Judgement) -> dict[str, Any]:
    """The documented object of `check --json`."""
    return {
        "verdict": judgement.verdict,
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
            }
            for alert in judgement.alerts
        ],
        "not_checked": [{"rule": rule, "why": safe(f"{target}: {why}" if target else why)} for rule, target, why in judgement.not_checked],
    }


def to_text(judgement: Judgement) -> str:
    """The same for a person."""
    lines = [f"{HEALTH[judgement.verdict]}  ·  {judgement.ended} at step {judgement.steps:,}"]
    for alert in judgement.alerts:
        symbol = "✖ RED  " if alert.severity == "red" else "▲ AMBER"
        lines.append(f"  {symbol}  {alert.rule} on {safe(alert.target)} at step {alert.step:,}: {safe(alert.message)}")
    if judgement.not_checked:
        lines.append("not checked")
        lines += [
            f"  {rule} on {safe(target)}: {safe(why)}" if target else f"  {rule}: {safe(why)}"
            for rule, target, why in judgement.not_checked
        ]
    return "\n".join(lines)
