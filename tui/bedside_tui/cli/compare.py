"""`bedside compare A B …`: two to sixteen runs side by side, as text, JSON or Markdown.

Curves over each other, the configuration that differs, what probes measured at checkpoints with the best marked, and the alarms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_directory, add_look, size_of
from bedside_tui.companion import Companion
from bedside_tui.compare.as_json import to_json
from bedside_tui.compare.comparison import Comparison, compare
from bedside_tui.compare.curves import Shared, called
from bedside_tui.compare.lines import plain
from bedside_tui.compare.report import markdown, report, shown_first
from bedside_tui.compare.runs import FEWEST, MOST
from bedside_tui.draw.axes import SMOOTHINGS, Axes
from bedside_tui.draw.cells import Line
from bedside_tui.places import RunPlace, Unreadable, find_run, roots
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.store.view import View

ROWS: Final = 16
"""Rows of a chart where no size is asked for."""
NARROWEST, WIDEST = 40, 200
"""Columns where no size is asked for: what the terminal has, within these."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("RUN", nargs="+", help="a run's id, the beginning of one, its directory, or a file; two to sixteen of them")
    add_directory(parser)
    parser.add_argument("--metric", nargs="+", action="extend", default=[], metavar="NAME", help="draw these metrics (names or globs)")
    parser.add_argument("--by", choices=("step", "time"), default="step", help="steps along the bottom, or time since each run began")
    parser.add_argument("--log", action="store_true", help="a logarithmic axis")
    parser.add_argument("--smooth", type=float, choices=SMOOTHINGS, default=0.0, help="smooth the curves")
    parser.add_argument("--size", type=size_of, metavar="WxH", help=f"columns of everything and rows of a chart (default {ROWS} rows)")
    parser.add_argument(
        "--all", action="store_true", help="every row of every table; else a long one shows what is best and what differs first"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--md", action="store_true", help="print a page of Markdown")
    add_look(parser)


def run(options: argparse.Namespace) -> int:
    places = chosen_runs(options.RUN, options)
    comparison = compare([read(place) for place in places])
    metrics = _chosen_metrics(comparison, options.metric)
    axes = Axes(options.log, options.by, options.smooth)
    size = options.size or (min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST), ROWS)
    charts = find_spec("plotext") is not None
    if options.json:
        print(json.dumps(to_json(comparison, metrics, axes), indent=2, allow_nan=False))
    elif options.md:
        print(markdown(comparison, metrics, size, axes, charts=charts, whole=options.all))
    else:
        lines = report(comparison, metrics, size, axes, charts=charts, ascii=options.ascii, whole=options.all)
        print(_written(lines, options.theme))
    return 0


def chosen_runs(words: Sequence[str], options: argparse.Namespace) -> list[RunPlace]:
    """The runs that are meant. Raises `NoSuchRun`, and `Failure` for too few, too many, or one that is named twice."""
    if not FEWEST <= len(words) <= MOST:
        raise Failure(f"{len(words)} run{'' if len(words) == 1 else 's'}: name {FEWEST} to {MOST}; `bedside runs` lists them")
    meant: dict[str, str] = {}
    places = []
    for word in words:
        place = find_run(word, roots(options.dir))
        path = os.path.realpath(place.log)
        if path in meant:
            raise Failure(f"{word} and {meant[path]} are the same run: {path}")
        meant[path] = word
        places.append(place)
    return places


def read(place: RunPlace) -> View:
    """A recording as it is now. Raises `Unreadable`."""
    companion = Companion(place.log, place.id, ReplaySource(place.log))
    companion.start()
    companion.wait()
    companion.close()
    if companion.view is None:
        raise Unreadable(companion.failed if str(place.log) in companion.failed else f"cannot compare {place.log}: {companion.failed}")
    return companion.view


def _chosen_metrics(comparison: Comparison, words: Sequence[str]) -> Sequence[Shared]:
    if not words:
        return shown_first(comparison)
    chosen, unknown = called(comparison.metrics, words)
    if unknown:
        there = ", ".join(metric.name for metric in comparison.metrics) or "none"
        raise Failure(f"no run has a metric called {' or '.join(unknown)}; there is {there}")
    return chosen


def _written(lines: Sequence[Line], theme: str | None) -> str:
    """The lines, in colours where a terminal shows them: its own sixteen, which suit its background, unless others are asked for."""
    if not sys.stdout.isatty() or find_spec("rich") is None or os.environ.get("TERM", "dumb") == "dumb":
        return plain(lines)
    from rich.color import ColorSystem

    from bedside_tui.theme import ANSI, MONO, PALETTES

    palette = PALETTES.get(theme or "", MONO if os.environ.get("NO_COLOR") else ANSI)  # type: ignore[call-overload]
    system = ColorSystem.STANDARD if palette.ansi else ColorSystem.TRUECOLOR
    return "\n".join("".join(palette.tones[style].render(text, color_system=system) for text, style in row) for row in lines)
