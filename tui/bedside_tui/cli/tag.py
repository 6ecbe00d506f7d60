"""`bedside tag RUN +a -b`: put tags on a run and take tags from it; without any, print its tags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bedside_protocol.lab_book import Arguments, tag_arguments
from bedside_tui.cli import Failure
from bedside_tui.cli.book import answered
from bedside_tui.cli.options import add_json, add_run


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    add_json(parser)
    parser.add_argument("TAGS", nargs=argparse.REMAINDER, help="+a or a puts a tag on, -a takes it off; none: print the tags")


def run(options: argparse.Namespace) -> int:
    asked = (lambda _: _changes(options.TAGS)) if options.TAGS else None
    return answered(options, asked, lambda page: [" ".join(page.tags) or "no tags"])


def _changes(words: Sequence[str]) -> Arguments:
    if late := next((word for word in words if word.startswith("--")), None):
        raise Failure(f"{late} comes before the run: bedside tag {late} … RUN +a -b")
    removed = [word[1:] for word in words if word.startswith("-")]
    return tag_arguments([word.removeprefix("+") for word in words if not word.startswith("-")], removed)
