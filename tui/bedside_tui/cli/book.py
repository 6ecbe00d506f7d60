"""What `note`, `verdict` and `tag` share: a page of the lab book is written and read."""

from __future__ import annotations

import argparse
import json

from bedside_protocol.lab_book import Arguments
from bedside_tui.cli import Failure
from bedside_tui.lab_book import NotWritten, noted, write
from bedside_tui.library import summarise
from bedside_tui.places import RunPlace
from bedside_tui.run_summary import RunSummary

REFUSED = 1
"""Exit code where the run, or the place of its recording, does not let it be written."""


def written(place: RunPlace, arguments: Arguments, options: argparse.Namespace) -> None:
    """Write, and say what was written; with `--json` the whole page. Raises `Failure`."""
    try:
        said = noted(arguments, write(place, arguments))
    except NotWritten as error:
        raise Failure(str(error), code=REFUSED) from error
    if options.json:
        print(page_as_json(summarise(place)))
    else:
        print(said)


def page_as_json(summary: RunSummary) -> str:
    """The page of one run."""
    return json.dumps({"id": summary.id, **summary.book_to_json()}, indent=2, allow_nan=False)
