"""`bedside attach [RUN]`: watch a run as it goes on; one that is over opens as a recording, at its end."""

from __future__ import annotations

import argparse

from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_look, add_read_only, add_run, chosen_run
from bedside_tui.cli.terminal import has_terminal, show
from bedside_tui.cli.text import status_text
from bedside_tui.library import Library, summarise
from bedside_tui.places import RunPlace, roots


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_look(parser)
    add_read_only(parser)


def run(options: argparse.Namespace) -> int:
    return watch(chosen_run(options), options, read_only=options.read_only)


def watch(place: RunPlace, options: argparse.Namespace, *, read_only: bool) -> int:
    """Show a run live, and say afterwards how to come back."""
    if not has_terminal():
        summary = summarise(place)
        if summary is None:
            raise Failure(f"{place.log} cannot be read as a recording")
        print(status_text(summary))
        return 0
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.live import LiveSource

    picker = Picker(Library(roots(options.dir)), read_only=read_only)
    code = show(LiveSource(place, read_only=read_only), picker, options, read_only=read_only)
    summary = summarise(place)
    if summary is not None:
        print(parting(summary.lifecycle, place))
    return code


def parting(lifecycle: str, place: RunPlace) -> str:
    """What a person needs after `q`: the training is untouched, and this is how to come back."""
    if lifecycle in ("starting", "running", "paused", "stalled", "suspended"):
        return (
            f"{place.id} is {lifecycle}; nothing was touched\n"
            f"  watch it again   bedside attach {place.id}\n"
            f"  stop it          bedside ctl {place.id} stop"
        )
    return f"{place.id} is {lifecycle}\n  replay it        bedside replay {place.id}"
