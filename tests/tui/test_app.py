"""The application in use: what comes in, what is drawn, moving in time, other sizes, and what must never happen."""

from __future__ import annotations

import gc
import math
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pytest
from textual.widget import Widget

from bedside_protocol.records import AlertChanged, LifecycleChanged, Metrics, Note, ProbeDeclared, Record, RunStarted, Snapshot
from bedside_tui.app import BedsideApp
from bedside_tui.screens.base import RunScreen
from bedside_tui.screens.dialogs import AskLine, PaletteDialog, StopDialog
from bedside_tui.screens.vitals import VitalsScreen
from bedside_tui.screenshot import SCENES, PictureLibrary, take
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.sources.source import Inbox, SourceStatus, Update
from bedside_tui.viewer import CATCHING_UP
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
"""The fixture `viewer` of conftest: opens the application, which then is driven through what it yields."""

RUN = scripted_run(steps=2_000, seconds=120.0)
SCREEN_KEYS = {"v": "vitals", "h": "chart", "b": "codebook", "o": "model", "i": "samples", "w": "alerts", "e": "ranks",
               "l": "log", "question_mark": "help", "r": "runs"}  # fmt: skip
SIZES = [(80, 24), (200, 50)]

HOSTILE = [
    "[/x]", "[bold]acc[top5]", "[@click=app.quit]x", "\x1b]52;c;aGk=\x07", "\x1b[2Jgone", "\x9b2J", "\x1bc", "a\rb\nc\td", "\x00",
    "\u202egnp.exe", "a\u200bb", "\ud800", "面白い" * 30, "é" * 500, "x" * 10_000, "",
]  # fmt: skip


def row(step: int, at: float, **values: float) -> Metrics:
    return Metrics(tuple(values), np.array([step]), np.array([at]), np.array([[value] for value in values.values()]))


# --- drawing


@pytest.mark.parametrize("size", SIZES)
async def test_every_screen_is_drawn_whole(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN), size=size) as opened:
        for press, name in SCREEN_KEYS.items():
            await opened.press(press)
            assert opened.name == name
            assert "could not be drawn" not in opened.text
            assert opened.lines[0].startswith(" tokenizer/digits-1  ● running  step 2,000")
            assert opened.lines[1][1:].startswith("✖ RED  codebook collapse")
            assert "q leave" in opened.lines[-1]
            assert len(opened.lines) == size[1]


async def test_a_source_that_delivers_nothing_shows_what_would_fill_each_screen(viewer: Open) -> None:
    filled_by = {
        "v": "run.log({", "h": "run.log({", "b": "bedside.Codebook(", "o": "run.watch(model, optimizer)", "i": "kind samples",
        "w": "no alarm in this run so far", "l": "m writes a note", "r": "there is no list",
    }  # fmt: skip
    async with viewer(ScriptedSource()) as opened:
        assert "nothing written yet" in opened.lines[0]
        assert "not judged yet" in opened.lines[1]
        for press, text in filled_by.items():
            await opened.press(press)
            assert text in opened.text, press


@pytest.mark.parametrize("size", SIZES)
async def test_an_idle_update_redraws_only_what_changed(size: tuple[int, int], viewer: Open) -> None:
    names = [f"metric/{place:02}" for place in range(24)]
    first = [row(step, step / 10, **dict.fromkeys(names, 1.0 + step / 100)) for step in range(50)]
    source = ScriptedSource([Record(at / 10, body, seq=at + 1) for at, body in enumerate([RunStarted("a", "n", "p", 0.0), *first])])
    async with viewer(source, size=size) as opened:
        rows = opened.app.top.rows  # type: ignore[union-attr]
        opened.app.redraw()
        sent = rows.sent
        opened.app.redraw()
        assert rows.sent == sent
        source.say(row(50, 5.1, **{names[3]: 2.5}))
        await opened.seen("2.50")
        await opened.quiet()
        assert 0 < rows.sent - sent <= 120


