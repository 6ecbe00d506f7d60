"""`bedside verdict RUN [TEXT]`: say what became of a run, in a word; without a text, print what was said."""

from __future__ import annotations

import argparse

from bedside_protocol.lab_book import VERDICTS, BadEntry, verdict_arguments
from bedside_tui.cli import Failure
from bedside_tui.cli.book import page_as_json, written
from bedside_tui.cli.options import add_json, add_run, chosen_run
from bedside_tui.library import summarise


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    offered = ", ".join(VERDICTS)
    parser.add_argument("TEXT", nargs="?", help=f"{offered}, or your own words; '' takes it back; left out: print the verdict")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    place = chosen_run(options)
    if options.TEXT is not None:
        try:
            written(place, verdict_arguments(options.TEXT), options)
        except BadEntry as error:
            raise Failure(str(error)) from error
        return 0
    summary = summarise(place)
    if options.json:
        print(page_as_json(summary))
    else:
        print(f"{summary.person_verdict}  (by {summary.person})" if summary.person_verdict else "no verdict")
    return 0
