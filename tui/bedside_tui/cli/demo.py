"""`bedside demo [CASE] [--healthy]`: a real training starts, the viewer opens on it. Without a terminal, the same with plain progress."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import USAGE_ERROR, Failure
from bedside_tui.cli.attach import watch
from bedside_tui.cli.check import judged, to_text
from bedside_tui.cli.options import add_look, word_for
from bedside_tui.cli.terminal import has_terminal
from bedside_tui.launch import DidNotStart, start_attended, start_detached, wait_for_run
from bedside_tui.places import roots

HEALTHY = "vq-digits"
_NOT_UNDERSTOOD = 2
"""Exit code of `python -m bedside.cases` for a case or a setting there is not."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", nargs="?", default=HEALTHY, metavar="CASE", help=f"which training (default {HEALTHY}; see --list)")
    parser.add_argument("--healthy", action="store_true", help="the same training without its fault")
    parser.add_argument("--list", action="store_true", help="list the cases and leave")
    parser.add_argument("--steps", type=int, metavar="N", help="how many steps (default: the case's own)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default 0)")
    parser.add_argument("--dir", type=Path, metavar="D", help="record in this directory")
    parser.add_argument("--headless", action="store_true", help="no screen: plain progress, then the verdict")
    add_look(parser)


def run(options: argparse.Namespace) -> int:
    if options.list:
        return subprocess.run([sys.executable, "-P", "-m", "bedside.cases", "--list"], check=False).returncode
    if find_spec("torch") is None or find_spec("sklearn") is None:
        raise Failure('the demo trains a real model and needs the extra "demo": pip install "bedside[demo]"')
    words = ["--seed", str(options.seed)]
    if options.healthy:
        words.append("--healthy")
    if options.steps is not None:
        words += ["--steps", str(options.steps)]
    directory = roots(options.dir)[0].absolute()
    if options.headless or not has_terminal():
        return _headless(options.case, words, directory)
    return _on_screen(options, words, directory)


def _on_screen(options: argparse.Namespace, words: list[str], directory: Path) -> int:
    print("starting the training …", end="", flush=True)
    try:
        launched = start_detached(options.case, words, directory)
        place = wait_for_run(launched, lambda seconds: print(f"\rstarting the training … {seconds:.0f} s", end="", flush=True))
    except DidNotStart as error:
        print()
        raise Failure(f"the training did not start: {error}") from error
    print("\r", end="", flush=True)
    return watch(place, options, read_only=False)


def _headless(case: str, words: list[str], directory: Path) -> int:
    launched = start_attended(case, words, directory)
    try:
        code = launched.process.wait()
    except KeyboardInterrupt:  # the terminal told the training too: it says goodbye, and its verdict is wanted all the same
        code = _ended(launched.process)
    place = launched.run()
    if place is None:
        if code in (USAGE_ERROR, _NOT_UNDERSTOOD):
            return USAGE_ERROR  # the training has said what was wrong
        raise Failure(f"the training left no recording in {directory} (exit code {code})")
    print(to_text(judged(place)))
    where = safe(place.directory, 1000)
    print(f"recorded in {where}\nreplay it with: bedside replay {safe(word_for(place), 1000)}")
    return 0 if code == 0 else 1


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()
