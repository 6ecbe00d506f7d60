"""The command line: one verb a file, loaded when it is asked for.

Every verb prints text or `--json` on stdout and says on one line of stderr what went wrong and what to do. Only verbs that show a screen
load the terminal library.
"""

from __future__ import annotations

import argparse
import importlib
import io
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, Protocol

from bedside_protocol.sanitise import text as safe
from bedside_tui.loading import nothing_collected
from bedside_tui.places import NoSuchRun, Unreadable

USAGE_ERROR: Final = 3
"""Exit code of a sentence that was not understood, and of runs that cannot be found or read. 0, 1 and 2 are verdicts: ok, amber, red."""
BROKEN_PIPE: Final = 141
INTERRUPTED: Final = 130
"""What a shell says of a program ended by SIGPIPE and by SIGINT."""

VERBS: Final[dict[str, str]] = {
    "attach": "watch a run, live",
    "replay": "watch a recording from its start",
    "runs": "the lab book: list the runs of this machine, sort and filter them",
    "note": "pin a note to a moment of a run",
    "verdict": "say what became of a run",
    "tag": "put tags on a run, or take them from it",
    "status": "say how one run is",
    "once": "print one screen as text or SVG",
    "watch": "print a run's records as they come, as JSON",
    "wait": "wait until something is true of a run",
    "check": "judge a recording; the exit code is the verdict",
    "compare": "lay two to sixteen runs beside each other",
    "rules": "list and explain the rules, test your own",
    "export": "write a recording as CSV, JSON lines, Parquet, event files or a picture",
    "clip": "write the part of a recording around a step, to send",
    "import": "make a recording of CSV, JSON lines, trainer_state.json, TensorBoard's or W&B's files",
    "ctl": "ask a run to pause, save or stop; acknowledge and shelve its alarms",
    "proxy": "answer a viewer on another machine, through its ssh",
    "serve": "show the same screens in a browser, on loopback",
    "probe": "measure checkpoints with the probes of the script that saved them",
    "demo": "start a real training and watch it",
    "rm": "delete the recording of a run that is over",
}


class Verb(Protocol):
    """What each verb's file holds."""

    @staticmethod
    def arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def run(options: argparse.Namespace) -> int: ...


class Failure(Exception):
    """A verb cannot do what was asked; each line says why and what to do."""

    def __init__(self, *lines: str, code: int = USAGE_ERROR) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.code = code


class _Version(argparse.Action):
    """Looked up only when it is asked for: no verb pays for that."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            said = version("bedside")
        except PackageNotFoundError:
            said = "of a source that is not installed"
        print(f"bedside {said}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"bedside: {safe(message, 1000)}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; without one, list the runs and open the one that is picked. Returns the exit code."""
    try:
        code = _main(list(sys.argv[1:] if argv is None else argv))
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that has left can be met in silence
        return code
    except Failure as failure:
        for line in failure.lines:
            print(f"bedside: {safe(line, 1000)}", file=sys.stderr)
        return failure.code
    except (NoSuchRun, Unreadable) as error:
        print(f"bedside: {safe(error, 1000)}", file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:  # the reader of our output has seen enough; what the interpreter flushes at its exit goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


def _main(words: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these glyphs shows `?`, not a traceback
    name = words[0] if words and words[0] in VERBS else None
    if name is None and words and not words[0].startswith("-"):
        from difflib import get_close_matches  # only here: no verb that is known pays for it

        likely = get_close_matches(words[0], VERBS, n=1)
        raise Failure(f"there is no verb {words[0]}{f' (is {likely[0]} meant?)' if likely else ''}: `bedside --help` lists them")
    parser = _parser(name)
    options = parser.parse_args(words)
    if options.verb != name:
        parser.error(f"say the verb first: bedside {options.verb} …")
    return _verb(name or "pick").run(options)


def _parser(name: str | None) -> _Parser:
    """All verbs for the help, and the arguments of the one that is meant."""
    parser = _Parser(
        prog="bedside",
        description="A bedside monitor for training runs. Without a verb: list the runs and open the one you pick.",
        epilog="Exit codes: 0 ok, 1 amber or refused, 2 red, 3 not understood, not found or not readable.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb, line in VERBS.items():
        below = verbs.add_parser(verb, help=line, description=line[0].upper() + line[1:] + ".")
        if verb == name:
            _verb(verb).arguments(below)
    if name is None:
        parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
        _verb("pick").arguments(parser)
    return parser


def _verb(name: str) -> Verb:
    file = f"{name}_" if keyword.iskeyword(name) else name
    with nothing_collected():
        module: Verb = importlib.import_module(f"bedside_tui.cli.{file}")  # type: ignore[assignment]
    return module
