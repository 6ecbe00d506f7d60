"""Where the training is, on screen: asked for by a key, told by itself at a stall, left by a crash, in a recording as in a live run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from bedside_protocol.commands import NO_PYTHON
from bedside_protocol.records import (
    HUB_RANK,
    Body,
    CommandChanged,
    Ended,
    Lifecycle,
    LifecycleChanged,
    Record,
    RunStarted,
    StackFrame,
    StackTaken,
    ThreadStack,
)
from bedside_tui.cli.stack_text import stack_text
from bedside_tui.importing.record_lines import record_from_json
from bedside_tui.record_json import json_line
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_stack import waiting_for_data
from bedside_tui.store.stack_view import StackView
from bedside_tui.store.store import Store
from bedside_tui.widgets.lines import plain
from bedside_tui.widgets.stack import stack_lines

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

STALLED = "stalled: no step for 62 s"
TAKEN = waiting_for_data(STALLED, 812, "stall-812")


def records(bodies: Sequence[Body], ranks: Sequence[int] = ()) -> list[Record]:
    """A run that says these things, two seconds apart."""
    told = [RunStarted("id", "hangs", "flow", 0.0), LifecycleChanged("running", "", 1), *bodies]
    spoken = [0, HUB_RANK, *(ranks or [0] * len(bodies))]
    return [Record(2.0 * place, body, rank, seq=place + 1) for place, (body, rank) in enumerate(zip(told, spoken, strict=True))]


def view_of(stack: StackTaken) -> StackView:
    return StackView(10.0, stack.step, stack.why, stack.threads, stack.trouble)


@pytest.fixture
def stalled() -> list[Record]:
    """A run that has stalled, and where."""
    return records([LifecycleChanged("stalled", "no step for 62 s", 812), TAKEN])


# --- the lines


def test_a_narrow_stack_has_the_text_of_a_line_under_its_place_and_points_at_the_scripts_own() -> None:
    lines = plain(stack_lines(view_of(TAKEN), 80)).split("\n")
    assert lines[0] == "   MainThread  waits for a lock (futex_do_wait)"
    assert lines[1:3] == ["     python3.12/threading.py:355 in Condition.wait", "         waiter.acquire()"]
    assert [line for line in lines if line.startswith("›")] == ["›    data/prefetch.py:42 in Prefetcher.__next__"]
    assert "   prefetch  waits for a disk" in "\n".join(lines)


def test_a_wide_one_has_them_in_columns_the_same_for_all_threads() -> None:
    lines = plain(stack_lines(view_of(TAKEN), 200)).split("\n")
    (here,) = (line for line in lines if line.startswith("›"))
    assert here.split() == ["›", "data/prefetch.py:42", "Prefetcher.__next__", "return", "self.ready.get()"]
    (reads,) = (line for line in lines if "read_shard" in line)
    (begins,) = (line for line in lines if "train.py:131" in line)
    assert here.index("Prefetcher.__next__") == reads.index("Prefetcher.fill") == begins.index("<module>")


def test_what_was_left_out_is_said_and_what_could_not_be_looked_at_too() -> None:
    deep = StackTaken("asked by ada", 3, (ThreadStack("MainThread", (StackFrame("a.py", 0, "f"),), "", 250),), NO_PYTHON)
    text = plain(stack_lines(view_of(deep), 80))
    assert "250 outer calls are not recorded" in text
    assert "›    a.py in f" in text
    assert "no Python stack: a native call holds" in text


# --- what is known of a moment


def known(bodies: Sequence[Body], ranks: Sequence[int] = ()) -> Sequence[StackView]:
    store = Store()
    store.feed(records(bodies, ranks))
    return store.at(None).stacks


def test_a_past_moment_knows_the_stack_of_then() -> None:
    store = Store()
    store.feed(records([TAKEN, replace(TAKEN, why="asked by ada", command="c2")]))
    assert [list(store.at(time).stacks) for time in (0.0, 3.9)] == [[], []]
    assert [store.at(time).stacks[0].why for time in (4.0, 6.0)] == [STALLED, "asked by ada"]


def test_ranks_that_are_asked_together_stand_together_and_what_is_asked_next_stands_alone() -> None:
    together = [TAKEN, replace(TAKEN, step=811), TAKEN]
    assert [(stack.rank, stack.step) for stack in known(together, [2, 0, 1])] == [(0, 811), (1, 812), (2, 812)]
    assert [stack.rank for stack in known([*together, replace(TAKEN, command="c2")], [2, 0, 1, 2])] == [2]
    assert len([mark for mark in marks([TAKEN, TAKEN], [0, 1]) if mark.kind == "stack"]) == 1


def marks(bodies: Sequence[Body], ranks: Sequence[int] = ()) -> Sequence[Any]:
    store = Store()
    store.feed(records(bodies, ranks))
    return store.marks


def test_an_exception_brings_its_traceback() -> None:
    (stack,) = known([Ended("failed", 7, "KeyError", "'kv'", ("Traceback (most recent call last):", "KeyError: 'kv'"))])
    assert (stack.why, stack.traceback[-1]) == ("KeyError: 'kv'", "KeyError: 'kv'")
    assert "   KeyError: 'kv'" in plain(stack_lines(stack, 80))


def test_the_log_says_where_the_scripts_own_files_stand_or_what_the_kernel_knows() -> None:
    outside = StackTaken("asked by ada", 812, (ThreadStack("the first thread", kernel="sleeps (hrtimer_nanosleep)"),), NO_PYTHON)
    asked = CommandChanged("c1", "stack", "requested", "ada")
    told = [mark.text for mark in marks([asked, outside, TAKEN, replace(TAKEN, threads=())]) if mark.kind in ("stack", "command")]
    assert told == [
        "stack  the first thread sleeps (hrtimer_nanosleep)  (asked by ada)",
        f"stack  data/prefetch.py:42 in Prefetcher.__next__  return self.ready.get()  ({STALLED})",
        f"stack  nothing is known of any thread  ({STALLED})",
    ]


# --- as text and as JSON


def test_what_a_command_prints_of_it_is_obeyed_by_no_terminal() -> None:
    nasty = "\x1b]52;c;aGk=\x07"
    taken = StackTaken("", 1, (ThreadStack(nasty, (StackFrame(nasty, 1, nasty, nasty),), nasty, 3),))
    lines = list(stack_text(taken))
    assert len(lines) == 4
    assert not any(ord(char) < 32 for line in lines for char in line)


def test_a_stack_written_as_json_is_read_as_it_was() -> None:
    record = Record(1.0, TAKEN, 0, 1, 1)
    assert record_from_json(json.loads(json_line(record))) == record


# --- the screen


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_key_asks_a_live_run_and_shows_what_it_answers(viewer: Open, size: tuple[int, int]) -> None:
    source = ScriptedSource(records([]))
    async with viewer(source, size=size) as opened:
        await opened.press("W")
        await opened.seen("stack at step")
        assert source.scripted_control.sent == [("stack", {})]
        assert opened.name == "stack"
        assert "asked by you" in opened.text
        assert "data/prefetch.py:42" in opened.text
        assert "stack taken" in opened.text


async def test_a_stalled_run_says_which_key_tells_where(viewer: Open, stalled: list[Record]) -> None:
    async with viewer(ScriptedSource(stalled)) as opened:
        assert "▲ stalled no step for 62 s" in opened.lines[0]
        assert "W where" in opened.lines[0]


async def test_a_run_that_goes_on_does_not(viewer: Open, stalled: list[Record]) -> None:
    async with viewer(ScriptedSource([*stalled, Record(60.0, LifecycleChanged("running", "", 813), HUB_RANK)])) as opened:
        assert "W where" not in opened.lines[0]


@pytest.mark.parametrize("state", ["killed", "failed"])
async def test_a_recording_is_asked_nothing_and_shows_where_it_ended(viewer: Open, state: Lifecycle) -> None:
    fault = replace(TAKEN, why="11: SIGSEGV", command="")
    source = ScriptedSource(records([fault, LifecycleChanged(state, "11: SIGSEGV", 812)]), live=False)
    async with viewer(source) as opened:
        await opened.press("end")
        assert "W where" in opened.text
        await opened.press("W")
        assert "11: SIGSEGV" in opened.text
        assert "data/prefetch.py:42" in opened.text


async def test_read_only_shows_what_there_is_and_asks_nothing(viewer: Open, stalled: list[Record]) -> None:
    source = ScriptedSource(stalled)
    async with viewer(source, read_only=True) as opened:
        await opened.press("W")
        assert source.scripted_control.sent == []
        assert "read-only" in opened.text
        assert "data/prefetch.py:42" in opened.text


async def test_where_no_stack_was_taken_the_screen_says_how_one_comes_about(viewer: Open) -> None:
    async with viewer(ScriptedSource(records([]), live=False)) as opened:
        await opened.press("W")
        assert "no stack was taken" in opened.text
        assert "W asks a live run for one" in opened.text


async def test_a_long_stack_scrolls_and_a_filter_chooses_threads(viewer: Open) -> None:
    many = tuple(replace(TAKEN.threads[0], name=f"worker {number}") for number in range(20))
    async with viewer(ScriptedSource(records([replace(TAKEN, threads=many)]), live=False)) as opened:
        await opened.press("end", "W")
        assert "more, j" in opened.text
        assert "worker 19" not in opened.text
        await opened.press("G")
        assert "worker 19" in opened.text
        await opened.press("slash", *"worker", "space", "7", "enter")
        assert "worker 7" in opened.text
        assert "worker 8" not in opened.text
        await opened.press("slash", *"xx", "enter")
        assert "no thread contains this text" in opened.text


async def test_an_entry_of_the_log_opens_the_whole_stack_at_its_moment(viewer: Open, stalled: list[Record]) -> None:
    async with viewer(ScriptedSource(stalled, live=False)) as opened:
        await opened.press("end", "l")
        assert "⏎ the whole stack, at this moment" in opened.text
        await opened.press("enter")
        assert opened.name == "stack"
        assert STALLED in opened.text
