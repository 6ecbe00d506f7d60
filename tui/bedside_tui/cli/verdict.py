"""`bedside verdict RUN [TEXT]`: say what became of a run, in a word; without a text, print what was said."""

from __future__ import annotations

import argparse

from bedside_protocol.lab_book import VERDICTS, verdict_arguments
from bedside_tui.cli.book import answered
from bedside_tui.cli.options import add_json, add_run
from bedside_tui.run_summary import RunSummary


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    offered = ", ".join(VERDICTS)
    parser.add_argument("TEXT", nargs="?", help=f"{offered}, or your own words; '' takes it back; left out: print the verdict")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    asked = None if options.TEXT is None else lambda _: verdict_arguments(options.TEXT)
    return answered(options, asked, _lines)


def _lines(page: RunSummary) -> list[str]:
    return [f"{page.person_verdict}  (by {page.person})" if page.person_verdict else "no verdict"]
