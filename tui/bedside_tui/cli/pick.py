"""`bedside` alone: the list of runs; the one that is picked opens."""

from __future__ import annotations

import argparse
import time

from bedside_tui.cli.options import add_directory, add_look, add_read_only
from bedside_tui.cli.reading import read_runs
from bedside_tui.cli.runs_table import runs_table
from bedside_tui.cli.terminal import has_terminal, show
from bedside_tui.library import Library
from bedside_tui.places import roots
from bedside_tui.run_row import row_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    add_look(parser)
    add_read_only(parser)


def run(options: argparse.Namespace) -> int:
    library = Library(roots(options.dir))
    if not has_terminal():
        summaries, now = read_runs(library), time.time()
        print(runs_table([row_of(summary, now) for summary in summaries]))
        return 0
    from bedside_tui.cli.picker import Picker

    return show(None, Picker(library, read_only=options.read_only), options, read_only=options.read_only)
