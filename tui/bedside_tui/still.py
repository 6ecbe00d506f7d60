"""A still of the viewer: what it draws of a run at one moment, made by the application itself without a terminal.

Text has no colours, so pictures are drawn in shades there. The clock stands: a still says how things were once all had been read.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Final, Literal

from bedside_tui.app import BedsideApp
from bedside_tui.draw import number
from bedside_tui.screens.probes import screen_of
from bedside_tui.sources.source import Source
from bedside_tui.theme import MONO, Palette

FONTS: Final = '"Fira Code", Menlo, Consolas, "DejaVu Sans Mono", monospace'
PATIENCE: Final = 60.0
"""Seconds within which a run's first records and all that was written before must have been read."""
_WEB_FONT: Final = re.compile(r"@font-face \{[^}]*\}\s*")


class NoStill(Exception):
    """What was asked for cannot be drawn; the text says why."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What to draw."""

    screen: str
    size: tuple[int, int]
    """Columns and rows."""
    form: Literal["text", "svg"] = "text"
    step: int | None = None
    """The step at which to look; None: as things stand."""
    of: str = ""
    """The metric of the chart, the probe of the screens of probes; empty: the first."""
    palette: Palette = MONO
    ascii: bool = False


async def take(source: Source, shot: Shot, *, over: bool) -> str:
    """The screen as text, a line feed after each row, or as SVG; of a run that is `over`, once its source has said so. Raises `NoStill`."""
    instant = time.monotonic()
    app = BedsideApp(source, palette=shot.palette, ascii=shot.ascii, monotonic=lambda: instant)
    async with app.run_test(size=shot.size) as pilot:
        try:
            async with asyncio.timeout(PATIENCE):
                while not _is_read(app, over):
                    await pilot.pause(0.02)
        except TimeoutError:
            raise NoStill(f"nothing could be read of the run within {PATIENCE:g} s") from None
        if shot.step is not None:
            _stand_at(app, shot.step, instant)
        if shot.of:
            _choose(app, shot.screen, shot.of)
        app.show(shot.screen)
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        if shot.form == "svg":
            return svg_of(app, f"bedside · {shot.screen}")
        assert app.top is not None
        return app.top.rows.text + "\n"


def svg_of(app: BedsideApp, title: str) -> str:
    """What the application shows as SVG that looks for no font elsewhere."""
    picture = app.export_screenshot(title=title)
    return _WEB_FONT.sub("", picture).replace("font-family: Fira Code, monospace", f"font-family: {FONTS}")


def _is_read(app: BedsideApp, over: bool) -> bool:
    """Whether all has been read. A source may come to the end of a log before it finds that nobody is left to write to it."""
    return app.settled.is_set() and app.viewing.store.records > 0 and (not over or app.viewing.status.state == "ended")


def _choose(app: BedsideApp, screen: str, name: str) -> None:
    """Put the cursor of a screen on a metric or a probe."""
    view = app.viewing.store.at(None)
    if screen == "chart":
        names = [metric.name for metric in view.metrics]
        app.metric = name
    else:
        names = [probe.name for probe in view.probes if screen_of(probe.kind) == screen]
        app.screens[screen].choice.choose(name)
    if name not in names:
        raise NoStill(f"there is no {name} on the {screen} screen; there is {', '.join(names) or 'nothing to choose'}")


def _stand_at(app: BedsideApp, step: int, now: float) -> None:
    """Hold the viewer at the moment at which the run reached a step."""
    viewing = app.viewing
    newest = viewing.store.at(None).step
    if step > newest:
        raise NoStill(f"step {number.count(step)} was not reached: the newest is {number.count(newest)}")
    reached = viewing.store.time_of_step(step)
    viewing.timeline.hold(viewing.store.span[0] if reached is None else reached, now)
