"""`python -m bedside_tui.web.viewer`: the viewer as a browser's tab starts it. Its terminal is the page at the other end of two pipes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bedside_tui.cli.options import add_look, add_read_only, add_run, chosen_run
from bedside_tui.cli.picker import Picker
from bedside_tui.cli.terminal import show
from bedside_tui.library import Library
from bedside_tui.places import roots
from bedside_tui.sources.live import LiveSource


def main(words: Sequence[str] | None = None) -> int:
    """Show one run, or the list of runs where none is named. The exit code."""
    parser = argparse.ArgumentParser(prog="bedside_tui.web.viewer")
    add_run(parser)
    add_look(parser)
    add_read_only(parser)
    options = parser.parse_args(words)
    picker = Picker(Library(roots(options.dir)), read_only=options.read_only)
    if options.RUN is None:
        return show(None, picker, options, read_only=options.read_only)
    place = chosen_run(options)
    return show(LiveSource(place, read_only=options.read_only), picker, options, read_only=options.read_only, place=place)


if __name__ == "__main__":
    raise SystemExit(main())
