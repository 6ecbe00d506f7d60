"""Of several ranks that stand still, the one that holds the others up is shown first, and one goes from rank to rank by keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from bedside_protocol.commands import NO_PYTHON, SUSPENDED
from bedside_protocol.records import HUB_RANK, RanksSeen, Record, StackFrame, StackTaken, ThreadStack
from bedside_tui.sources.scripted import ScriptedSource
from bedside_tui.sources.scripted_ranks import SLOW, WORLD, of_ranks
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.store.rank_view import RankView
from bedside_tui.store.stack_view import StackView
from bedside_tui.widgets.standing import standings

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

HANGS = of_ranks(scripted_run("healthy", steps=2_000, seconds=120.0), hangs=True)


def at(line: int) -> tuple[ThreadStack, ...]:
    """A thread that stands in a line of the script, deep in a library."""
    library = StackFrame("site-packages/torch/distributed/distributed_c10d.py", 9, "wait")
    return (ThreadStack("MainThread", (library, StackFrame("train.py", line, "step"))),)


def stack(rank: int, line: int = 61, step: int = 8) -> StackView:
    return StackView(1.0, step, "asked by ada", at(line), command="c1", rank=rank)


def seen(rank: int, state: str = "running") -> RankView:
    return RankView(rank, 4, state, 8, 0, 62.0, 0.1, None, "here", 9)


ALL = [seen(rank) for rank in range(4)]


def order(stacks: list[StackView], ranks: list[RankView] = ALL) -> list[tuple[int, str]]:
    return [(one.rank, one.said) for one in standings(stacks, ranks)]


def test_ranks_at_one_place_are_shown_by_their_numbers() -> None:
    assert order([stack(rank) for rank in range(4)]) == [(rank, "") for rank in range(4)]


def test_the_rank_that_stands_elsewhere_than_most_comes_first() -> None:
    elsewhere = "elsewhere: most ranks are at train.py:61 in step"
    assert order([stack(0), stack(1), stack(2, line=40), stack(3)]) == [(2, elsewhere), (0, ""), (1, ""), (3, "")]


def test_ranks_of_which_no_place_has_most_are_not_told_apart() -> None:
    assert order([stack(rank, line=40 + rank // 2) for rank in range(4)]) == [(rank, "") for rank in range(4)]


def test_the_rank_farthest_behind_comes_before_one_less_behind_and_one_elsewhere() -> None:
    stacks = [stack(0), stack(1, line=40), stack(2, step=7), stack(3, step=5)]
    assert [rank for rank, _ in order(stacks)] == [3, 2, 1, 0]
    assert [said for _, said in order(stacks)][:2] == ["3 steps behind the farthest rank", "a step behind the farthest rank"]


def test_a_rank_that_gives_no_stack_comes_first_and_says_since_when_it_is_silent() -> None:
    ranks = [seen(0), seen(1), seen(2), seen(3, "silent")]
    assert order([stack(0), stack(1), stack(2)], ranks)[0] == (3, "silent, heard 1m02 ago")


def test_a_rank_whose_answer_is_on_its_way_or_that_has_ended_is_not_called_silent() -> None:
    ranks = [seen(0), seen(1), seen(2), seen(3, "finished")]
    assert [rank for rank, _ in order([stack(0)], ranks)] == [0]


def test_a_rank_of_which_only_the_system_tells_comes_first() -> None:
    outside = replace(stack(0), threads=(), trouble=NO_PYTHON)
    assert [rank for rank, _ in order([outside, stack(1, step=5), stack(2)])] == [0, 1, 2]


def test_of_one_process_nothing_is_told_apart() -> None:
    assert order([replace(stack(0), trouble=NO_PYTHON)], []) == [(0, "")]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_screen_shows_the_rank_that_hangs_and_tab_goes_round_all(viewer: Open, size: tuple[int, int]) -> None:
    async with viewer(ScriptedSource(HANGS, live=False), size=size) as opened:
        await opened.press("end", "W")
        assert f"stack of rank {SLOW} at step" in opened.text
        assert "elsewhere: most ranks are at train.py:61" in opened.text
        assert "data/prefetch.py:42" in opened.text
        await opened.press("tab")
        assert "stack of rank 0 at step" in opened.text
        assert "dist.all_reduce(counts)" in opened.text
        await opened.press("shift+tab", "shift+tab")
        assert f"stack of rank {WORLD - 1} at step" in opened.text
        await opened.press("v", "W")
        assert f"stack of rank {SLOW} at step" in opened.text


async def test_the_row_of_the_rank_that_hangs_says_so_while_the_run_stalls(viewer: Open) -> None:
    async with viewer(ScriptedSource(HANGS, live=False)) as opened:
        await opened.press("end", "e")
        rows = dict(re.findall(r"[●▲] +(\d)  (\w+)", opened.text))
        assert rows == {str(rank): "elsewhere" if rank == SLOW else "running" for rank in range(WORLD)}


async def test_enter_on_a_rank_shows_where_it_stands(viewer: Open) -> None:
    async with viewer(ScriptedSource(HANGS, live=False)) as opened:
        await opened.press("end", "e", "j", "j", "enter")
        assert opened.name == "stack"
        assert "stack of rank 2 at step" in opened.text


async def test_the_entry_of_the_log_shows_the_stacks_of_all_ranks(viewer: Open) -> None:
    async with viewer(ScriptedSource(HANGS, live=False)) as opened:
        await opened.press("end", "l", "slash", *"stalled:", "enter", "enter")
        assert f"stack of rank {SLOW} at step" in opened.text


async def test_what_the_hub_tells_of_a_rank_stands_with_the_stacks_of_the_others(viewer: Open) -> None:
    outside = StackTaken("asked by ada", 8, (ThreadStack("the first thread", kernel="is stopped"),), SUSPENDED, "c2", rank=3)
    inside = StackTaken("asked by ada", 8, at(61), command="c2")
    end = HANGS[-1].time
    told = [Record(end + 1, outside, HUB_RANK), *(Record(end + 1, inside, rank) for rank in range(3))]
    async with viewer(ScriptedSource([*HANGS, *told], live=False)) as opened:
        await opened.press("end", "W")
        assert "stack of rank 3 at step 8" in opened.text
        assert "▲ rank 3  rank 0  rank 1  rank 2" in opened.text
        assert "the first thread  is stopped" in opened.text
        assert len([mark for mark in opened.app.viewing.store.marks if mark.kind == "stack" and "asked by ada" in mark.text]) == 1


async def test_a_rank_that_answers_nothing_says_so_in_place_of_its_stack(viewer: Open) -> None:
    end = HANGS[-1]
    silent = RanksSeen(WORLD, tuple(range(WORLD)), (8,) * WORLD, (0.1,) * 7 + (62.0,), ("running",) * 7 + ("silent",))
    heard = [record for record in HANGS if record.rank != WORLD - 1]
    async with viewer(ScriptedSource([*heard, Record(end.time + 1, silent, HUB_RANK)], live=False)) as opened:
        await opened.press("end", "W")
        assert "stack of rank 7" in opened.text
        assert "no stack: silent, heard 1m02 ago" in opened.text