async def test_what_is_hidden_is_not_drawn(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("l")
        hidden = opened.app.screens["vitals"].rows.sent
        source.say(Note("hello", "you", 2_001))
        await opened.seen("you: hello")
        assert opened.app.screens["vitals"].rows.sent == hidden


async def test_nothing_moves_when_an_alarm_arrives(viewer: Open) -> None:
    source = ScriptedSource(scripted_run("healthy", steps=2_000, seconds=120.0))
    async with viewer(source) as opened:
        await opened.press("j", "j", "j")
        chosen = opened.app.top.choice.chosen
        heads = {place: line for place, line in enumerate(opened.lines) if line.startswith(" ─ ")}
        metrics = opened.lines[3:11]
        source.say(AlertChanged("codebook-collapse", "vq", "firing", "red", 2_000, 1_900, 41.0, "41 of 512 codes", episode=1))
        await opened.seen("✖ RED  codebook collapse  vq: 41 of 512 codes")
        assert {place: line for place, line in enumerate(opened.lines) if line.startswith(" ─ ")} == heads
        assert opened.lines[3:11] == metrics
        assert opened.app.top.choice.chosen == chosen


class BrokenVitals(VitalsScreen):
    """A screen with a fault, as a new one might have."""

    where = ("lists", "vitals")

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        raise ZeroDivisionError("division by [/x] \x1b[2J")


class AppWithFault(BedsideApp):
    SCREEN_TYPES: ClassVar[dict[str, type[RunScreen]]] = {**BedsideApp.SCREEN_TYPES, "vitals": BrokenVitals}


async def test_a_drawing_that_fails_says_so_and_the_viewer_goes_on() -> None:
    app = AppWithFault(ScriptedSource(RUN))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.settled.wait()
        await pilot.pause()
        app.redraw()
        assert app.top is not None
        assert "ZeroDivisionError: division by [/x] ␛[2J" in " ".join(app.top.rows.text.split())
        await pilot.press("l")
        await pilot.pause()
        app.redraw()
        assert "run started" in app.top.rows.text


async def test_a_failure_elsewhere_shows_no_locals() -> None:
    app = BedsideApp(ScriptedSource())
    async with app.run_test():
        try:
            secret = "curve-key-5f2a"
            raise RuntimeError("\x1b[2Jboom") from ValueError(len(secret))
        except RuntimeError:
            app._fatal_error()
        said = str(app._exit_renderables[-1])
        app._exit_renderables.clear()
    assert "RuntimeError: ␛[2Jboom" in said
    assert "5f2a" not in said.replace('secret = "curve-key-5f2a"', "")
    assert "\x1b" not in said


# --- sizes


async def test_it_can_be_resized_in_use_down_to_almost_nothing(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        for press in SCREEN_KEYS:
            await opened.press(press)
            for size in ((20, 5), (200, 50), (1, 1), (37, 9), (120, 12), (80, 24)):
                await opened.pilot.resize_terminal(*size)
                await opened.quiet()
                opened.app.redraw()
                assert "could not be drawn" not in " ".join(opened.text.split()), (press, size)
                assert len(opened.lines) == size[1]


async def test_twenty_by_five_still_says_alive_and_alarmed(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN), size=(20, 5)) as opened:
        assert "● running" in opened.lines[0]
        assert "✖ RED" in opened.lines[1]


async def test_a_recording_is_drawn_in_any_size_too(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN, live=False), size=(20, 5)) as opened:
        for size in ((20, 5), (60, 8), (200, 50)):
            await opened.pilot.resize_terminal(*size)
            await opened.press("5", "h")
            assert "could not be drawn" not in opened.text


# --- time


