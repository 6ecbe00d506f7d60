"""The screen of runs side by side, driven by keys over real recordings in a real library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import AlertChanged, Body, CheckpointSaved, LifecycleChanged, Metrics, Record, RunStarted, Snapshot
from bedside_protocol.runlog import encode_chunk
from bedside_tui.cli.picker import Picker
from bedside_tui.companion import Companion
from bedside_tui.library import Library
from bedside_tui.screens.compare import PANELS
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.source import SourceStatus, Update

Open = Callable[..., AbstractAsyncContextManager[Any]]
SIZES = [(80, 24), (200, 50)]


def losses(values: Sequence[float], name: str = "loss") -> Metrics:
    steps = np.arange(1, len(values) + 1)
    return Metrics((name,), steps, steps * 0.1, np.array([values], np.float64))


def made(root: Path, name: str, *bodies: Body, project: str = "digits", **about: Any) -> Path:
    """A recording of a run that is over."""
    log = root / name / LOG_NAME
    log.parent.mkdir(parents=True)
    started = RunStarted(name, name, project, 1_795_143_240.0, **about)
    said = [started, LifecycleChanged("running"), *bodies, LifecycleChanged("finished")]
    log.write_bytes(encode_chunk([Record(0.1 * at, body, 0, at + 1) for at, body in enumerate(said)], 1, {}))
    return log


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A family of three that train, one of them ill, and one of another project."""
    fired = AlertChanged("explosion", "loss", "firing", "red", 80, 70, 9.0, "grew", "explosion", 1)
    made(tmp_path, "open", losses(np.linspace(4, 2, 100).tolist()), losses([0.1] * 100, "lr"), config={"lr": 0.1, "batch": 8})
    measured = (Snapshot("vq", "codebook", 50, {"usage": 0.9}), CheckpointSaved("/ckpt/step_50.pt", 9, 50))
    made(tmp_path, "well", losses(np.linspace(4, 1, 100).tolist()), losses([0.2] * 100, "lr"), *measured, config={"lr": 0.2, "batch": 8})
    made(tmp_path, "ill", losses([*np.linspace(4, 2, 70).tolist(), *[40.0] * 30]), fired, config={"lr": 9.0, "batch": 8})
    made(tmp_path, "far", losses([1.0, 2.0], "reward"), project="other")
    return tmp_path


@pytest.fixture
def opened(shelf: Path, viewer: Open) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """`async with opened(size)`: the viewer at the end of the recording `open`, with a library of all of them."""

    def begin(size: tuple[int, int] = (80, 24), **more: Any) -> AbstractAsyncContextManager[Any]:
        library = Picker(Library([shelf]), read_only=True)
        return viewer(ReplaySource(shelf / "open" / LOG_NAME), size=size, library=library, **more)

    return begin


async def chosen(seen: Any, *names: str) -> None:
    """Mark these runs, or leave them out, by typing their names; end the choice and wait until all have been read."""
    await seen.press("equals_sign")
    for name in names:
        await seen.press(*name, "space", "ctrl+u")
    await seen.press("enter")
    await read(seen)


async def compared(seen: Any, *names: str) -> None:
    """At the end of the open run, with these beside it."""
    await seen.until(lambda: seen.app.runs_read)
    await seen.press("end")
    seen.app.show("compare")
    rows = {row.name: row for row in seen.app.run_rows}
    seen.app.screens["compare"].compare_with([rows[name] for name in names])
    await read(seen)


async def read(seen: Any) -> None:
    screen = seen.app.screens["compare"]
    await seen.until(lambda: screen.companions and all(each.over for each in screen.companions))
    await seen.press()


@pytest.mark.parametrize("size", SIZES)
async def test_the_equals_sign_asks_which_runs_and_lays_them_beside_this_one(opened: Any, size: tuple[int, int]) -> None:
    async with opened(size) as seen:
        await seen.until(lambda: seen.app.runs_read)
        await seen.press("end", "equals_sign")
        names = [line.strip("› ").split()[0] for line in seen.dialog.split("\n")[1:] if "finished" in line]
        assert sorted(names[:2]) == ["digits/ill", "digits/well"]
        assert names[2:] == ["other/far"]
        await seen.press(*"well", "enter")
        await seen.seen("B ━ well")
        assert seen.name == "compare"
        assert "compare · loss · by step" in seen.text
        assert "A ━ open" in seen.text
        assert "◆ 1.00" in seen.text


