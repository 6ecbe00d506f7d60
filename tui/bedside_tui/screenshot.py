"""Pictures of every screen, made by the application itself: it runs headless over a scripted run and saves what it draws as SVG.

`python -m bedside_tui.screenshot --out DIR`; with `--run FILE` over a recording, at its end. The same scenes are what the documentation
shows and what a person inspects after a change.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textual.pilot import Pilot

from bedside_protocol.records import Scalar
from bedside_tui.app import BedsideApp
from bedside_tui.best_values import Best
from bedside_tui.lab_book import NotWritten
from bedside_tui.run_row import RunRow
from bedside_tui.screens.compare import CompareScreen
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_inside import EXAMPLES, Example
from bedside_tui.sources.scripted_plan import Kind
from bedside_tui.sources.scripted_ranks import of_ranks
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.sources.source import Source
from bedside_tui.still import svg_of
from bedside_tui.theme import PALETTES, PaletteName

SIZES = ((80, 24), (200, 50))

_HOME = "~/.local/state/bedside"
RUN_ROWS = (
    RunRow("k3v9", "digits-1", "tokenizer", "running", "", 12_431, "red", "now", f"{_HOME}/k3v9-digits-1", loss=0.0214,
           best=(Best("loss", 0.0209, 12_102, "down"),), tags=("vq",)),
    RunRow("k3v8", "digits-0", "tokenizer", "finished", "", 20_000, "ok", "1d 02h", f"{_HOME}/k3v8", loss=0.0198,
           best=(Best("val/acc", 0.913, 18_000, "up"),), verdict="good", tags=("vq", "baseline"), notes=2, newest="EMA 0.99 from here on"),
    RunRow("j81x", "v7.0.5", "world", "killed", "9: SIGKILL", 95_210, "red", "3d 11h", f"{_HOME}/j81x", loss=1.31,
           best=(Best("loss", 0.84, 51_200, "down"),), verdict="broken"),
    RunRow("j7aa", "bg-1", "solver", "failed", "KeyError: 'mask'", 500, "amber", "6d 00h", f"{_HOME}/j7aa", loss=0.84),
    RunRow("j70c", "bg-0", "solver", "lost", "", 31, "none", "9d 07h", f"{_HOME}/j70c"),
)  # fmt: skip
"""A list of runs as a busy week leaves it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to take: what is looked at, and the keys that lead there."""

    name: str
    keys: tuple[str, ...] = ()
    kind: Kind = "collapse"
    source: Literal["live", "recorded", "silent", "list"] = "live"
    """A run going on, a recording, a run that says nothing yet, or no run but the list of them."""
    palette: PaletteName = "dark"
    ascii: bool = False
    beside: bool = False
    """Whether there are other runs, which may be laid beside the one that is looked at."""
    ranks: Literal["", "slow", "hangs"] = ""
    """Of several ranks, one that is slow, or hangs; empty: a run of one process."""
    probe: str = ""
    """A probe to look at in a run that has one of every kind; empty: a run with the usual few."""


def _of_probe(example: Example) -> Scene:
    return Scene(f"probe-{example.name.replace('/', '-').replace(' ', '-')}", probe=example.name)


SCENES: tuple[Scene, ...] = (
    Scene("vitals"),
    Scene("vitals-healthy", ("j", "j", "j"), kind="healthy"),
    Scene("chart", ("h", "j", "j", "y")),
    Scene("codebook", ("b",)),
    Scene("codebook-healthy", ("b",), kind="healthy"),
    Scene("model", ("o",)),
    Scene("samples", ("i",)),
    Scene("alerts", ("w",)),
    Scene("alarm", ("n",)),
    Scene("alerts-explosion", ("w",), kind="explosion"),
    Scene("alerts-review", ("end", "w"), kind="explosion", source="recorded"),
    Scene("alarm-explosion", ("n",), kind="explosion"),
    Scene("alarm-moment", ("n", "t"), kind="explosion"),
    Scene("vitals-explosion", kind="explosion"),
    Scene("log-explosion", ("l", "j", "j", "j"), kind="explosion"),
    Scene("chart-explosion", ("h",), kind="explosion"),
    Scene("stop-explosion", ("S",), kind="explosion"),
    Scene("log", ("l", "j", "j", "j")),
    Scene("ranks", ("e", "j"), kind="healthy", ranks="slow"),
    Scene("stack", ("W",)),
    Scene("stack-ranks", ("e", *"jjjjj", "enter"), kind="healthy", ranks="hangs"),
    Scene("help", ("question_mark",)),
    Scene("stop", ("S",)),
    Scene("palette", ("colon", "c", "h")),
    Scene("note", ("m", *"half of it is dead")),
    Scene("verdict", ("V", "tab")),
    Scene("replay", ("9", "right_square_bracket", "space"), source="recorded"),
    Scene("replay-chart", ("h", "7", "space"), source="recorded"),
    Scene("seek", ("colon", *"-10m")),
    Scene("cursor", ("h", "less_than_sign", "z", *["left_parenthesis"] * 4)),
    Scene("cursor-vitals", ("less_than_sign", "z", *["left_parenthesis"] * 2)),
    Scene("cursor-ascii", ("h", "less_than_sign", "z", *["left_parenthesis"] * 4), palette="mono", ascii=True),
    Scene("runs", ("j",), source="list"),
    Scene("compare", ("equals_sign", "enter", "y"), beside=True),
    Scene("compare-checkpoints", ("equals_sign", "enter", "tab", "tab"), beside=True),
    Scene("compare-choice", ("equals_sign", "down", "space"), beside=True),
    Scene("nothing-yet", source="silent"),
    Scene("vitals-light", palette="light"),
    Scene("vitals-ansi", palette="ansi"),
    Scene("vitals-mono", palette="mono"),
    Scene("vitals-ascii", ascii=True),
    Scene("chart-ascii", ("h",), ascii=True),
    Scene("vitals-all", probe="vitals"),
    *(_of_probe(example) for example in EXAMPLES),
    *(Scene(f"gradients-{palette}", palette=palette, probe="gradients") for palette in PALETTES),
    Scene("gradients-ascii", ascii=True, probe="gradients"),
    *(Scene(f"attention-{palette}", palette=palette, probe="attention") for palette in PALETTES),
    Scene("attention-ascii", ascii=True, probe="attention"),
    Scene("rollout-light", palette="light", probe="rollout"),
    Scene("rollout-ascii", ascii=True, probe="rollout"),
)


class PictureLibrary:
    """The rows of `RUN_ROWS`; each opens the scripted run, well or ill as the row says, and none can be written about."""

    reading = ""

    def rows(self) -> Sequence[RunRow]:
        return RUN_ROWS

    def open(self, row: RunRow) -> Source:
        well = row.health == "ok"
        return ScriptedSource(scripted_run("healthy" if well else "collapse", ended=well))

    def write(self, row: RunRow, arguments: Mapping[str, Scalar]) -> str:
        raise NotWritten(f"{row.title} is a picture of a run")


def application(scene: Scene, recording: Path | None) -> BedsideApp:
    """The viewer as the scene wants it. Its clock stands still, so that pictures taken twice are the same."""
    source: Source | None = None
    if recording is not None:
        source = ReplaySource(recording)
    elif scene.source in ("live", "recorded"):
        live = scene.source == "live"
        run = scripted_run(scene.kind, ended=not live, probes="all" if scene.probe else "usual")
        source = ScriptedSource(of_ranks(run, hangs=scene.ranks == "hangs") if scene.ranks else run, live=live)
    elif scene.source == "silent":
        source = ScriptedSource()
    library = PictureLibrary() if scene.source == "list" or scene.beside else None
    return BedsideApp(source, library=library, palette=PALETTES[scene.palette], ascii=scene.ascii, monotonic=lambda: 1000.0)


async def take(scene: Scene, size: tuple[int, int], recording: Path | None = None) -> str:
    """One picture as SVG that looks for no font elsewhere."""
    app = application(scene, recording)
    async with app.run_test(size=size) as pilot:
        await asyncio.wait_for(app.settled.wait(), timeout=20)
        for key in scene.keys if recording is None else ("end", *scene.keys):
            await pilot.press(key)
        await _all_read(app, pilot)
        if scene.probe and scene.probe != "vitals":
            app.show_probe(scene.probe)
        await pilot.pause()
        app.redraw()
        await pilot.pause()
        return svg_of(app, f"bedside · {scene.name}")


async def _all_read(app: BedsideApp, pilot: Pilot[None]) -> None:
    """Until the runs beside the one that is looked at have been read."""
    screen = app.screens["compare"]
    while isinstance(screen, CompareScreen) and not all(companion.over for companion in screen.companions):
        await pilot.pause(0.01)


async def take_all(out: Path, scenes: Sequence[Scene], recording: Path | None = None) -> list[Path]:
    """Every scene at both sizes, as `NAME-80x24.svg`."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for scene in scenes:
        for size in SIZES:
            path = out / f"{scene.name}-{size[0]}x{size[1]}.svg"
            path.write_text(await take(scene, size, recording), encoding="utf-8")
            made.append(path)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bedside_tui.screenshot", description="pictures of every screen as SVG")
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="folder to write to")
    parser.add_argument("--run", type=Path, metavar="FILE", help="draw this recording instead of the scripted run")
    parser.add_argument("scenes", nargs="*", help=f"only these: {', '.join(scene.name for scene in SCENES)}")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"  # a picture must not depend on where it is taken
    time.tzset()
    wanted = [scene for scene in SCENES if not options.scenes or scene.name in options.scenes]
    for path in asyncio.run(take_all(options.out, wanted, options.run)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
