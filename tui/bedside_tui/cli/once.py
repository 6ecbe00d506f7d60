"""`bedside once [RUN]`: one screen, exactly as the viewer draws it, as text or SVG.

Without `--at` it is the screen that `bedside attach` shows; with it, the one of `bedside replay`, held at that step.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_look, add_run, chosen_run, size_of
from bedside_tui.cli.remote import add_reach, opened, reach_of
from bedside_tui.cli.terminal import need_screens
from bedside_tui.library import summarise
from bedside_tui.output import Unwritable, whole_file
from bedside_tui.remote.place import remote_place
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.source import Source

SCREENS: Final = ("vitals", "chart", "codebook", "model", "samples", "alerts", "ranks", "log", "stack", "help")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", dest="form", action="store_const", const="text", help="as text, without colours and escapes (the default)")
    form.add_argument("--svg", dest="form", action="store_const", const="svg", help="as a picture")
    parser.set_defaults(form="text")
    parser.add_argument("--size", type=size_of, default=(80, 24), metavar="WxH", help="columns and rows (default 80x24)")
    parser.add_argument("--screen", choices=SCREENS, default="vitals", help="which (default vitals)")
    parser.add_argument("--of", default="", metavar="NAME", help="the metric of the chart, or the probe of codebook, model and samples")
    parser.add_argument("--at", type=_step, metavar="STEP", help="as it was known when the run reached this step (default: as it is)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of stdout")
    add_look(parser)
    add_reach(parser)


def run(options: argparse.Namespace) -> int:
    need_screens()
    source, over = _source(options)
    from bedside_tui.still import NoStill, Shot, take
    from bedside_tui.theme import DARK, MONO, PALETTES

    palette = MONO if options.form == "text" else PALETTES.get(options.theme, DARK)
    shot = Shot(options.screen, options.size, options.form, options.at, options.of, palette, options.ascii)
    try:
        drawn = asyncio.run(take(source, shot, over=over))
    except NoStill as why:
        raise Failure(str(why)) from None
    _write(drawn, options.out)
    return 0


def _source(options: argparse.Namespace) -> tuple[Source, bool]:
    """Where the run comes from, and whether it is known to be over."""
    there = remote_place(options.RUN)
    if there is None:
        place = chosen_run(options)
        over = summarise(place).lifecycle in OVER
        return LiveSource(place) if options.at is None else ReplaySource(place.log), over
    if not there.run:
        raise Failure(f"which run of {there.host}? `bedside attach {there.word}` lists them")
    from bedside_tui.sources.remote import RemoteSource

    return opened(RemoteSource(there, reach_of(options), read_only=True, replay=options.at is not None)), False


def _write(drawn: str, out: Path | None) -> None:
    if out is None:
        print(drawn, end="")
        return
    try:
        with whole_file(out.expanduser()) as file:
            file.write(drawn.encode())
    except Unwritable as error:
        raise Failure(str(error)) from error


def _step(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text):
        raise argparse.ArgumentTypeError(f"{text} is no step: write a whole number")
    return int(text)
