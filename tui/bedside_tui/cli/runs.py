"""`bedside runs`: the lab book of this machine: its runs, what became of them, and what was said of them."""

from __future__ import annotations

import argparse
import json
import time

from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_directory
from bedside_tui.cli.reading import read_runs, say_left_out
from bedside_tui.cli.runs_table import NONE_YET, runs_markdown, runs_table
from bedside_tui.library import Library
from bedside_tui.places import roots
from bedside_tui.run_query import FILTERS, KEYS, BadQuery, read_filter, read_order
from bedside_tui.run_row import row_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_directory(parser)
    parser.add_argument(
        "--sort",
        metavar="KEY[,-KEY]",
        default="",
        help=f"by {', '.join(KEYS)}; the other way round with - in front, as in --sort=-step,name (default: newest start first)",
    )
    parser.add_argument(
        "--filter", metavar="TERMS", default="", help=f"only runs for which all of these hold, in quotes: {FILTERS}".replace("%", "%%")
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--md", action="store_true", help="print a Markdown table")


def run(options: argparse.Namespace) -> int:
    try:
        order, meant = read_order(options.sort), read_filter(options.filter)
    except BadQuery as error:
        raise Failure(str(error)) from error
    library = Library(roots(options.dir))
    summaries = read_runs(library)
    now = time.time()
    every = {row.dir: (row, summary) for summary in summaries for row in [row_of(summary, now)]}
    rows = order.sorted([row for row, _ in every.values() if meant(row)])
    if options.json:
        print(json.dumps([every[row.dir][1].to_json() for row in rows], indent=2, allow_nan=False))
    elif options.md:
        print(runs_markdown(rows))
    elif summaries and not rows:
        print(f"none of {len(summaries):,} runs fits {options.filter!r}")
    else:
        print(runs_table(rows) if rows else NONE_YET)
    say_left_out(summaries, library.unreadable)
    return 0
