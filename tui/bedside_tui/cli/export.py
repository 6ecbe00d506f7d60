"""`bedside export RUN --csv FILE`: what a recording holds, in a form that other programs read.

`--jsonl` writes every record, the other forms metrics. A file is written whole or not at all; `-` is the standard output, where the form
is text.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from bedside_protocol.metrics import is_system
from bedside_protocol.records import AlertChanged, Metrics, Record, RunStarted, Snapshot
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_run, chosen_run
from bedside_tui.export.drawing import MOST_PANELS, Drawing
from bedside_tui.export.event_file import write_events
from bedside_tui.export.selection import Selection
from bedside_tui.export.table import names_in, write_long, write_wide
from bedside_tui.library import read_recording
from bedside_tui.output import Unwritable, made_directory, whole_file
from bedside_tui.places import RunPlace
from bedside_tui.record_json import json_line

Write = Callable[[TextIO, RunPlace, Selection], str]
"""Writes a form of a recording to a file and says what it wrote."""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", metavar="FILE", help="metrics, a line a value: step, time (seconds since the start), metric, value")
    form.add_argument(
        "--jsonl", metavar="FILE", help="every record, one JSON object a line; `bedside import` makes the same recording of it"
    )
    form.add_argument("--tensorboard", metavar="DIR", help="metrics, as an event file in this directory; values are rounded to float32")
    form.add_argument("--parquet", metavar="FILE", help="metrics, with the columns of --csv; needs the extra `parquet`")
    form.add_argument("--svg", metavar="FILE", help="metrics, as a picture with a panel each; what the machine measures only by --metrics")
    parser.add_argument("--wide", action="store_true", help="with --csv: a line a logged row, a column a metric")
    parser.add_argument("--metrics", action="append", default=[], metavar="GLOB", help="only metrics named so; may be said again")
    parser.add_argument("--from", dest="first", type=int, metavar="STEP", help="only values of this step and later ones")
    parser.add_argument("--to", dest="last", type=int, metavar="STEP", help="only values of this step and earlier ones")
    parser.add_argument("--no-arrays", action="store_true", help="with --jsonl: leave out the arrays of snapshots")


def run(options: argparse.Namespace) -> int:
    if options.wide and options.csv is None:
        raise Failure("--wide is a form of --csv")
    if options.no_arrays and options.jsonl is None:
        raise Failure("--no-arrays is a form of --jsonl: other forms have no arrays")
    if options.parquet == "-":
        raise Failure("--parquet writes a file: - is for text")
    chosen = Selection(tuple(options.metrics), options.first, options.last)
    place = chosen_run(options)
    try:
        if options.tensorboard is not None:
            word, said = _events(Path(options.tensorboard).expanduser(), place, chosen)
        elif options.parquet is not None:
            word, said = options.parquet, _parquet(Path(options.parquet).expanduser(), place, chosen)
        else:
            word, write = _form(options)
            said = _text(word, write, place, chosen)
    except Unwritable as error:
        raise Failure(str(error)) from error
    if word != "-":
        print(f"wrote {safe(word, 500)}: {said}")
    return 0


def _form(options: argparse.Namespace) -> tuple[str, Write]:
    """The file that was named, and what writes it."""
    if options.csv is not None:
        return options.csv, _table(options.wide)
    if options.svg is not None:
        return options.svg, _picture
    return options.jsonl, _lines(not options.no_arrays)


def _events(directory: Path, place: RunPlace, chosen: Selection) -> tuple[str, str]:
    """Writes an event file into a directory that has none: two of them would be read as one run. Its name, and what was written."""
    if directory.is_dir() and any("tfevents" in entry.name for entry in directory.iterdir()):
        raise Unwritable(f"{directory} holds event files already, which would be read as the same run: name another directory")
    begun = read_recording(place, _wall_start)
    path = directory / f"events.out.tfevents.{int(begun)}.{place.id}"
    with made_directory(directory), whole_file(path) as file:
        count = read_recording(place, lambda records, heard: write_events(file, chosen.blocks(records), begun))
    return str(path), f"{count:,} values"


def _parquet(path: Path, place: RunPlace, chosen: Selection) -> str:
    try:
        from bedside_tui.export.parquet import write_parquet  # the extra may be missing
    except ImportError as error:
        raise Failure("--parquet needs pyarrow: pip install 'bedside[parquet]'") from error
    with whole_file(path) as file:
        count = read_recording(place, lambda records, heard: write_parquet(file, chosen.blocks(records)))
    return f"{count:,} values"


def _wall_start(records: Iterator[Record], heard: float) -> float:
    """The epoch second at which the run began; that of the file's last change where it does not tell."""
    first = next(records).body
    return first.wall_start if isinstance(first, RunStarted) and math.isfinite(first.wall_start) else heard


def _text(word: str, write: Write, place: RunPlace, chosen: Selection) -> str:
    with _text_file(word) as file:
        return write(file, place, chosen)


@contextmanager
def _text_file(word: str) -> Iterator[TextIO]:
    """The file of that name, or the standard output."""
    if word == "-":
        yield sys.stdout
        return
    with whole_file(Path(word).expanduser()) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        try:
            yield text
        finally:
            text.detach()


def _table(wide: bool) -> Write:
    def write(file: TextIO, place: RunPlace, chosen: Selection) -> str:
        shown = _shown_on(file)
        names = read_recording(place, lambda records, heard: names_in(map(shown, chosen.blocks(records))))

        def written(records: Iterator[Record], heard: float) -> int:
            blocks = map(shown, chosen.blocks(records))
            return write_wide(file, blocks, names) if wide else write_long(file, blocks)

        return f"{read_recording(place, written):,} values of {_counted(len(names), 'metric')}"

    return write


def _shown_on(file: TextIO) -> Callable[[Metrics], Metrics]:
    """Names of metrics as they are, except on a terminal, which would obey some."""
    if not file.isatty():
        return lambda block: block
    return lambda block: replace(block, names=tuple(safe(name) for name in block.names))


def _lines(arrays: bool) -> Write:
    def write(file: TextIO, place: RunPlace, chosen: Selection) -> str:
        def written(records: Iterator[Record], heard: float) -> int:
            count = 0
            for record in records:
                if (kept := chosen.record(record)) is None:
                    continue
                if not arrays and isinstance(kept.body, Snapshot):
                    kept = replace(kept, body=replace(kept.body, arrays={}))
                file.write(f"{json_line(kept)}\n")
                count += 1
            return count

        return _counted(read_recording(place, written), "record")

    return write


def _picture(file: TextIO, place: RunPlace, chosen: Selection) -> str:
    def drawn(records: Iterator[Record], heard: float) -> Drawing:
        drawing = Drawing(place.id)
        for record in records:
            if isinstance(record.body, AlertChanged):
                drawing.mark(record.body)
            for block in chosen.blocks((record,)):
                if chosen.globs or not all(is_system(name) for name in block.names):
                    drawing.take(block)
        return drawing

    drawing = read_recording(place, drawn)
    file.writelines(f"{line}\n" for line in drawing.lines())
    left_out = f"; the first {MOST_PANELS}, without {len(drawing.left_out):,} others" if drawing.left_out else ""
    return f"{_counted(len(drawing), 'metric')}{left_out}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
