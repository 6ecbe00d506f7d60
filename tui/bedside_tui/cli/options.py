"""Arguments that several verbs share, defined once."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from pathlib import Path
from typing import Final

from bedside_protocol.places import LOG_NAME
from bedside_tui.places import RunPlace, find_run, roots

SMALLEST, LARGEST = (20, 5), (1000, 500)
"""Columns and rows between which something can be drawn, and of which nobody has more."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def add_run(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """`RUN`, and where to look for it."""
    meaning = "a run's id, the beginning of one, its directory, a directory with one run in it, or a file"
    if required:
        parser.add_argument("RUN", help=meaning)
    else:
        parser.add_argument("RUN", nargs="?", help=f"{meaning}; the newest run if left out")
    add_directory(parser)


def add_directory(parser: argparse.ArgumentParser) -> None:
    """`--dir`: another directory that holds runs."""
    parser.add_argument(
        "--dir", type=Path, metavar="D", help="the directory that holds runs (default: BEDSIDE_DIR, else your state directory)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the machine-readable form."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_look(parser: argparse.ArgumentParser) -> None:
    """How the screen is drawn."""
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII alone")
    parser.add_argument("--theme", choices=("dark", "light", "ansi", "mono"), help="colours (default: what the terminal can show)")


def add_read_only(parser: argparse.ArgumentParser) -> None:
    """`--read-only`: look, do not command."""
    parser.add_argument("--read-only", action="store_true", help="look only: no key reaches the training")


def length_of_time(text: str) -> float:
    """Seconds of `90s`, `30m`, `8h` or `7d`, more than none."""
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no length of time: write 90s, 30m, 8h or 7d")
    return seconds


def size_of(text: str) -> tuple[int, int]:
    """Columns and rows of `80x24`."""
    found = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(low <= it <= high for low, it, high in zip(SMALLEST, size, LARGEST, strict=True)):
        low, high = ("x".join(map(str, bound)) for bound in (SMALLEST, LARGEST))
        raise argparse.ArgumentTypeError(f"{text} is no size: write columns and rows such as 80x24, from {low} to {high}")
    return size


def chosen_run(options: argparse.Namespace) -> RunPlace:
    """The run that `RUN` and `--dir` mean; raises `NoSuchRun`."""
    return find_run(options.RUN, roots(options.dir))


def word_for(place: RunPlace) -> str:
    """The shortest `RUN` that means this recording from any directory, ready for a shell."""
    return shlex.quote(place.id if place.log in {root / place.id / LOG_NAME for root in roots()} else str(place.directory))
