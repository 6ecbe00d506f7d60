"""`bedside watch [RUN]`: the records of a run as they come, one JSON object a line; it ends with the run.

The exit code is 0 whatever the run came to: judging is `check`'s business.
"""

from __future__ import annotations

import argparse
import select
import sys
from contextlib import closing

from bedside_protocol.codec import BODIES
from bedside_tui.cli import Failure
from bedside_tui.cli.following import has_caught_up, updates_of
from bedside_tui.cli.options import add_run, chosen_run
from bedside_tui.record_json import json_line, kind_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--jsonl", action="store_true", help="one JSON object a line: the only form there is, and the default")
    parser.add_argument("--kinds", type=_kinds, metavar="A,B", help=f"only records of these kinds: {', '.join(BODIES)}")
    parser.add_argument(
        "--from",
        dest="since",
        choices=("start", "now"),
        default="start",
        help="from the first record (the default), or only what comes now",
    )
    parser.add_argument(
        "--follow",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="stay until the run is over (the default), or end with what is there",
    )


def run(options: argparse.Namespace) -> int:
    if options.since == "now" and not options.follow:
        raise Failure("--from now --no-follow asks for nothing: leave one out")
    if sys.stdout is None:  # closed by who started us: there is nobody to tell
        return 0
    skipping = options.since == "now"
    with closing(updates_of(chosen_run(options))) as updates:
        for update in updates:
            if _nobody_reads():
                raise BrokenPipeError
            if update is None:
                continue
            if not skipping:
                for record in update.records:
                    if options.kinds is None or kind_of(record.body) in options.kinds:
                        print(json_line(record))
                sys.stdout.flush()
            if has_caught_up(update.status):
                skipping = False
                if not options.follow:
                    break
    return 0


def _kinds(text: str) -> frozenset[str]:
    kinds = frozenset(text.split(","))
    if unknown := sorted(kinds - BODIES.keys()):
        raise argparse.ArgumentTypeError(f"there are no records of kind {', '.join(unknown)}; there are {', '.join(BODIES)}")
    return kinds


def _nobody_reads() -> bool:
    """Whether the other end of our output's pipe is closed: a record that is never written would not tell."""
    ends = select.poll()
    ends.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in ends.poll(0))