@pytest.mark.parametrize("size", SIZES)
async def test_every_panel_is_a_tab_away(opened: Any, size: tuple[int, int]) -> None:
    async with opened(size) as seen:
        await compared(seen, "well", "ill")
        for panel, words in zip(PANELS[1:], ("0.2", "step_50.pt", "explosion · loss"), strict=True):
            await seen.press("tab")
            assert f"›{panel}" in seen.text
            assert words in seen.text
        await seen.press("tab")
        assert "›metrics" in seen.text
        await seen.press("shift+tab")
        assert "›alerts" in seen.text


async def test_only_what_differs_is_in_the_configuration(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        await seen.press("tab")
        assert "lr" in seen.text
        assert "batch" not in seen.text


async def test_wide_the_chart_stays_beside_every_panel(opened: Any) -> None:
    async with opened((200, 50)) as seen:
        await compared(seen, "well")
        await seen.press("tab", "tab")
        assert "step_50.pt" in seen.text
        assert "B ━ well" in seen.text
        assert any("┤" in line and "step_50" not in line for line in seen.lines)


async def test_the_axes_and_the_metric_are_a_key_each(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        await seen.press("x", "y", "s")
        assert "by time since the start · log axis · smoothed 0.6" in seen.text
        await seen.press("j")
        assert "compare · lr ·" in seen.text
        await seen.press("k", "k")
        assert "compare · loss ·" in seen.text
        await seen.press("enter")
        assert seen.name == "chart"


async def test_the_cursor_reads_every_run_at_one_step(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        await seen.press("less_than_sign", "left_parenthesis")
        assert "┃ step" in seen.lines[3]
        assert "beside A" in seen.text
        assert "Δ -" in next(line for line in seen.lines if "B ━ well" in line)
        await seen.press("escape")
        assert "beside A" not in seen.text
        assert seen.name == "compare"


async def test_curves_are_told_apart_without_colours(opened: Any) -> None:
    async with opened(ascii=True) as seen:
        await compared(seen, "well")
        drawn = [line[10:] for line in seen.lines if line[9:10] == "|"]
        assert all(any(letter in row for row in drawn) for letter in "AB")
        assert seen.text.isascii()


async def test_runs_are_added_and_left_out_and_what_was_read_is_not_read_again(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        screen = seen.app.screens["compare"]
        (first,) = screen.companions
        await chosen(seen, "ill")
        assert [each.title for each in screen.companions] == ["digits/well", "digits/ill"]
        assert screen.companions[0] is first
        await chosen(seen, "well")
        assert "B ━ ill" in seen.text


async def test_escape_leaves_the_choice_as_it_was_and_then_the_screen(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        await seen.press("equals_sign", *"ill", "space", "escape")
        assert len(seen.app.screens["compare"].companions) == 1
        await seen.press("escape")
        assert seen.name == "vitals"
        await seen.press("equals_sign")
        assert seen.name == "compare"
        assert "B ━ well" in seen.text


async def test_another_run_that_is_opened_begins_with_none_beside_it(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "well")
        row = next(row for row in seen.app.run_rows if row.name == "ill")
        seen.app.open_run(row)
        await seen.until(lambda: seen.app.viewing.status.complete and seen.app.viewing.store.records > 0)
        seen.app.show("compare")
        await seen.press()
        assert "no other run is chosen" in seen.text
        assert seen.app.screens["compare"].companions == []


async def test_a_run_with_nothing_in_common_is_shown_as_having_nothing(opened: Any) -> None:
    async with opened() as seen:
        await compared(seen, "far")
        assert "—" in next(line for line in seen.lines if "B ━ other/far" in line)


async def test_a_recording_that_cannot_be_read_says_why_and_hides_no_other(opened: Any, shelf: Path) -> None:
    async with opened() as seen:
        await seen.until(lambda: seen.app.runs_read)
        (shelf / "ill" / LOG_NAME).write_bytes(b"no recording")
        await compared(seen, "well", "ill")
        assert "✖ digits/ill: it holds no records" in seen.text
        assert "B ━ well" in seen.text


async def test_sixteen_runs_have_their_place_on_the_smallest_screen(viewer: Open, tmp_path: Path) -> None:
    names = [f"seed-{place}" for place in range(18)]
    for place, name in enumerate(names):
        made(tmp_path, name, losses(np.linspace(4, 1 + place / 10, 60).tolist()), config={"seed": place})
    source = ReplaySource(tmp_path / names[0] / LOG_NAME)
    async with viewer(source, library=Picker(Library([tmp_path]), read_only=True)) as seen:
        await seen.until(lambda: seen.app.runs_read)
        await seen.press("end", "equals_sign", *["space"] * 17)
        assert "15 of at most 15" in seen.dialog
        await seen.press("enter")
        screen = seen.app.screens["compare"]
        await seen.until(lambda: all(each.over for each in screen.companions))
        await seen.press()
        assert all(f" {letter} seed-" in seen.text for letter in "ABCDEFGHIJKLMNOP")
        assert sum("┤" in line or "│" in line for line in seen.lines) >= 5
        await seen.press("tab")
        assert "seed" in seen.text


async def test_in_the_list_of_runs_there_is_nothing_yet_to_lay_others_beside(viewer: Open, shelf: Path) -> None:
    async with viewer(library=Picker(Library([shelf]), read_only=True)) as seen:
        await seen.press("equals_sign")
        assert seen.name == "runs"
        assert "no run is open" in seen.text


async def test_without_a_list_of_runs_that_is_said(viewer: Open) -> None:
    async with viewer() as seen:
        await seen.press("equals_sign")
        assert "there is no list of runs" in seen.text


async def test_a_live_run_goes_on_beside_recordings(viewer: Open, shelf: Path) -> None:
    async with viewer(ScriptedSource(), library=Picker(Library([shelf]), read_only=True)) as seen:
        await seen.until(lambda: seen.app.runs_read)
        await seen.press("equals_sign", *"well", "enter")
        await seen.until(lambda: seen.app.screens["compare"].companions[0].over)
        seen.app.viewing.store.feed([Record(1.0, RunStarted("live", "live", "digits", 0.0)), Record(2.0, losses([3.0, 2.5]))])
        await seen.seen("2.50")
        seen.app.viewing.store.feed([Record(3.0, losses([2.5, 2.5, 2.5, 0.125]))])
        seen.clock.now += 2.0
        await seen.seen("0.1250")
        assert "A ━ live" in seen.text
        await seen.press("tab", "tab")
        seen.app.viewing.store.feed([Record(4.0, CheckpointSaved("/ckpt/new.pt", 9, 3))])
        await seen.seen("A 3 new.pt")  # at once, though tables are drawn more rarely than curves


async def test_the_page_of_an_alarm_offers_the_run_of_its_family_that_went_well(viewer: Open, shelf: Path) -> None:
    library = Picker(Library([shelf]), read_only=True)
    async with viewer(ReplaySource(shelf / "ill" / LOG_NAME), library=library, size=(200, 50)) as seen:
        await seen.until(lambda: seen.app.runs_read)
        await seen.press("end", "n")
        assert "=  compare with well" in seen.text or "=  compare with open" in seen.text


# --- the reading of one run


class Told:
    """A source that delivers what it is told to, when it is told to."""

    live, control, place = False, None, None

    def __init__(self) -> None:
        self.deliver: Callable[[Update], None] = lambda update: None
        self.closed = threading.Event()

    def start(self, deliver: Callable[[Update], None]) -> None:
        self.deliver = deliver

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def told() -> Iterator[tuple[Told, Companion]]:
    source = Told()
    companion = Companion("b", "digits/b", source)
    companion.start()
    yield source, companion
    companion.close()


def test_a_run_is_a_view_once_all_of_it_has_been_read(told: tuple[Told, Companion]) -> None:
    source, companion = told
    begun = Record(0.0, RunStarted("b", "b", "digits", 0.0))
    source.deliver(Update((begun,), SourceStatus("following", complete=False, progress=0.4)))
    assert (companion.view, companion.progress, companion.over) == (None, 0.4, False)
    source.deliver(Update((Record(1.0, losses([1.0])),), SourceStatus("ended")))
    assert companion.view is not None
    assert companion.view.metric("loss") is not None


def test_what_comes_after_a_run_has_been_read_changes_nothing(told: tuple[Told, Companion]) -> None:
    source, companion = told
    source.deliver(Update((Record(0.0, losses([1.0])),), SourceStatus("connected")))
    source.deliver(Update((Record(1.0, losses([1.0, 9.0])),), SourceStatus("connected")))
    assert companion.view is not None
    assert companion.view.metrics[0].value == 1.0


def test_a_way_that_is_closed_before_a_word_came_says_why(told: tuple[Told, Companion]) -> None:
    source, companion = told
    source.deliver(Update((), SourceStatus("connecting")))
    assert not companion.over
    source.deliver(Update((), SourceStatus("unreachable", "cannot read x: no")))
    assert (companion.view, companion.failed) == (None, "cannot read x: no")
