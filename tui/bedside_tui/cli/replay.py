"""`bedside replay RUN`: a recording from its start, in the same screens, or one that still grows from its end. It can reach no training."""

from __future__ import annotations

import argparse

from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_look, add_run, chosen_run
from bedside_tui.cli.remote import add_reach, list_runs, opened, reach_of
from bedside_tui.cli.terminal import has_terminal, show
from bedside_tui.cli.text import status_text
from bedside_tui.library import Library, read_recording, summarise
from bedside_tui.places import roots
from bedside_tui.remote.place import RemotePlace, remote_place


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--follow", action="store_true", help="stand at the end, and read on for as long as the file grows: over a shared disk, no socket"
    )
    add_look(parser)
    add_reach(parser)


def run(options: argparse.Namespace) -> int:
    there = remote_place(options.RUN)
    if there is not None:
        return _elsewhere(there, options)
    place = chosen_run(options)
    if not has_terminal():
        print(status_text(summarise(place)))
        return 0
    read_recording(place, lambda records, heard: None)  # a file that is none is told before a screen opens
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.replay import ReplaySource

    return show(ReplaySource(place.log, follow=options.follow), Picker(Library(roots(options.dir)), read_only=True), options)


def _elsewhere(there: RemotePlace, options: argparse.Namespace) -> int:
    reach = reach_of(options)
    if not there.run:
        return list_runs(there, reach)
    if not has_terminal():
        raise Failure(f"there is no terminal here to show a run in: `bedside once {there.word}` prints its screen")
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.remote import RemoteSource

    source = opened(RemoteSource(there, reach, read_only=True, replay=not options.follow))
    return show(source, Picker(Library(roots(options.dir)), read_only=True), options)
