"""`bedside serve [RUN]`: the same screens in a browser on this machine. From another machine: `ssh -L`.

It looks and does not command, unless `--control` is said: a page is easier to come by than a terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib.util import find_spec
from typing import Final

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_directory, add_look, chosen_run
from bedside_tui.cli.terminal import need_screens

_HOSTS: Final = ("127.0.0.1", "localhost")
_MOST_PORT: Final = 65_535
_PROTECTION: Final = """
The address holds a secret that is made anew each time. Without it nothing is served: not to other users of this machine, whom its loopback
ports are open to as well, and not to web pages in your browser, whichever name they ask by. Whoever has the address sees all your runs, and
with --control commands them: it is in your browser's history. It does not protect from who is you or root on this machine, and others can
keep the port busy. It is not encrypted: between machines, ssh does that.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _PROTECTION.strip()
    parser.add_argument("RUN", nargs="?", help="the run to open, as other verbs take it; the list of runs if left out")
    add_directory(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port (default, and where N is taken: any that is free)")
    parser.add_argument("--host", default=_HOSTS[0], metavar="H", help="127.0.0.1 is the only one there is")
    parser.add_argument("--control", action="store_true", help="let keys in the page command a run, and write notes and verdicts")
    add_look(parser)


def run(options: argparse.Namespace) -> int:
    if options.host not in _HOSTS:
        port = options.port or "PORT"
        raise Failure(f"127.0.0.1 is served and no other: from another machine, ssh -L {port}:127.0.0.1:{port} to this one")
    if not 0 <= options.port <= _MOST_PORT:
        raise Failure(f"{options.port} is no port: 0 to {_MOST_PORT}")
    need_screens()
    if find_spec("textual_serve") is None:
        raise Failure('serving a page needs the extra "web": pip install "bedside[web]"')
    place = chosen_run(options) if options.RUN is not None else None
    return _served(options, "" if place is None else str(place.log), "bedside" if place is None else f"{place.id} · bedside")


def _served(options: argparse.Namespace, log: str, title: str) -> int:
    from bedside_tui.web.gate import Gate
    from bedside_tui.web.server import PageServer, listening

    listener, is_wanted = listening(options.port)
    port = listener.getsockname()[1]
    if not is_wanted:
        print(f"bedside: port {options.port} cannot be had: {port} is used", file=sys.stderr)
    server = PageServer(_viewer(options, log), port, safe(title), Gate())

    def ready() -> None:
        print(server.address)
        print("keys command the run" if options.control else "look only: keys neither command a run nor write notes (--control lets them)")
        print(f"from another machine: ssh -L {port}:127.0.0.1:{port} to this one, then the same address; ctrl-c ends it", flush=True)

    asyncio.run(server.serve_until_told(listener, ready))
    return 0


def _viewer(options: argparse.Namespace, log: str) -> list[str]:
    """The command behind a tab. `-P`: a `logging.py` where the person happens to stand must not shadow the standard library."""
    words = [sys.executable, "-P", "-m", "bedside_tui.web.viewer"]
    words += [log] if log else []
    words += ["--dir", str(options.dir.absolute())] if options.dir is not None else []
    words += ["--theme", options.theme] if options.theme is not None else []
    words += ["--ascii"] if options.ascii else []
    return words if options.control else [*words, "--read-only"]
