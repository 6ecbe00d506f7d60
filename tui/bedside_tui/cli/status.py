"""`bedside status [RUN]`: how one run is, with its ranks and what fires now."""

from __future__ import annotations

import argparse
import json

from bedside_tui.cli.options import add_json, add_run, chosen_run
from bedside_tui.cli.text import status_text
from bedside_tui.library import summarise


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    summary = summarise(chosen_run(options))
    print(json.dumps(summary.to_status(), indent=2, allow_nan=False) if options.json else status_text(summary))
    return 0
