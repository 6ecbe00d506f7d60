"""`bedside runs`: the runs of this machine, newest first."""

from __future__ import annotations

import argparse
import json
import sys
import time

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli.options import add_directory, add_json
from bedside_tui.cli.text import runs_table
from bedside_tui.library import Library
from bedside_tui.places import roots


def arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    library = Library(roots(options.dir))
    summaries = library.summaries()
    if options.json:
        print(json.dumps([summary.to_json() for summary in summaries], indent=2, allow_nan=False))
    else:
        print(runs_table(summaries, time.time()))
    for why in library.unreadable:
        print(f"bedside: {safe(why, 1000)}", file=sys.stderr)
    return 0
