"""`bedside proxy [RUN]`: the far end of `bedside attach host:run`. It speaks to a viewer over stdin and stdout; no person types it.

With `--where` it tells a person where the socket and the keys of a run are, for a tunnel.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from bedside_protocol.places import SOCKET_NAME
from bedside_tui.cli import USAGE_ERROR, Failure
from bedside_tui.cli.options import add_read_only, add_run, chosen_run
from bedside_tui.places import NoSuchRun, RunPlace, keys_of, roots


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_read_only(parser)
    parser.add_argument("--where", action="store_true", help="print where the socket and the keys of the run are, for `ssh -L`")


def run(options: argparse.Namespace) -> int:
    if options.where:
        return _tell_where(chosen_run(options))
    if sys.stdin is None or sys.stdout is None or sys.stdin.isatty():
        raise Failure("bedside proxy speaks to a viewer, not to a person: type `bedside attach host:run` on the other machine")
    reader, writer = sys.stdin.fileno(), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno() if sys.stderr is not None else os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # frames alone
    if options.RUN is None:
        return _list(options, writer)
    return _serve(options, reader, writer)


def _serve(options: argparse.Namespace, reader: int, writer: int) -> int:
    from bedside_protocol.codec import CodecError
    from bedside_protocol.messages import Refusal
    from bedside_tui.remote.proxy import Proxy, say_once

    try:
        place = chosen_run(options)
    except NoSuchRun as error:
        say_once(writer, Refusal(str(error)))
        return USAGE_ERROR
    try:
        Proxy(place, read_only=options.read_only, reader=reader, writer=writer).serve()
    except CodecError as error:
        raise Failure(f"what came is not of a viewer: {error}") from error
    return 0


def _list(options: argparse.Namespace, writer: int) -> int:
    from bedside_protocol.messages import Listed
    from bedside_tui.cli.runs_table import runs_table
    from bedside_tui.library import Library
    from bedside_tui.remote.proxy import say_once
    from bedside_tui.run_row import row_of

    now = time.time()
    rows = [row_of(summary, now) for summary in Library(roots(options.dir)).summaries()]
    say_once(writer, Listed(runs_table(rows)))
    return 0


def _tell_where(place: RunPlace) -> int:
    keys = keys_of(place.id)
    if keys is None:
        raise Failure(f"{place.id} has no hub on this machine: `bedside replay` needs none")
    print(f"socket  {keys.with_name(SOCKET_NAME)}\nkeys    {keys}")
    return 0
