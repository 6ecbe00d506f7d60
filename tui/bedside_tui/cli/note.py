"""`bedside note RUN TEXT`: pin a note to a moment of a run; without a text, print the notes."""

from __future__ import annotations

import argparse

from bedside_protocol.lab_book import note_arguments
from bedside_tui.cli import Failure
from bedside_tui.cli.book import answered
from bedside_tui.cli.options import add_json, add_run
from bedside_tui.draw import number
from bedside_tui.library import read_recording
from bedside_tui.places import RunPlace
from bedside_tui.run_summary import RunSummary
from bedside_tui.seek import read_seek
from bedside_tui.store.store import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    parser.add_argument("TEXT", nargs="?", help="what to note; left out: print the notes")
    moment = parser.add_mutually_exclusive_group()
    moment.add_argument("--step", type=int, metavar="N", help="pin it to a step (default: the newest)")
    moment.add_argument("--time", metavar="T", help="pin it to a time of the run: 1:02:03, 2:03, 90s, 1h30m")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    if options.TEXT is not None:
        return answered(options, lambda place: note_arguments(options.TEXT, *_moment(place, options)), _lines)
    if options.step is not None or options.time is not None:
        raise Failure('a moment without a text: bedside note RUN "what there is to say" --step N')
    return answered(options, None, _lines)


def _moment(place: RunPlace, options: argparse.Namespace) -> tuple[int | None, float | None]:
    """The step and the second to pin a note to; None where it belongs to the newest moment. Raises `Failure`."""
    if options.step is None and options.time is None:
        return None, None
    store = Store()
    read_recording(place, lambda records, heard: store.feed(records))
    if options.step is not None:
        at = store.time_of_step(options.step)
        if at is None:
            raise Failure(f"{place.id} has no step {options.step:,}: it has come to {store.at().step:,}")
        return options.step, at
    seek = read_seek(options.time)
    if seek is None or seek.unit != "second" or seek.by:
        raise Failure(f"{options.time!r} is no time of a run: write 1:02:03, 2:03, 90s or 1h30m")
    first, last = store.span
    if not first <= seek.amount <= last:
        raise Failure(f"{place.id} has no moment {number.clock(seek.amount)}: it goes from {number.clock(first)} to {number.clock(last)}")
    return store.at(seek.amount).step, seek.amount


def _lines(page: RunSummary) -> list[str]:
    notes = [f"step {number.count(note.step)}  {number.clock(note.time)}  {note.author}: {note.text}" for note in page.notes]
    return notes or ["no notes"]
