"""`bedside probe SCRIPT --checkpoints GLOB …`: what the script's own probes say of checkpoints it has saved, in one table.

The script is started once for each, held at its weights for a few steps, and ended; nothing is saved. Arguments of the script stand behind
`--`. Exit codes: 0 all were measured, 1 some were not, 3 none was, 130 interrupted; what was measured by then is printed all the same.
"""

from __future__ import annotations

import argparse
import glob
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Final

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import INTERRUPTED, USAGE_ERROR, Failure
from bedside_tui.cli.options import add_directory, add_json
from bedside_tui.compare.checkpoints import Table, checkpoint_table
from bedside_tui.compare.grids import checkpoint_columns
from bedside_tui.compare.lines import NOTHING, Cell, Column, Grid, drawn, plain
from bedside_tui.compare.runs import Run
from bedside_tui.draw import number
from bedside_tui.measuring import Outcome, Script, in_order, measure, natural
from bedside_tui.places import roots

SOME_FAILED: Final = 1
_NARROWEST, _WIDEST = 40, 200


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "bedside probe SCRIPT --checkpoints GLOB … [--steps N] [--dir D] [--json] [-- ARGUMENT …]"
    parser.add_argument("SCRIPT", help="the training script, as it is: it calls bedside.init and run.watch")
    parser.add_argument("ARGUMENTS", nargs=argparse.REMAINDER, help="behind --: the script's own")
    _options(parser)
    parser.epilog = "Exit codes: 0 all were measured, 1 some were not, 3 none was, 130 interrupted."


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoints", nargs="+", action="extend", default=[], metavar="GLOB", help="files, such as 'out/*.pt'")
    parser.add_argument("--steps", type=_count, metavar="N", help="steps with each (default: as many as the probes need, 50 at most)")
    add_directory(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    script = _script(options)
    checkpoints = _found(options.checkpoints)
    outcomes, interrupted = _measured(script, checkpoints)
    print(json.dumps(to_json(outcomes), indent=2, allow_nan=False) if options.json else to_text(outcomes, _width()))
    if interrupted:
        print(f"bedside: interrupted after {len(outcomes)} of {len(checkpoints)}", file=sys.stderr)
        return INTERRUPTED
    failed = sum(each.measured is None for each in outcomes)
    return 0 if not failed else USAGE_ERROR if failed == len(outcomes) else SOME_FAILED


def _script(options: argparse.Namespace) -> Script:
    """What the command line says. Everything behind SCRIPT arrives in one piece, because some of it may be the script's."""
    words: list[str] = options.ARGUMENTS
    cut = words.index("--") if "--" in words else len(words)
    ours = argparse.ArgumentParser(prog="bedside probe", add_help=False, exit_on_error=False)
    _options(ours)
    try:
        _, unknown = ours.parse_known_args(words[:cut], options)
    except argparse.ArgumentError as error:
        raise Failure(str(error)) from None
    if unknown:
        raise Failure(f"{unknown[0]} is no option of `bedside probe`: arguments of the script stand behind --")
    if not options.checkpoints:
        raise Failure("which checkpoints? say --checkpoints 'out/*.pt'")
    if not os.path.isfile(options.SCRIPT):
        raise Failure(f"there is no script {options.SCRIPT}")
    directory = roots(options.dir)[0].absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Failure(f"{directory} cannot be used: {error.strerror or error}") from error
    return Script(options.SCRIPT, tuple(words[cut + 1 :]), directory, options.steps)


def _found(globs: Sequence[str]) -> list[str]:
    """The files that are meant, each once, in natural order."""
    found: set[str] = set()
    for pattern in globs:
        here = {pattern} if os.path.exists(pattern) else set(glob.glob(os.path.expanduser(pattern), recursive=True))
        if not here:
            raise Failure(f"no file is called {pattern}")
        found |= here
    return sorted(found, key=natural)


def _measured(script: Script, checkpoints: Sequence[str]) -> tuple[list[Outcome], bool]:
    """What became of each, and whether a person interrupted; what was measured by then is kept."""
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        for order, checkpoint in enumerate(checkpoints, 1):
            each = (time.monotonic() - began) / len(outcomes) if outcomes else math.nan
            told = _Progress(order, len(checkpoints), checkpoint, each)
            outcomes.append(measure(script, checkpoint, order, told))
            told.done(outcomes[-1].why)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return outcomes, True
    except OSError as error:
        raise Failure(f"{script.path} cannot be measured in {script.directory}: {error.strerror or error}") from error
    return outcomes, False


class _Progress:
    """What is said on stderr of one checkpoint. `each`: seconds those before took on average, NaN for the first."""

    def __init__(self, order: int, count: int, checkpoint: str, each: float) -> None:
        self._head = f"{order} of {count}  {safe(checkpoint)}"
        self._left = count - order + 1
        self._each = each
        self._terminal = sys.stderr.isatty()

    def __call__(self, seconds: float) -> None:
        if self._terminal:
            left = self._each * self._left - seconds
            about = f", about {number.duration(max(0.0, left))} left" if math.isfinite(left) else ""
            self._say(f"{self._head}  {number.duration(seconds)}{about}", end="")

    def done(self, why: str) -> None:
        self._say(f"{self._head}  {f'not measured: {why}' if why else 'measured'}", end="\n")

    def _say(self, text: str, end: str) -> None:
        if self._terminal:
            text = "\r\x1b[K" + (text if end == "\n" else text[: shutil.get_terminal_size().columns - 1])
        print(text, end=end, file=sys.stderr, flush=True)


def to_text(outcomes: Sequence[Outcome], size: int) -> str:
    """The table of what was measured, what is the same in all rows, and what a reader must know."""
    ordered = in_order(outcomes)
    table = table_of(ordered)
    rows = [each for each in ordered if each.measured is not None]
    lines: list[str] = []
    told = [f"not measured: {each.checkpoint}: {each.why}" for each in ordered if each.measured is None] + remarks(ordered)
    if rows:
        labels = Column(Cell("checkpoint"), [Cell(_label(each)) for each in rows])
        columns = checkpoint_columns(table) or [Column(Cell("nothing differs"), [NOTHING] * len(rows))]
        lines = [*plain(drawn(Grid(labels, columns), size)).split("\n"), ""]
        if len(rows) > 1 and (alike := _alike(table)):
            told.append(f"the same in all rows: {alike}")
    lines += [line for each in told for line in wrap(each, size, initial_indent=" ", subsequent_indent="   ")]
    return "\n".join(safe(line, 4000) for line in lines)


def _alike(table: Table) -> str:
    """The quantities that are the same in all rows, probe by probe."""
    names: dict[str, list[str]] = {}
    for place, each in enumerate(table.quantities):
        if not table.differs(place):
            names.setdefault(each.probe or "metrics", []).append(each.scalar.replace("_", " "))
    return "; ".join(f"{probe}: {', '.join(scalars)}" for probe, scalars in names.items())


def to_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The documented object of `probe --json`."""
    ordered = in_order(outcomes)
    table = table_of(ordered)
    values = iter(table.rows)
    return {
        "checkpoints": [
            {
                "checkpoint": safe(each.checkpoint, 1000),
                "step": each.step,
                "told_by": each.measured.told_by if each.measured else "",
                "weights": each.measured.weights if each.measured else "",
                "steps": each.measured.steps if each.measured else 0,
                "data": each.measured.data if each.measured else "",
                "log": str(each.place.log) if each.measured else None,
                "why": each.why or None,
                "values": _values(table, next(values).values) if each.measured else {},
            }
            for each in ordered
        ],
        "quantities": [
            {"name": each.name, "probe": each.probe, "scalar": each.scalar, "direction": each.direction, "best": sorted(best)}
            for each, best in zip(table.quantities, table.best, strict=True)
        ],
        "remarks": [safe(remark, 1000) for remark in remarks(ordered)],
    }


def table_of(ordered: Sequence[Outcome]) -> Table:
    """A row for each checkpoint that was measured, in this order."""
    views = [(each.checkpoint, each.view) for each in ordered if each.view is not None]
    return checkpoint_table([Run(place, name, view) for place, (name, view) in enumerate(views)])


def remarks(ordered: Sequence[Outcome]) -> list[str]:
    """What a reader of the table must know."""
    measured = [(each.checkpoint, each.measured) for each in ordered if each.measured is not None]
    if not measured:
        return []
    first, before = measured[0]
    other = [name for name, each in measured if each.data != before.data]
    found = [f"other data than {first} in the first step: {', '.join(other)}; seed what the script draws them with"] if other else []
    if any(each.measured is not None and each.step is None for each in ordered):
        found.append("not all checkpoints tell their step: they stand as they were listed")
    if len({each.weights for _, each in measured}) > 1:
        found.append("weights from " + ", ".join(f"{each.weights or 'the whole'} of {name}" for name, each in measured))
    return found


def _values(table: Table, values: Sequence[float | None]) -> dict[str, float | None]:
    known = zip(table.quantities, values, strict=True)
    return {each.name: value if math.isfinite(value) else None for each, value in known if value is not None}


def _label(outcome: Outcome) -> str:
    return f"{number.count(outcome.step) if outcome.step is not None else '—'}  {os.path.basename(outcome.checkpoint)}"


def _width() -> int:
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)


def _count(word: str) -> int:
    steps = int(word)
    if steps < 1:
        raise argparse.ArgumentTypeError(f"{steps} steps are none: say 1 or more")
    return steps
