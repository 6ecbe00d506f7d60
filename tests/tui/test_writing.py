"""The lab book in the viewer: a note at the moment of a recording, a verdict and tags of the run in view and of one in the list."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bedside_protocol.lab_book import Book
from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import LifecycleChanged, Note, Record, RunStarted, TagsChanged, Tick, VerdictGiven
from bedside_protocol.runlog import encode_chunk, read_records
from bedside_tui.cli.picker import Picker
from bedside_tui.library import Library
from bedside_tui.recording_end import append_word
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_run import scripted_run

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
SIZES = [(80, 24), (200, 50)]


def recording(root: Path, name: str) -> Path:
    """A run of ten seconds, ten steps a second, that is over."""
    log = root / name / LOG_NAME
    log.parent.mkdir(parents=True)
    started = RunStarted(name, name, "flow", 1e9, socket.gethostname())
    bodies = [started, LifecycleChanged("running"), *(Tick(10 * second) for second in range(1, 10)), LifecycleChanged("finished", "", 100)]
    log.write_bytes(encode_chunk([Record(float(at), body, -1, at + 1) for at, body in enumerate(bodies)], 1, {-1: len(bodies)}))
    return log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return recording(tmp_path, "one")


def book_of(log: Path) -> Book:
    book = Book()
    with open(log, "rb") as file:
        for record in read_records(file):
            book = book.having(record)
    return book


@pytest.mark.parametrize("size", SIZES)
async def test_a_note_in_a_recording_is_written_into_it_and_stands_at_the_moment_shown(
    size: tuple[int, int], log: Path, viewer: Open
) -> None:
    async with viewer(ReplaySource(log), size=size) as opened:
        await opened.press("space", "5", "m")
        view = opened.app.shown
        assert f"note at step {view.step}:" in opened.dialog
        await opened.press(*"here", "enter")
        await opened.seen(f"noted at step {view.step}")
        await opened.seen(": here")
        (note,) = book_of(log).notes
        assert (note.text, note.step, note.time) == ("here", view.step, view.time)
        assert note.wall > 1e9
        await opened.press("1")
        assert ": here" not in opened.text
        assert abs(opened.lines[-3].index("✎") - size[0] / 2) < 0.1 * size[0], "on the scrubber it stands at its moment"


async def test_a_verdict_is_typed_or_chosen_and_taken_back(log: Path, viewer: Open) -> None:
    async with viewer(ReplaySource(log)) as opened:
        await opened.press("V")
        assert "good bad broken unclear" in opened.dialog
        await opened.press("tab", "tab", "enter")
        await opened.seen("verdict bad")
        await opened.until(lambda: opened.app.viewing.store.at(None).book.verdict == "bad")
        await opened.press("V", *"ly", "enter")
        await opened.seen("verdict badly")
        await opened.until(lambda: opened.app.viewing.store.at(None).book.verdict == "badly")
        await opened.press("V", "ctrl+u", "enter")
        await opened.seen("no verdict")
    assert book_of(log).verdict == ""


async def test_tags_are_one_line_and_what_is_no_tag_is_refused_in_words(log: Path, viewer: Open) -> None:
    async with viewer(ReplaySource(log)) as opened:
        await opened.press("T", *"vq", "space", *"old", "enter")
        await opened.seen("tags +vq +old")
        await opened.until(lambda: opened.app.viewing.store.at(None).book.tags == ("vq", "old"))
        await opened.press("T", *("backspace",) * 3, *"new", "enter")
        await opened.seen("tags +new -old")
        await opened.until(lambda: opened.app.viewing.store.at(None).book.tags == ("vq", "new"))
        await opened.press("T", "space", *"-x", "enter")
        await opened.seen("'-x' is no tag")
    assert book_of(log).tags == ("vq", "new")


async def test_an_unchanged_or_abandoned_line_writes_nothing(log: Path, viewer: Open) -> None:
    before = log.read_bytes()
    async with viewer(ReplaySource(log)) as opened:
        await opened.press("m", "space", "enter", "m", "x", "escape", "V", "enter", "V", "x", "escape", "T", "enter", "T", "x", "escape")
        assert not [worker for worker in opened.app.workers if worker.group == "book"]
    assert log.read_bytes() == before


async def test_what_somebody_else_writes_meanwhile_comes_onto_the_screen(log: Path, viewer: Open) -> None:
    async with viewer(ReplaySource(log)) as opened:
        await opened.press("end", "l")
        append_word(log, lambda end: Note("from elsewhere", "bo", 50, 5.0, 1e9))
        append_word(log, lambda end: TagsChanged(("seen",), (), "bo", 1e9))
        await opened.seen("bo: from elsewhere")
        await opened.seen("bo: tags +seen")
        assert not [mark for mark in opened.app.viewing.store.marks if mark.kind in ("gap", "lost")]


async def test_where_nothing_may_be_written_it_says_so_and_the_recording_stays(log: Path, viewer: Open) -> None:
    before = log.read_bytes()
    (log.parent / LOCK_NAME).mkdir()
    async with viewer(ReplaySource(log), size=(200, 50)) as opened:
        await opened.press("V", "tab", "enter")
        await opened.seen("Is a directory")
    async with viewer(ReplaySource(log), read_only=True) as opened:
        await opened.press("m")
        assert "read-only: started with --read-only, so nothing is written" in opened.text
    assert log.read_bytes() == before


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_is_written_about_sorted_and_filtered(size: tuple[int, int], tmp_path: Path, viewer: Open) -> None:
    for name in ("one", "two", "three"):
        recording(tmp_path, name)
    append_word(tmp_path / "two" / LOG_NAME, lambda end: VerdictGiven("good", "ann", 1e9))
    async with viewer(library=Picker(Library([tmp_path]), read_only=False), size=size) as opened:
        await opened.seen("runs · 3")
        await opened.press("s", "g")
        assert "runs · 3 · by name" in opened.lines[2]
        assert [line.split()[1] for line in opened.lines[4:7]] == ["flow/one", "flow/three", "flow/two"]
        await opened.press("V", *"odd", "enter")
        await opened.seen("verdict odd")
        await opened.until(lambda: "odd" in opened.lines[4])
        await opened.press("m", *"look", "enter")
        await opened.seen("✎ look")
        await opened.press("slash", *"verdict=good", "enter")
        assert "runs · 1" in opened.text
        assert "flow/two" in opened.text
        await opened.press("slash", "ctrl+u", *"stat=x", "enter")
        assert "cannot filter by 'stat'" in opened.text
    assert (book_of(tmp_path / "one" / LOG_NAME).verdict, book_of(tmp_path / "one" / LOG_NAME).written) == ("odd", 1)


async def test_a_note_while_looking_back_on_a_living_run_is_asked_of_its_hub_with_that_moment(viewer: Open) -> None:
    run = scripted_run(steps=2_000, seconds=120.0)
    source = ScriptedSource(run)
    async with viewer(source) as opened:
        await opened.press("5", "m", *"then", "enter")
        (sent,) = source.scripted_control.sent
        assert sent[0] == "note"
        assert 900 < sent[1]["step"] < 1_100
        assert 55 < sent[1]["at"] < 65
        await opened.seen("you: then")
        assert opened.app.shown.time == sent[1]["at"]
        await opened.press("V", "tab", "enter")
        await opened.until(lambda: opened.app.viewing.store.at(None).book.verdict == "good")
