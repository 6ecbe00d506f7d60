"""What `attach`, `replay` and `once` share where the run is on another machine: how it is reached, and what is said on the way there."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.remote.place import BEDSIDE, SSH, Reach, RemotePlace

if TYPE_CHECKING:
    from bedside_tui.remote.link import Link
    from bedside_tui.sources.remote import RemoteSource


def add_reach(parser: argparse.ArgumentParser) -> None:
    """How the machine of `host:run` is reached."""
    parser.add_argument("--ssh", metavar="COMMAND", help="reach host:run with this instead of `ssh`, or $BEDSIDE_SSH: 'ssh -p 2222'")
    parser.add_argument(
        "--remote-bedside", metavar="PATH", help="bedside on the machine of host:run, where its path has none, or $BEDSIDE_REMOTE"
    )


def reach_of(options: argparse.Namespace) -> Reach:
    """How other machines are reached, by the options and the environment. Raises `Failure`."""
    return Reach(
        _words(options.ssh, "BEDSIDE_SSH", "--ssh") or SSH,
        _words(options.remote_bedside, "BEDSIDE_REMOTE", "--remote-bedside") or BEDSIDE,
    )


def opened(source: RemoteSource) -> RemoteSource:
    """The same source once its link stands; ssh may ask the person at this terminal for a password. Raises `Failure`."""
    from bedside_tui.remote.link import LinkLost

    _say_setting_out(source.there)
    try:
        link = source.connect(may_ask=_somebody_is_here())
    except LinkLost as lost:
        source.close()
        raise Failure(str(lost)) from None
    except BaseException:
        source.close()
        raise
    _say_noise(link, source.there)
    return source


def list_runs(there: RemotePlace, reach: Reach) -> int:
    """Print the runs of another machine."""
    from bedside_tui.remote.link import Link, LinkLost

    asks = _somebody_is_here()
    _say_setting_out(there)
    try:
        link = Link(reach.argv(there, read_only=True, may_ask=asks), there.host, asks=asks)
        try:
            table = _table(link)
        finally:
            link.close()
    except LinkLost as lost:
        raise Failure(str(lost)) from None
    _say_noise(link, there)
    for line in table.splitlines():
        print(safe(line, 1000))
    print(f"\n  watch one   bedside attach {there.word}RUN")
    return 0


def _table(link: Link) -> str:
    from bedside_protocol.messages import Listed

    while True:
        for message in link.hear(1000):
            if isinstance(message, Listed):
                return message.table


def _say_setting_out(there: RemotePlace) -> None:
    """It may take seconds, and ssh may ask something first."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"bedside: reaching {there.host} …", file=sys.stderr, flush=True)


def _say_noise(link: Link, there: RemotePlace) -> None:
    if link.noise:
        print(f"bedside: the shell of {there.host} printed before bedside answered, which was passed over: {link.noise}", file=sys.stderr)


def _somebody_is_here() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _words(given: str | None, variable: str, option: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(os.environ.get(variable, "") if given is None else given))
    except ValueError as error:
        raise Failure(f"{option} is no command: {error}") from error
