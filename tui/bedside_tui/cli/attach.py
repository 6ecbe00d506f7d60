"""`bedside attach [RUN]`: watch a run as it goes on; one that is over opens as a recording, at its end.

`host:run` is one on another machine, reached through ssh; with `--socket` and `--keys` it is one behind a tunnel of `ssh -L`.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Lifecycle
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_look, add_read_only, add_run, chosen_run, word_for
from bedside_tui.cli.remote import add_reach, list_runs, opened, reach_of
from bedside_tui.cli.terminal import has_terminal, show
from bedside_tui.cli.text import status_text
from bedside_tui.library import Library, summarise
from bedside_tui.places import RunPlace, door_with, roots
from bedside_tui.remote.place import RemotePlace, remote_place

NO_TERMINAL: Final = "there is no terminal here to show a run in"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_look(parser)
    add_read_only(parser)
    add_reach(parser)
    parser.add_argument("--socket", type=Path, metavar="PATH", help="the socket that `ssh -L` has brought here, instead of RUN")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="the keys of that run (`bedside proxy RUN --where` says where they are)")


def run(options: argparse.Namespace) -> int:
    if options.socket is not None or options.keys is not None:
        return _through_tunnel(options)
    there = remote_place(options.RUN)
    if there is not None:
        return _elsewhere(there, options)
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


def _elsewhere(there: RemotePlace, options: argparse.Namespace) -> int:
    reach = reach_of(options)
    if not there.run:
        return list_runs(there, reach)
    if not has_terminal():
        raise Failure(f"{NO_TERMINAL}: `bedside once {there.word}` prints its screen")
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.remote import RemoteSource

    source = opened(RemoteSource(there, reach, read_only=options.read_only))
    picker = Picker(Library(roots(options.dir)), read_only=options.read_only)
    again = f"bedside attach {there.word}"
    return show(source, picker, options, read_only=options.read_only, parting=lambda lifecycle: parting_from(lifecycle, there.run, again))


def _through_tunnel(options: argparse.Namespace) -> int:
    if options.socket is None or options.keys is None or options.RUN is not None:
        raise Failure("a tunnel needs --socket and --keys together, and no RUN: the keys say which run it is")
    run, door = door_with(options.keys, options.socket, may_command=not options.read_only)
    if not has_terminal():
        raise Failure(NO_TERMINAL)
    from bedside_tui.cli.picker import Picker
    from bedside_tui.sources.tunnel import TunnelSource

    picker = Picker(Library(roots(options.dir)), read_only=options.read_only)
    source = TunnelSource(run, door, read_only=options.read_only)
    again = f"bedside attach --socket {shlex.quote(str(options.socket))} --keys {shlex.quote(str(options.keys))}"
    return show(source, picker, options, read_only=options.read_only, parting=lambda lifecycle: parting_from(lifecycle, run, again))


def parting_from(lifecycle: Lifecycle | None, run: str, again: str) -> str:
    """What a person needs after `q` where the run is on another machine. `again`: the command that leads back."""
    way = f"\n  watch it again   {again}"
    if lifecycle is None:
        return f"nothing was touched{way}"
    return f"{safe(run)} is {lifecycle}{'' if lifecycle in OVER else '; nothing was touched'}{way}"


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