async def test_a_live_run_looked_back_at_says_so_and_end_returns_to_now(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("left", "left")
        assert opened.lines[0].startswith(" ◀ looking back · 0:01:57 of 0:02:00")
        assert "┿" in opened.lines[-3]
        step = opened.app.viewing.frame(opened.clock.now).view.step
        source.say(row(2_500, 125.0, loss=0.5), LifecycleChanged("running"))
        await opened.until(lambda: opened.app.viewing.store.at(None).step == 2_500)
        await opened.press()
        assert opened.app.viewing.frame(opened.clock.now).view.step == step
        await opened.press("end")
        assert "step 2,500" in opened.lines[0]


async def test_moving_on_from_the_last_moment_of_a_live_run_is_now(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("left", "right", "right")
        assert opened.app.viewing.timeline.mode == "now"


async def test_a_recording_plays_by_the_clock_and_holds_at_its_end(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN, live=False)) as opened:
        assert opened.lines[0].startswith(" ▶ replay 1× · 0:00:00 of 0:02:00")
        opened.clock.now += 60
        await opened.press("right_curly_bracket")
        assert opened.lines[0].startswith(" ▶ replay 2× · 0:01:00")
        opened.clock.now += 15
        await opened.press()
        assert opened.lines[0].startswith(" ▶ replay 2× · 0:01:30")
        await opened.press("space")
        opened.clock.now += 100
        await opened.press()
        assert opened.lines[0].startswith(" ‖ replay 2× · 0:01:30")
        await opened.press("space")
        opened.clock.now += 100
        await opened.press()
        assert opened.lines[0].startswith(" ‖ replay 2× · 0:02:00")


async def test_space_never_pauses_the_training(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        await opened.press("space")
        assert "P pauses the training" in opened.text
        await opened.press("left", "space", "space")
        assert source.scripted_control.sent == []


async def test_events_of_the_timeline_are_stops(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN, live=False)) as opened:
        stops = []
        for _ in range(8):
            await opened.press("right_square_bracket")
            stops.append(opened.lines[-2].strip())
        assert [stop.split()[1] for stop in stops if stop != "no later event"] == ["you:", "checkpoint", "lost", "low", "codebook"]
        assert stops[-1] == "no later event"


async def test_the_log_takes_one_to_the_moment_of_an_entry(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        await opened.press("l", "j", "j", "j", "enter")
        assert opened.app.viewing.timeline.mode == "back"
        assert "checkpoint" in opened.text


# --- probes


EVERY_PROBE = scripted_run(steps=2_000, seconds=120.0, probes="all")


@pytest.mark.parametrize("size", SIZES)
async def test_every_probe_is_reached_and_drawn(size: tuple[int, int], viewer: Open) -> None:
    async with viewer(ScriptedSource(EVERY_PROBE), size=size) as opened:
        await opened.press("o")
        seen = []
        for _ in range(30):
            seen.append(opened.app.top.choice.chosen)
            assert "could not be drawn" not in opened.text, seen[-1]
            assert seen[-1] in opened.text
            await opened.press("j")
        assert set(seen) == {probe.name for probe in opened.app.viewing.store.at(None).probes if probe.kind not in ("codebook", "samples")}
        await opened.press("tab")
        assert opened.app.top.choice.place == 0
        await opened.press("shift+tab")
        assert opened.app.top.choice.chosen == seen[-1]


async def test_a_narrow_screen_has_tabs_and_a_wide_one_a_list(viewer: Open) -> None:
    async with viewer(ScriptedSource(EVERY_PROBE), size=(80, 24)) as opened:
        await opened.press("o", "j")
        assert opened.lines[2].split()[:4] == ["●", "gradients", "structure", "attention"]
        assert "2 of 18" in opened.lines[3]
    async with viewer(ScriptedSource(EVERY_PROBE), size=(200, 50)) as opened:
        await opened.press("o", "j")
        assert opened.lines[2].startswith(" ─ 18 probes")
        assert opened.lines[4].startswith("›  structure       1 of 4 wrong")
        assert "─ structure · step" in opened.lines[2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "screen"), [("vq", "codebook"), ("rollout", "model"), ("videos", "samples"), ("experts", "model")])
async def test_a_row_of_the_vitals_opens_its_probe(size: tuple[int, int], name: str, screen: str, viewer: Open) -> None:
    async with viewer(ScriptedSource(EVERY_PROBE), size=size) as opened:
        opened.app.top.choice.choose(("probe", name))
        await opened.press("enter")
        assert opened.name == screen
        assert f"─ {name}" in opened.text


async def test_the_filter_keeps_probes_by_name_or_kind(viewer: Open) -> None:
    async with viewer(ScriptedSource(EVERY_PROBE), size=(200, 50)) as opened:
        await opened.press("o", "slash", *"sensi", "enter")
        assert "1 of" not in opened.lines[2]
        assert "inputs · sensitivity" in opened.text
        await opened.press("slash", *"zzz", "enter")
        assert "no probe contains this text" in opened.text


async def test_a_probe_is_measured_when_asked_and_its_rate_is_what_the_run_said(viewer: Open) -> None:
    source = ScriptedSource(EVERY_PROBE)
    async with viewer(source) as opened:
        await opened.press("o", "M")
        await opened.seen("measured at step 2,001")
        assert source.scripted_control.sent == [("snapshot", {"probe": "gradients"})]
        assert "gradients · step 2,001" in opened.text
        await opened.press("D", "D")
        await opened.seen("every 12")
        await opened.press("H")
        await opened.seen("every 24")
        assert [arguments["every"] for verb, arguments in source.scripted_control.sent if verb == "rate"] == [25, 12, 24]


async def test_a_rate_not_answered_yet_is_the_one_the_next_press_goes_by(viewer: Open) -> None:
    source = ScriptedSource(EVERY_PROBE, answering=False)
    async with viewer(source) as opened:
        await opened.press("o", "D")
        await opened.until(lambda: bool(opened.app.viewing.store.at(None).commands))
        await opened.press("D")
        assert "every 50" in opened.text
        assert [arguments["every"] for _, arguments in source.scripted_control.sent] == [25, 12]


async def test_a_probe_measured_at_every_step_is_not_asked_for_more(viewer: Open) -> None:
    bodies: list[object] = [RunStarted("id", "n", "p", 0.0), ProbeDeclared("r", "ratio", 1), Snapshot("r", "ratio", 1, {"now": 1.0})]
    source = ScriptedSource([Record(at / 10, body, seq=at + 1) for at, body in enumerate(bodies)])  # type: ignore[arg-type]
    async with viewer(source) as opened:
        await opened.press("o", "D")
        assert "r is measured at every step already" in opened.text
        await opened.press("b", "M", "H")
        assert "no probe here with a rate to change" in opened.text
        assert source.scripted_control.sent == []


# --- what comes in


async def test_hostile_texts_are_shown_as_written_on_every_screen(viewer: Open) -> None:
    bodies: list[object] = [RunStarted("id", HOSTILE[0], HOSTILE[3], 0.0)]
    for place, text in enumerate(HOSTILE):
        bodies.append(row(place + 1, float(place), **{text: math.nan, text + "b": math.inf, f"{place}": -1e308 if place % 2 else 1e308}))
        bodies.append(Note(text, text, place))
        bodies.append(AlertChanged(text, text, "firing", "red", place, place, math.nan, text, text, place))
        bodies.append(ProbeDeclared(text, "codebook", 1, {"size": 3}))
        bodies.append(Snapshot(text, "codebook", place, {text: math.nan, "used": math.inf}))
    source = ScriptedSource([Record(at / 10, body, seq=at + 1) for at, body in enumerate(bodies)])  # type: ignore[arg-type]
    for size in SIZES:
        async with viewer(source, size=size) as opened:
            for press in SCREEN_KEYS:
                await opened.press(press, "j", "enter")
                assert "could not be drawn" not in opened.text, press
                assert all(line.isprintable() for line in opened.lines)
            await opened.press("v")
            assert "[/x]" in opened.text
            assert "␛]52;c;aGk=␇" in opened.text
        source = ScriptedSource([Record(at / 10, body, seq=at + 1) for at, body in enumerate(bodies)])  # type: ignore[arg-type]


async def test_no_widget_parses_markup(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN)) as opened:
        widgets: list[Widget] = []
        for press in SCREEN_KEYS:
            await opened.press(press)
            widgets += opened.app.screen.walk_children(Widget)
        for press, dialog in (("m", AskLine), ("S", StopDialog), ("colon", PaletteDialog)):
            await opened.press("v", press)
            assert isinstance(opened.app.screen, dialog)
            widgets += opened.app.screen.walk_children(Widget)
            await opened.press("escape")
        own = [widget for widget in widgets if type(widget).__module__.startswith("bedside")]
        assert len(own) >= 12
        assert {type(widget).__name__ for widget in widgets} <= {"Rows", "ToastRack", "Tooltip", "ToastHolder"}
        assert not [widget for widget in own if widget._render_markup]


