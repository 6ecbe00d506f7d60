"""Several ranks of one run: each is shown as it stood, and none speaks for the run but the first."""

from __future__ import annotations

import numpy as np

from bedside_protocol.records import (
    HUB_RANK,
    Body,
    CommandChanged,
    Ended,
    Event,
    Metrics,
    RanksSeen,
    RankStarted,
    Record,
    RunStarted,
    Snapshot,
)
from bedside_tui.store.store import Store

STARTED = RunStarted("r", "r", "", 0.0, host="here", pid=10)


def row(name: str, step: int, value: float) -> Metrics:
    return Metrics((name,), np.array([step], np.int64), np.array([0.0]), np.array([[value]]))


def seen(*steps: int, world: int = 3, silent: tuple[float, ...] = (), states: tuple[str, ...] = ()) -> RanksSeen:
    ranks = tuple(range(len(steps)))
    return RanksSeen(world, ranks, steps, silent or tuple(0.1 for _ in ranks), states or tuple("running" for _ in ranks))


def store_of(*said: tuple[int, Body]) -> Store:
    store = Store()
    store.feed(Record(float(time), body, rank) for time, (rank, body) in enumerate(said))
    return store


def test_a_run_of_one_process_has_no_ranks() -> None:
    assert list(store_of((0, STARTED), (0, row("loss", 1, 1.0))).at().ranks) == []


def test_each_rank_is_shown_with_its_lag_its_pace_its_loss_and_where_it_lives() -> None:
    store = store_of(
        (0, STARTED),
        (2, RankStarted(3, "there", 12)),
        (0, row("loss", 1, 1.0)),
        (2, row("loss", 1, 3.0)),
        (2, row("system/step_ms", 1, 250.0)),
        (HUB_RANK, seen(7, 9, 4, world=8, silent=(0.1, 0.2, 5.0), states=("running", "running", "silent"))),
    )
    first, second, third = store.at().ranks
    assert (first.host, first.pid, first.behind, first.loss) == ("here", 10, 2, 1.0)
    assert second.loss is None
    assert (second.behind, second.pid) == (0, 0)
    assert (third.state, third.behind, third.silent, third.step_seconds, third.loss) == ("silent", 5, 5.0, 0.25, 3.0)
    assert (third.host, third.pid, third.world) == ("there", 12, 8)


def test_looking_back_shows_the_ranks_as_they_stood_then() -> None:
    store = store_of((0, STARTED), (HUB_RANK, seen(1, 1)), (HUB_RANK, seen(5, 9, 2)))
    assert [rank.step for rank in store.at(1.0).ranks] == [1, 1]
    assert [rank.step for rank in store.at().ranks] == [5, 9, 2]
    assert list(store.at(0.0).ranks) == []


def test_what_another_rank_says_of_itself_is_not_said_of_the_run() -> None:
    whole = [(0, STARTED), (0, row("loss", 4, 1.0)), (HUB_RANK, seen(4, 9))]
    foreign: list[tuple[int, Body]] = [
        (1, row("loss", 99, 5.0)),
        (1, Event("epoch", 99)),
        (1, Snapshot("vq", "codebook", 99, {})),
        (1, CommandChanged("c", "pause", "applied")),
        (1, Ended("failed", 99, "ValueError")),
    ]
    alone, together = store_of(*whole).at(), store_of(*whole, *foreign).at()
    assert (together.step, together.lifecycle) == (alone.step, alone.lifecycle)
    assert (list(together.probes), list(together.commands), list(together.marks)) == ([], [], list(alone.marks))
    assert [metric.value for metric in together.metrics] == [1.0]
