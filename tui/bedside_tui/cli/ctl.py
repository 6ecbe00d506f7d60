"""`bedside ctl RUN VERB`: ask a run for something and tell what became of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

from bedside_protocol.commands import LONGEST_SHELF, is_over
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import CommandChanged, Scalar, StackTaken, Verb
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_json, add_run, chosen_run, length_of_time, word_for
from bedside_tui.cli.stack_text import stack_text, threads_json
from bedside_tui.library import summarise
from bedside_tui.places import door_of
from bedside_tui.sources.command import life_of_command

ACTIONS: dict[str, Verb] = {
    "pause": "pause",
    "resume": "resume",
    "step": "step",
    "checkpoint": "checkpoint",
    "stop": "stop",
    "snapshot": "snapshot",
    "rate": "rate",
    "acknowledge": "acknowledge",
    "shelve": "shelve",
    "unshelve": "shelve",
    "notify": "notify",
    "stack": "stack",
}
NEEDS: dict[str, tuple[str, ...]] = {
    "snapshot": ("probe",),
    "rate": ("probe", "every"),
    "shelve": ("RULE", "TARGET"),
    "unshelve": ("RULE", "TARGET"),
}
"""Options without which an action says nothing."""
_OF_ALARMS: Final = frozenset({"acknowledge", "shelve", "unshelve"})


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    parser.add_argument("action", choices=ACTIONS, help="what to ask for")
    parser.add_argument("RULE", nargs="?", help="with acknowledge, shelve, unshelve: an alarm's rule; acknowledge alone: all that fire")
    parser.add_argument("TARGET", nargs="?", help="and what it is about: a metric, a probe, run")
    parser.add_argument("--checkpoint", action="store_true", help="with stop: write a checkpoint first")
    parser.add_argument("--probe", metavar="NAME", help="with snapshot and rate: which probe")
    parser.add_argument("--every", type=int, metavar="N", help="with rate: steps between two measurements; 0 measures on demand only")
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, default=3600.0, metavar="TIME", help="with shelve: 90s, 30m, 8h or 7d at most (default 1h)"
    )
    parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="seconds to wait for the outcome (default 60)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    verb = ACTIONS[options.action]
    arguments = _arguments(options)
    place = chosen_run(options)
    summary = summarise(place)
    state = summary.lifecycle
    if state in OVER:
        raise Failure(f"{place.id} is {state}: nothing can be asked of it")
    if door_of(place.id, may_command=True) is None:
        raise Failure(f"{place.id} is {state}, but has no hub on this machine: ask on the machine where it runs")
    last = None
    stacks: list[StackTaken] = []
    ranks = sum(rank["state"] in ("running", "silent", "suspended") for rank in summary.ranks)
    for news in life_of_command(place, verb, arguments, options.wait, ranks):
        if isinstance(news, CommandChanged):
            last = news
        else:
            stacks.append(news)
        if not options.json:
            print(_line(news) if isinstance(news, CommandChanged) else "\n".join(stack_text(news)), flush=True)
    if options.json:
        print(json.dumps(_to_json(last, stacks), indent=2))
    if last is None or not is_over(last.state):
        print(f"bedside: no outcome within {options.wait:g} s: bedside attach {word_for(place)} shows what becomes of it", file=sys.stderr)
        return 3
    return 0 if last.state == "applied" else 1


def _arguments(options: argparse.Namespace) -> dict[str, Scalar]:
    """What is sent with an action; an option it cannot do without is asked for."""
    action, needed = options.action, NEEDS.get(options.action, ())
    missing = [option if option.isupper() else f"--{option}" for option in needed if getattr(options, option) is None]
    if missing:
        how = f": bedside ctl RUN {action} RULE TARGET, as bedside check RUN names them" if action in _OF_ALARMS else ""
        raise Failure(f"{action} needs {' and '.join(missing)}{how}")
    if action in _OF_ALARMS:
        seconds = {"shelve": {"seconds": options.seconds}, "unshelve": {"seconds": 0.0}}.get(action, {})
        return {"rule": options.RULE or "", "target": options.TARGET or "", **seconds}
    if options.RULE is not None:
        raise Failure(f"{action} takes no {options.RULE}")
    if action == "stop" and options.checkpoint:
        return {"checkpoint": True}
    return {option: getattr(options, option) for option in needed}


def _seconds(text: str) -> float:
    """How long an alarm may be shelved."""
    seconds = length_of_time(text)
    if seconds > LONGEST_SHELF:
        raise argparse.ArgumentTypeError(f"{text}: an alarm is shelved for a week at most")
    return seconds


def _line(command: CommandChanged) -> str:
    at = f" at step {command.step:,}" if command.step >= 0 else ""
    detail = f": {safe(command.detail, 500)}" if command.detail else ""
    return f"{command.verb} {command.state}{at}{detail}"


def _to_json(command: CommandChanged | None, stacks: Sequence[StackTaken]) -> dict[str, object]:
    if command is None:
        return {"state": "unknown"}
    said = {"id": command.id, "verb": command.verb, "state": command.state, "step": command.step, "detail": safe(command.detail, 500)}
    return {**said, "threads": threads_json(stacks)}