IN_A_TERMINAL = """
import sys
from bedside_protocol.records import Metrics, Note, Record, RunStarted
from bedside_tui.app import BedsideApp
from bedside_tui.sources.scripted import ScriptedSource
import numpy as np
bad = ["\\x1b]52;c;aGk=\\x07", "\\x1b]0;PWNED\\x07", "\\x9b2J", "\\x1bcRIS", "\\x1bPq#0\\x1b\\\\", "\\x00nul", "\\x0eso", "\\x7fdel"]
bodies = [RunStarted("id", bad[0] + "name", bad[1], 0.0)]
for at, text in enumerate(bad):
    bodies += [Note(text, text, at), Metrics((text,), np.array([at]), np.array([1.0]), np.array([[1.0]]))]
BedsideApp(ScriptedSource([Record(at / 10, body, seq=at + 1) for at, body in enumerate(bodies)])).run()
"""


def test_no_control_byte_of_a_run_reaches_the_terminal() -> None:
    main, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100", "LINES": "30"}
    viewer = subprocess.Popen([sys.executable, "-c", IN_A_TERMINAL], stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    written = b""
    try:
        until = time.monotonic() + 120
        while b"metric" not in written or "␛]0;PWNED".encode() not in written:
            assert time.monotonic() < until, written[-2000:]
            if select.select([main], [], [], 0.2)[0]:
                written += os.read(main, 65536)
        os.write(main, b"q")
        while viewer.poll() is None and time.monotonic() < until:
            if select.select([main], [], [], 0.1)[0]:
                try:
                    written += os.read(main, 65536)
                except OSError:
                    break
        assert viewer.wait(timeout=60) == 0
    finally:
        viewer.kill()
        viewer.wait()
        os.close(main)
    for payload in (b"\x1b]52", b"\x1b]0;", "\x9b".encode(), b"\x9b2J", b"\x1bcRIS", b"\x1bPq", b"\x00", b"\x0e", b"\x7f", b"PWNED\x07"):
        assert payload not in written, payload


async def test_an_unreachable_run_is_said_to_be_unreachable_with_the_age_of_what_is_known(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        opened.clock.now += 75
        source.report(SourceStatus("unreachable", "no answer", heard=1000.0))
        await opened.seen("▲ unreachable no answer")
        assert opened.lines[2].endswith("1m15 ago")


async def test_what_happened_while_one_was_away_is_said_first(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN), left=60.0) as opened:
        assert "since you left (1m00): 1 red, 2 amber" in opened.text
        opened.clock.now += 10
        await opened.press()
        assert "since you left" not in opened.text


async def test_who_comes_back_to_a_run_that_has_not_gone_on_is_told_nothing(viewer: Open) -> None:
    async with viewer(ScriptedSource(RUN, live=False), left=120.0) as opened:
        assert opened.app.viewing.store.span[1] == pytest.approx(120.0, abs=0.01)
        assert "since you left" not in opened.text


async def test_while_a_history_is_read_it_is_drawn_now_and_then_with_how_much_of_it_there_is(viewer: Open) -> None:
    source = ScriptedSource(RUN)
    async with viewer(source) as opened:
        for progress, seconds, shown in (
            (0.25, CATCHING_UP, "reading 25 %"),
            (0.5, CATCHING_UP / 2, "reading 25 %"),
            (0.75, 0.6, "reading 75 %"),
        ):
            source.report(SourceStatus("following", complete=False, progress=progress))
            while opened.app.viewing.status.progress != progress:
                await opened.pilot.pause(0.01)
            opened.clock.now += seconds
            opened.app.beat()
            await opened.pilot.pause()
            assert shown in opened.text
        source.report(SourceStatus("following"))
        while not opened.app.viewing.status.complete:
            await opened.pilot.pause(0.01)
        opened.app.beat()  # nothing more to read: each beat is drawn
        await opened.pilot.pause()
        assert "reading" not in opened.lines[0]


def test_an_inbox_makes_the_source_wait_and_loses_nothing() -> None:
    inbox = Inbox(capacity=2)
    assert inbox.put(Update())
    assert not inbox.put(Update())
    assert inbox.take() is not None
    assert not inbox.put(Update())
    inbox.close()
    assert not inbox.put(Update())
    assert inbox.take() is None
    assert repr(inbox) == "<Inbox 0/2 waiting, closed>"


# --- runs


async def test_a_run_is_picked_from_the_list_and_one_comes_back_to_it(viewer: Open) -> None:
    async with viewer(library=PictureLibrary()) as opened:
        assert opened.name == "runs"
        assert "world/v7.0.5" in opened.text
        assert "killed (9)" in opened.text
        await opened.press("slash", *"world", "enter", "enter")
        await opened.seen("codebook collapse")
        assert opened.name == "vitals"
        await opened.press("escape")
        assert opened.name == "runs"
        assert opened.lines[0].startswith(" tokenizer/digits-1  ● running")


class UnreadableLibrary(PictureLibrary):
    def open(self, row: object) -> ScriptedSource:
        raise PermissionError(13, "Permission denied", "run.bedside")


async def test_a_run_that_cannot_be_opened_says_why(viewer: Open) -> None:
    async with viewer(library=UnreadableLibrary()) as opened:
        await opened.press("enter")
        assert opened.name == "runs"
        assert "tokenizer/digits-1 cannot be opened: [Errno 13] Permission denied" in opened.text


class EmptyLibrary(PictureLibrary):
    def rows(self) -> Sequence[object]:  # type: ignore[override]
        return ()


async def test_an_empty_list_says_how_runs_come_into_it(viewer: Open) -> None:
    async with viewer(library=EmptyLibrary()) as opened:
        assert "bedside.init(" in opened.text


# --- looks, pictures, import


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_a_picture_of_every_scene_can_be_taken(scene: object) -> None:
    svg = await take(scene, (80, 24))  # type: ignore[arg-type]
    assert "could&#160;not&#160;be&#160;drawn" not in svg
    assert svg.count("<text") > 12


async def test_ascii_means_ascii(viewer: Open) -> None:
    for size in SIZES:
        async with viewer(ScriptedSource(RUN, live=False), size=size, ascii=True) as opened:
            for press in ("v", "5", "h", "b", "o", "i", "w", "n", "l", "question_mark"):
                await opened.press(press)
                assert opened.text.isascii()
                assert "?" not in opened.text.replace("? help", "").replace("? ", ""), press


async def test_what_was_read_is_not_looked_through_for_garbage_while_it_is_shown(viewer: Open) -> None:
    before = gc.get_freeze_count()
    async with viewer(ScriptedSource(RUN, live=False)):
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0


def test_the_viewer_starts_without_what_only_charts_need() -> None:
    program = "import sys, bedside_tui.app; print(sorted({'plotext', 'zmq', 'torch'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_every_screen_is_a_run_screen_with_its_own_place() -> None:
    assert all(issubclass(kind, RunScreen) for kind in BedsideApp.SCREEN_TYPES.values())
