"""What is asked of several ranks happens at one step of all, or not at all and in words: real processes, their one hub, the whole way."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from real_training import Training
from several_ranks import BARRIER, WORLD, ask, end, pause, pid_of, script, steps_of, wait_steps

from bedside_protocol.commands import NOT_PAUSED, SUSPENDED
from bedside_protocol.records import CheckpointSaved, RanksSeen, StackTaken

LATE = """
init = bedside.init
def late(**words):
    while os.environ["RANK"] == "2" and not os.path.exists("join"):
        time.sleep(0.02)
    return init(**words)
bedside.init = late
"""
PATIENT = BARRIER.replace("{timeout}", "60")


@pytest.fixture
def ranks(start: Callable[..., Training]) -> Training:
    """Three ranks that have begun."""
    training = start(script())
    wait_steps(training, 2)
    return training


def saved_at(training: Training) -> list[int]:
    """The steps at which the ranks say that they save, by rank; waits for all."""
    lines = sorted(training.hear() for _ in range(WORLD))
    return [int(line.removeprefix(f"rank {rank} saves at ")) for rank, line in enumerate(lines)]


def test_single_steps_are_made_by_all_ranks_and_none_by_a_run_that_is_not_paused(ranks: Training) -> None:
    refused = ask(ranks, "step")
    assert (refused.state, refused.detail) == ("refused", NOT_PAUSED)
    at = pause(ranks)[0].step
    for number in (1, 2):
        stepped = ask(ranks, "step")
        assert (stepped.state, stepped.detail) == ("applied", "")
        there = (at + number,) * WORLD
        ranks.wait_for(lambda body, there=there: isinstance(body, RanksSeen) and body.steps == there, 60)
        assert steps_of(ranks) == [at + number] * WORLD
    assert ask(ranks, "resume").state == "applied"
    wait_steps(ranks, at + 2)


def test_a_held_run_is_saved_where_it_stands_and_stopped_after_a_checkpoint_of_all(ranks: Training) -> None:
    at = pause(ranks)[0].step
    assert ask(ranks, "checkpoint").state == "applied"
    assert saved_at(ranks) == [at] * WORLD
    assert steps_of(ranks) == [at] * WORLD
    stopped = ask(ranks, "stop", checkpoint=True)
    assert (stopped.state, stopped.step) == ("applied", at)
    assert saved_at(ranks) == [at] * WORLD
    assert end(ranks) == dict.fromkeys(range(WORLD), 0)
    assert [body.step for body in ranks.bodies(CheckpointSaved)] == [at, at]


def test_a_run_that_goes_on_is_saved_by_all_ranks_at_the_step_it_stops_at(ranks: Training) -> None:
    stopped = ask(ranks, "stop", checkpoint=True)
    assert stopped.state == "applied"
    assert saved_at(ranks) == [stopped.step] * WORLD
    assert end(ranks) == dict.fromkeys(range(WORLD), 0)
    assert steps_of(ranks) == [stopped.step] * WORLD


def test_what_is_asked_while_a_rank_has_not_joined_waits_for_it(start: Callable[..., Training]) -> None:
    training = start(script(LATE, collective=PATIENT))
    training.wait_for(lambda body: isinstance(body, RanksSeen) and body.ranks == (0, 1), 60)
    (training.home / "join").touch()
    last, steps = pause(training)
    assert (last.state, steps) == ("applied", [last.step] * WORLD)


def test_what_is_asked_when_a_rank_has_died_is_refused_by_its_name(start: Callable[..., Training]) -> None:
    training = start(script(collective=PATIENT))
    training.wait_for(lambda body: isinstance(body, RanksSeen) and body.ranks == (0, 1, 2), 60)
    os.kill(pid_of(training, 2), signal.SIGKILL)
    training.wait_for(lambda body: isinstance(body, RanksSeen) and body.states[-1].startswith("killed"), 60)
    refused = ask(training, "checkpoint")
    assert (refused.state, refused.detail) == ("refused", "rank 2 was killed (9: SIGKILL): the other ranks cannot be held without it")


def test_of_a_rank_that_is_stopped_the_system_tells_where_it_is_beside_the_stacks_of_the_others(ranks: Training) -> None:
    ranks.wait_for(lambda body: isinstance(body, RanksSeen) and body.ranks == (0, 1, 2), 60)
    os.kill(pid_of(ranks, 2), signal.SIGSTOP)
    ranks.wait_for(lambda body: isinstance(body, RanksSeen) and body.states[-1] == "suspended", 60)
    asked = ask(ranks, "stack")
    told = ranks.wait_for(lambda body: isinstance(body, StackTaken) and body.command == asked.id and body.rank == 2, 60).body
    assert isinstance(told, StackTaken)
    assert (asked.state, told.trouble, {thread.kernel for thread in told.threads}) == ("applied", SUSPENDED, {"is stopped"})


def test_the_stacks_of_all_ranks_are_printed_with_their_ranks(ranks: Training, bedside: Callable[..., Any]) -> None:
    ranks.wait_for(lambda body: isinstance(body, RanksSeen) and body.ranks == (0, 1, 2), 60)
    said = bedside("ctl", ranks.place.id, "stack")
    assert said.code == 0
    assert {line.split("  ")[0] for line in said.out.splitlines() if "MainThread" in line} == {
        f"rank {rank} · MainThread" for rank in range(WORLD)
    }
    threads = bedside("ctl", ranks.place.id, "stack", "--json").json["threads"]
    assert {thread["name"] for thread in threads} == {f"rank {rank} · MainThread" for rank in range(WORLD)}
