"""A still of a run: exactly the screen the viewer draws, as text or SVG."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.records import Array, LifecycleChanged, Metrics, Note, Snapshot, Tick
from bedside_tui.app import BedsideApp
from bedside_tui.cli.once import SCREENS
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.theme import MONO

Start = Callable[..., Any]
Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[..., Metrics]

LOOP = """
import bedside, sys
run = bedside.init(project="flow", name="told")
for line in sys.stdin:
    run.log({"loss": float(line)})
    run.step()
"""
"""Logs a step for each number it is told."""


def looked_at(place: RunPlace, screen: str, size: tuple[int, int]) -> str:
    """What a person sees who attaches to a run that is over and opens a screen."""

    async def look() -> str:
        app = BedsideApp(LiveSource(place), palette=MONO)
        async with app.run_test(size=size) as pilot:
            async with asyncio.timeout(60):
                while app.viewing.status.state != "ended":
                    await pilot.pause(0.02)
            app.show(screen)
            await pilot.pause()
            app.redraw()
            await pilot.pause()
            assert app.top is not None
            return app.top.rows.text

    return asyncio.run(look())


def codebook(step: int) -> Snapshot:
    usage = Array("histogram", np.arange(64.0))
    return Snapshot("vq", "codebook", step, {"size": 64.0, "used": 60.0, "usage": 0.9, "dead": 4.0, "perplexity": 40.0}, {"usage": usage})


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 12)])
def test_a_still_is_the_screen_the_viewer_draws(bedside: Cli, record: Made, losses: Losses, size: tuple[int, int]) -> None:
    place = record([losses([1 / step for step in range(1, 101)]), codebook(50), Note("look", "ann", 60), codebook(100)])
    for screen in SCREENS:
        said = bedside("once", place.log, "--screen", screen, "--size", f"{size[0]}x{size[1]}")
        assert (said.code, said.err) == (0, "")
        assert said.out == looked_at(place, screen, size) + "\n"
        assert len(said.out.splitlines()) == size[1]
        assert said.out.replace("\n", "").isprintable()


def test_a_still_of_a_log_without_an_end_says_lost(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0])], ended=None)
    assert "✖ lost" in bedside("once").out


def test_every_screen_of_a_run_has_a_still() -> None:
    assert set(SCREENS) == BedsideApp.SCREEN_TYPES.keys() - {"runs", "compare"}  # these show several


def test_a_still_of_a_live_run_shows_it_running_and_asks_nothing_of_it(start: Start, bedside: Cli) -> None:
    training = start(LOOP)
    for _ in range(12):
        training.say("0.25")
    training.wait_points("loss", 11)
    training.wait_lifecycle("running")
    said = bedside("once")
    assert said.code == 0
    assert "flow/told  ● running  step 12 " in said.out
    assert " P pause C ckpt S stop " in said.out
    assert "0.25" in bedside("once", "--screen", "chart", "--size", "120x40").out
    for _ in range(8):
        training.say("0.5")
    training.wait_points("loss", 19)
    assert [body.state for body in training.bodies(LifecycleChanged)][-1] == "running"


def test_a_still_at_a_step_shows_what_was_known_then(bedside: Cli, record: Made, losses: Losses) -> None:
    blocks = [losses(values) for values in ([3.0], [3.0, 2.0], [3.0, 2.0, 1.0])]
    one = [Metrics(block.names, block.steps[-1:], block.times[-1:], block.values[:, -1:]) for block in blocks]
    record([one[0], Tick(1), one[1], Tick(2), Note("of note", "ann", 2), one[2], Tick(3)])
    early, late = bedside("once", "--at", "2").out, bedside("once", "--at", "3").out
    assert "‖ replay" in early
    assert [part in early for part in ("step 2 ", " 2.00 ", "best 2.00 @ 2", "of note")] == [True, True, True, False]
    assert [part in late for part in ("step 3 ", " 1.00 ", "best 1.00 @ 3", "of note")] == [True] * 4
    said = bedside("once", "--at", "4")
    assert (said.code, said.out, said.err) == (3, "", "bedside: step 4 was not reached: the newest is 3\n")


def test_a_still_is_of_the_metric_or_probe_that_was_named(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0, 0.5]), losses([9.0, 8.0], "val/acc"), codebook(2)])
    assert "─ val/acc  2 of 2 ─" in bedside("once", "--screen", "chart", "--of", "val/acc").out
    assert "─ loss  1 of 2 ─" in bedside("once", "--screen", "chart", "--of", "loss").out
    assert bedside("once", "--screen", "codebook", "--of", "vq").code == 0
    for screen, there_is in (("chart", "loss, val/acc"), ("codebook", "vq"), ("model", "nothing to choose")):
        said = bedside("once", "--screen", screen, "--of", "acc")
        assert (said.code, said.out, said.err) == (3, "", f"bedside: there is no acc on the {screen} screen; there is {there_is}\n")


def test_a_still_as_svg_is_a_picture_that_looks_for_nothing_elsewhere(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    record([losses([1.0, 0.5])])
    out = home / "still.svg"
    assert bedside("once", "--svg", "--size", "100x30", "--out", out) == (0, "", "")
    picture = out.read_text()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "flow/made" in picture
    assert "@font-face" not in picture
    assert picture == bedside("once", "--svg", "--size", "100x30").out
    said = bedside("once", "--out", home / "nowhere" / "still.txt")
    assert (said.code, said.out) == (3, "")
    assert said.err == f"bedside: cannot write {home}/nowhere/still.txt: No such file or directory\n"


@pytest.mark.parametrize("size", ["80", "80x", "19x24", "80x4", "9999x24", "x", "-80x24"])
def test_a_size_that_cannot_be_drawn_is_a_sentence(bedside: Cli, record: Made, losses: Losses, size: str) -> None:
    record([losses([1.0])])
    said = bedside("once", f"--size={size}")
    assert said.code == 3
    assert f"{size} is no size: write columns and rows such as 80x24, from 20x5 to 1000x500" in said.err
