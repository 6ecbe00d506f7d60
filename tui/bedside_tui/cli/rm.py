"""`bedside rm RUN`: delete the recording of a run that is over, checkpoints included, after asking."""

from __future__ import annotations

import argparse
import shutil
import sys

from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_run, chosen_run
from bedside_tui.draw import number
from bedside_tui.library import OVER, summarise


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace) -> int:
    place = chosen_run(options)
    summary = summarise(place)
    if summary is not None and summary.lifecycle not in OVER:
        raise Failure(f"{place.id} is {summary.lifecycle}: stop it first (bedside ctl {place.id} stop)")
    size = sum(path.stat().st_size for path in place.directory.rglob("*") if path.is_file())
    checkpoints = len(list((place.directory / "checkpoints").glob("*")))
    what = f"{place.directory} ({number.size(size)}, {checkpoints} checkpoints)"
    if not options.yes:
        if not sys.stdin.isatty():
            raise Failure(f"this deletes {what}: say --yes where nobody can be asked")
        if input(f"delete {what}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was deleted")
            return 1
    shutil.rmtree(place.directory)
    print(f"deleted {what}")
    return 0
