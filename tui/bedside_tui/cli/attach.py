"""`bedside attach [RUN]`: watch a run as it goes on; one that is over opens as a recording, at its end."""

from __future__ import annotations

import argparse

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Lifecycle
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli.options import add_look, add_read_only, add_run, chosen_run, word_for
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
        print(status_text(summarise(place)))
        return 0
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.live import LiveSource

    picker = Picker(Library(roots(options.dir)), read_only=read_only)
    source = LiveSource(place, read_only=read_only)
    return show(source, picker, options, read_only=read_only, place=place, parting=lambda lifecycle: parting(lifecycle, place))


def parting(lifecycle: Lifecycle | None, place: RunPlace) -> str:
    """What a person needs after `q`: the training is untouched, and this is how to come back.

    `lifecycle` is None where it is not known: the run was left before all of it was read.
    """
    word = word_for(place)
    if lifecycle is None:
        return f"nothing was touched\n  watch it again   bedside attach {word}"
    if lifecycle in OVER:
        return f"{safe(place.id)} is {lifecycle}\n  replay it        bedside replay {word}"
    return (
        f"{safe(place.id)} is {lifecycle}; nothing was touched\n"
        f"  watch it again   bedside attach {word}\n"
        f"  stop it          bedside ctl {word} stop"
    )
