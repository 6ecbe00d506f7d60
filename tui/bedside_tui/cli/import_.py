"""`bedside import FILE|DIR`: an old run of another program as a recording, judged by the built-in rules.

Read are CSV (long and wide), JSON lines (of trainers, and those of `bedside export --jsonl`), `trainer_state.json`, TensorBoard's event
files (their scalars) and W&B's offline files (`run-….wandb`). One line says what was read and what was not.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_json
from bedside_tui.cli.text import HEALTH
from bedside_tui.importing.columns import Columns, NoSuchColumn
from bedside_tui.importing.imported import Imported
from bedside_tui.importing.left_out import in_words
from bedside_tui.importing.run import import_run
from bedside_tui.output import Unwritable
from bedside_tui.places import roots


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("PATH", type=Path, help="a file, or a directory of one run")
    parser.add_argument("--out", type=Path, metavar="D", help="the directory to import into (default: the one that holds your runs)")
    parser.add_argument("--map", action="append", default=[], metavar="NAME=COLUMN", help="call a metric otherwise; may be said again")
    parser.add_argument("--step", metavar="COLUMN", help="the column that is the step")
    parser.add_argument("--time", metavar="COLUMN", help="the column that is the time, in seconds or as a date and time")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    out = roots(options.out)[0]
    try:
        made = import_run(options.PATH.expanduser(), out, Columns(options.step, options.time), _renamed(options.map))
    except NoSuchColumn as error:
        raise Failure(f"{options.PATH}: {error}") from error
    except Unwritable as error:
        raise Failure(str(error)) from error
    print(json.dumps(to_json(made), indent=2) if options.json else to_text(made, options.PATH))
    return 0


def _renamed(words: list[str]) -> dict[str, str]:
    """From the file's names to the new ones."""
    pairs = [word.partition("=") for word in words]
    if wrong := [word for word, (name, _, column) in zip(words, pairs, strict=True) if not name or not column]:
        raise Failure(f"--map {wrong[0]!r}: say NAME=COLUMN, the new name first")
    return {column: name for name, _, column in pairs}


def to_json(made: Imported) -> dict[str, object]:
    """The documented object of `import --json`. `left_out`: what was not read, with counts (0 for what has none)."""
    return {
        "id": made.id,
        "log": str(made.log),
        "form": made.form,
        "verdict": made.verdict,
        "records": made.records,
        "values": made.values,
        "metrics": made.metrics,
        "first_step": made.first_step,
        "last_step": made.last_step,
        "notes": [safe(note, 500) for note in made.notes],
        "left_out": {safe(what, 500): count for what, count in made.left_out.items()},
    }


def to_text(made: Imported, path: Path) -> str:
    """The same on one line."""
    if made.records:
        read = f"{made.records:,} records"
    else:
        metrics = f"{made.metrics:,} metric{'' if made.metrics == 1 else 's'}"
        read = f"{made.values:,} values of {metrics}, steps {made.first_step:,} to {made.last_step:,},"
    parts = [f"read {read} from {path} into {made.log.parent}: {HEALTH[made.verdict]}", *made.notes]
    return safe("; ".join([*parts, *([f"not read: {in_words(made.left_out)}"] if made.left_out else [])]), 2000)
