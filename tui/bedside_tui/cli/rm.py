"""`bedside rm RUN`: delete the recording of a run that is over, checkpoints included, after asking.

Only what bedside and the run's own checkpoint handler put there is deleted. A directory that holds anything else is left whole: a recording
may have been copied to where a person keeps other things.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import FAULT_FILES, HUB_LOG_NAME, LEFT_NAME, LOCK_NAME, LOG_NAME
from bedside_protocol.sanitise import text as safe
from bedside_tui import visits
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_run, chosen_run, word_for
from bedside_tui.draw import number
from bedside_tui.launch import OUTPUT_NAME
from bedside_tui.library import summarise
from bedside_tui.liveness import writer_lives
from bedside_tui.places import RunPlace, Unreadable

CHECKPOINTS: Final = "checkpoints"
LEFT_FILES: Final = LEFT_NAME.replace(".", ".*.", 1)
"""What ranks other than 0 left behind."""
OURS: Final = frozenset({LOG_NAME, HUB_LOG_NAME, LOCK_NAME, LEFT_NAME, f".{LEFT_NAME}", visits.NAME, OUTPUT_NAME, CHECKPOINTS})


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace) -> int:
    place = chosen_run(options)
    _refuse_living(place)
    what = _what(place)
    if not options.yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise Failure(f"this deletes {what}: say --yes where nobody can be asked")
        if input(f"delete {safe(what, 1000)}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was deleted")
            return 1
    try:
        shutil.rmtree(place.directory)
    except OSError as error:
        raise Failure(f"{place.directory} could not be deleted whole: {error}") from error
    print(f"deleted {safe(what, 1000)}")
    return 0


def _refuse_living(place: RunPlace) -> None:
    try:
        state = summarise(place).lifecycle
    except Unreadable:
        if writer_lives(place.directory):
            raise Failure(f"{place.id} is about to begin: its hub holds it") from None
        return
    if state not in OVER:
        raise Failure(f"{place.id} is {state}: stop it first (bedside ctl {word_for(place)} stop)")


def _what(place: RunPlace) -> str:
    """What deleting this run takes away. Raises `Failure` where that would be more than a run."""
    directory = place.directory
    if directory.is_symlink():
        raise Failure(f"{directory} is a link to {directory.resolve()}: name that")
    entries = {entry.name for entry in directory.iterdir()}
    unknown = sorted(name for name in entries - OURS if not (fnmatch(name, FAULT_FILES) or fnmatch(name, LEFT_FILES)))
    if strangers := unknown or ([] if place.log.name == LOG_NAME else [place.log.name]):
        raise Failure(f"{directory} holds more than a run ({', '.join(strangers[:3])}): delete what you mean by hand")
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    checkpoints = sum(1 for path in files if Path(CHECKPOINTS) in path.relative_to(directory).parents)
    size = number.size(sum(path.stat().st_size for path in files))
    return f"{directory} ({size}{f', {checkpoints} checkpoints' if checkpoints else ''})"
