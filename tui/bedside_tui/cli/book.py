"""What `note`, `verdict` and `tag` share: a page of the lab book is written and read."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

from bedside_protocol.lab_book import Arguments, BadEntry
from bedside_tui.cli import Failure
from bedside_tui.cli.options import chosen_run
from bedside_tui.lab_book import NotWritten, noted, write
from bedside_tui.library import summarise
from bedside_tui.places import RunPlace
from bedside_tui.run_summary import RunSummary

REFUSED = 1
"""Exit code where the run, or the place of its recording, does not let it be written."""


def answered(
    options: argparse.Namespace, asked: Callable[[RunPlace], Arguments] | None, lines: Callable[[RunSummary], Sequence[str]]
) -> int:
    """Write what is `asked` of the run's page and say what was written; where nothing is, print its `lines`; with `--json` the whole page
    either way. The exit code. Raises `Failure`."""
    place = chosen_run(options)
    said = [] if asked is None else [_written(place, asked)]
    if options.json:
        print(_page_as_json(summarise(place)))
    else:
        print("\n".join(said or lines(summarise(place))))
    return 0


def _written(place: RunPlace, asked: Callable[[RunPlace], Arguments]) -> str:
    try:
        arguments = asked(place)
        return noted(arguments, write(place, arguments))
    except BadEntry as error:
        raise Failure(str(error)) from error
    except NotWritten as error:
        raise Failure(str(error), code=REFUSED) from error


def _page_as_json(summary: RunSummary) -> str:
    """The page of one run."""
    return json.dumps({"id": summary.id, **summary.book_to_json()}, indent=2, allow_nan=False)
