"""The timeline and the cursor by keys, in the real application at both sizes: a recording, and a live run looked back at."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bedside_protocol.records import LifecycleChanged
from bedside_protocol.runlog import encode_chunk
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_run import scripted_run

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
"""The fixture `viewer` of conftest: opens the application, which then is driven through what it yields."""

RUN = scripted_run(steps=2_000, seconds=120.0)
EVERY_PROBE = scripted_run(steps=2_000, seconds=120.0, probes="all")
SIZES = [(80, 24), (200, 50)]
both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "200x50"])


def recording() -> ScriptedSource:
    return ScriptedSource(RUN, live=False)


def time_of(opened: Any) -> float:
    return float(opened.app.viewing.frame(opened.clock.now).playhead.time)


def said(opened: Any) -> str:
    """The line above the keys."""
    return str(opened.lines[-2].strip())


# --- a moment typed after the colon


@both_sizes
async def test_a_moment_typed_after_the_colon_is_gone_to(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("space")
        for typed, time in (("1000", 60.0), ("25%", 30.0), ("0:01:30", 90.0), ("-30s", 60.0), ("+500", 90.0), ("2m", 120.0)):
            await opened.press("colon", *typed)
            assert "go " in opened.dialog, typed
            await opened.press("enter")
            assert time_of(opened) == pytest.approx(time, abs=0.7), typed
            assert said(opened).startswith("step "), typed


@both_sizes
async def test_beyond_an_end_it_goes_to_that_end_and_says_so(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("space", "colon", *"999k", "enter")
        assert said(opened).startswith("the run has not come that far: step 2,000 at 0:02:00 is its end")
        await opened.press("colon", *"-9h", "enter")
        assert said(opened).startswith("that is before the beginning of the run: step 0 at 0:00:00")


async def test_what_is_neither_a_name_nor_a_moment_is_told_what_a_moment_is(viewer: Open) -> None:
    async with viewer(recording()) as opened:
        await opened.press("colon")
        assert "a name, or 12000 · 50% · 1:02:03 · -10m" in opened.dialog
        await opened.press(*"1:99")
        assert "nothing is called that" in opened.dialog
        assert "@14:30" in opened.dialog
        before = time_of(opened)
        await opened.press("enter")
        assert time_of(opened) == before


async def test_names_are_found_as_before_also_by_a_number_in_them(viewer: Open) -> None:
    async with viewer(recording()) as opened:
        await opened.press("end", "colon", *"recon ch", "enter")
        assert "loss/recon" in opened.lines[3]
        await opened.press("colon", *"50", "down")
        assert opened.dialog.split("\n")[1].strip("› ") == "go to step 50"


# --- speed, records, shares


@both_sizes
async def test_speed_goes_from_an_eighth_to_sixty_four_times_and_says_its_limits(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("space")
        shown = []
        for _ in range(6):
            await opened.press("right_curly_bracket")
            shown.append(opened.lines[0].split(" · ")[0].split()[-1])
        assert shown == ["2×", "4×", "8×", "16×", "32×", "64×"]
        await opened.press("right_curly_bracket")
        assert said(opened) == "64× is the fastest"
        await opened.press(*["left_curly_bracket"] * 9)
        assert "replay 1/8×" in opened.lines[0]
        await opened.press("left_curly_bracket")
        assert said(opened) == "1/8× is the slowest"


@both_sizes
async def test_a_record_back_and_on_is_the_same_screen(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("space", "5", "full_stop")
        here, screen = time_of(opened), opened.text
        await opened.press("comma")
        assert time_of(opened) < here
        await opened.press("full_stop")
        assert time_of(opened) == here
        assert opened.lines[:-3] == screen.split("\n")[:-3]


@both_sizes
async def test_brackets_stop_at_every_mark_of_the_scrubber_in_both_directions(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("space", "0")
        there: list[float] = []
        while not there or there[-1] != time_of(opened):
            there.append(time_of(opened))
            await opened.press("right_square_bracket")
        back = [time_of(opened)]
        while True:
            await opened.press("left_square_bracket")
            if time_of(opened) == back[-1]:
                break
            back.append(time_of(opened))
        stops = sorted({mark.time for mark in opened.app.viewing.store.marks if mark.jump})
        assert there[1:] == stops
        assert sorted(back) == stops
        await opened.press("end")
        scrubber = opened.lines[-3]
        assert all(glyph in scrubber for glyph in "✎✓▲✖"), scrubber


# --- live and looking back


@both_sizes
async def test_live_is_the_end_of_the_timeline_and_its_age_is_always_said(size: tuple[int, int], viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source, size=size) as opened:
        for screen in ("v", "h", "b", "o", "i", "w", "l"):
            await opened.press("end", screen)
            assert "< 1 s ago" in opened.text, screen
            await opened.press("5")
            assert "looking back" in opened.lines[0]
            assert "as of 1m0" in opened.text, screen
        opened.clock.now += 60
        source.say(LifecycleChanged("running", "", 2_000))
        await opened.press("end")
        assert opened.app.viewing.timeline.mode == "now"


async def test_looking_back_can_be_played_and_catches_up_with_now(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("9", "space", *["right_curly_bracket"] * 2)
        assert opened.lines[0].startswith(" ▶ looking back 4× · 0:01:48 of 0:02:00")
        opened.clock.now += 2
        await opened.press()
        assert "0:01:56" in opened.lines[0]
        opened.clock.now += 2
        await opened.press()
        assert opened.app.viewing.timeline.mode == "now"


@both_sizes
async def test_a_file_that_grows_is_followed_and_looked_back_in(size: tuple[int, int], tmp_path: Path, viewer: Open) -> None:
    half = next(place for place, record in enumerate(RUN) if record.time > 60.0)
    log = tmp_path / "run.bedside"
    log.write_bytes(encode_chunk(RUN[:half], 1, {}))
    async with viewer(ReplaySource(log, follow=True), size=size) as opened:
        await opened.seen("from the file, < 1 s ago")
        newest = opened.app.viewing.store.at(None).step
        await opened.press("5")
        assert "looking back" in opened.lines[0]
        with open(log, "ab") as file:
            file.write(encode_chunk(RUN[half:], half + 1, {}))
        await opened.until(lambda: opened.app.viewing.store.at(None).step == 2_000 > newest)
        assert "looking back · 0:00:" in opened.lines[0]
        await opened.press("end")
        assert "step 2,000" in opened.lines[0]
        assert "from the file" in opened.text


AGE = re.compile(r"(?:(?:< )?[\d.]+ \w+ ago|at \d\d:\d\d:\d\d)(?= |$)")
COST = re.compile(r"every [\d,]+(?: · cost [\d.< ]+ %(?: of a step)?)?")


def body(rows: list[str], head: int, foot: int) -> list[str]:
    """The lines between head and foot, without the age of the data, told in other words in a recording, and what gives way to it."""
    return [re.sub("[ ─]+", " ", COST.sub("", AGE.sub("", row))) for row in rows[head : len(rows) - foot]]


@pytest.mark.parametrize(("size", "step"), [(SIZES[0], 1_950), (SIZES[1], 700)])
async def test_a_recording_at_a_moment_shows_what_the_live_screen_showed_then(size: tuple[int, int], step: int, viewer: Open) -> None:
    width, height = size
    screens = ("v", "h", "b", "o", "i", "w", "l")
    async with viewer(ScriptedSource(EVERY_PROBE, live=False), size=size) as opened:
        await opened.press("space", "colon", *str(step), "enter")
        moment = time_of(opened)
        then = {}
        for screen in screens:
            await opened.press(screen)
            then[screen] = body(opened.lines, 3, 3)
    known = [record for record in EVERY_PROBE if record.time <= moment]
    async with viewer(ScriptedSource(known), size=(width, height - 2)) as opened:
        for screen in screens:
            await opened.press(screen)
            assert body(opened.lines, 2, 2) == then[screen], screen


# --- the cursor of values


@both_sizes
async def test_the_cursor_is_at_one_step_on_every_screen_and_says_logged_values(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("end", "h", "less_than_sign", *["left_parenthesis"] * 3)
        step = re.search(r"┃ step ([\d,]+)", opened.text)
        assert step is not None
        metric = opened.app.viewing.store.at(None).metric(opened.app.metric)
        at, value = metric.history.value_at(int(step[1].replace(",", "")))
        assert f"┃ {value:.4f} @ {at:,}" in " ".join(opened.text.split())
        for screen in ("v", "b", "o", "w"):
            await opened.press(screen)
            assert f"┃ step {step[1]}" in opened.text, screen
        await opened.press("v")
        assert f"┃ {value:.4f} @ {at:,}" in " ".join(opened.text.split())


@both_sizes
async def test_with_a_pinned_step_every_metric_tells_its_difference(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(recording(), size=size) as opened:
        await opened.press("end", "h", "less_than_sign", "z", *["left_parenthesis"] * 2)
        assert "Δ since 2,000" in opened.text
        assert re.search(r"Δ [-+]?[\d.e-]+ [-+]\d+ % since 2,000", opened.text)
        await opened.press("v")
        metrics = [row for row in opened.lines if "loss" in row and "┃" in row]
        assert metrics
        assert all("Δ" in row for row in metrics)
        await opened.press("escape")
        assert "┃" not in opened.text
        assert opened.name == "vitals"


@both_sizes
async def test_the_run_can_be_shown_as_it_was_at_the_cursor(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN), size=size) as opened:
        await opened.press("h", "less_than_sign", *["left_parenthesis"] * 3, "u")
        found = re.search(r"┃ step ([\d,]+)", opened.text)
        assert found is not None
        assert "looking back" in opened.lines[0]
        shown = re.search(r" step ([\d,]+)", opened.lines[1])
        assert shown is not None
        assert abs(int(shown[1].replace(",", "")) - int(found[1].replace(",", ""))) <= 20


async def test_in_an_open_alarm_it_reads_the_metric_the_alarm_is_about(viewer: Open) -> None:
    async with viewer(recording(), size=(200, 50)) as opened:
        await opened.press("end", "N", "less_than_sign", *["left_parenthesis"] * 2)
        assert "lost level · loss/commit" in opened.text
        metric = opened.app.viewing.store.at(None).metric("loss/commit")
        step, value = metric.history.value_at(opened.app.viewing.cursor.at.step)
        assert f"┃ {value:.4f} @ {step:,}" in " ".join(opened.text.split())


async def test_without_a_metric_there_is_nothing_to_put_it_on(viewer: Open) -> None:
    async with viewer(ScriptedSource()) as opened:
        await opened.press("h", "less_than_sign")
        assert "nothing logged yet to put the cursor on" in opened.text
        await opened.press("u")
        assert "no cursor on a chart" in opened.text


async def test_on_ascii_alone_it_stands_out_too(viewer: Open) -> None:
    async with viewer(recording(), ascii=True) as opened:
        await opened.press("end", "h", "less_than_sign", "left_parenthesis", "z", "left_parenthesis")
        canvas = opened.lines[4:16]
        assert sum("|" in row[10:] for row in canvas) > 6
        assert sum(":" in row[10:] for row in canvas) > 6
        await opened.press("v")
        assert "left right skip" in opened.lines[-1]
