"""`bedside tag RUN +a -b`: put tags on a run and take tags from it; without any, print its tags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bedside_protocol.lab_book import Arguments, BadEntry, tag_arguments
from bedside_tui.cli import Failure
from bedside_tui.cli.book import page_as_json, written
from bedside_tui.cli.options import add_json, add_run, chosen_run
from bedside_tui.library import summarise


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    add_json(parser)
    parser.add_argument("TAGS", nargs=argparse.REMAINDER, help="+a or a puts a tag on, -a takes it off; none: print the tags")


def run(options: argparse.Namespace) -> int:
    place = chosen_run(options)
    if options.TAGS:
        try:
            written(place, _changes(options.TAGS), options)
        except BadEntry as error:
            raise Failure(str(error)) from error
        return 0
    summary = summarise(place)
    if options.json:
        print(page_as_json(summary))
    else:
        print(" ".join(summary.tags) or "no tags")
    return 0


def _changes(words: Sequence[str]) -> Arguments:
    if late := next((word for word in words if word.startswith("--")), None):
        raise Failure(f"{late} comes before the run: bedside tag {late} … RUN +a -b")
    removed = [word[1:] for word in words if word.startswith("-")]
    return tag_arguments([word.removeprefix("+") for word in words if not word.startswith("-")], removed)
