"""What the hub knows of the ranks of a run, and what it says when something is asked of all and one is missing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bedside.hub.ranks import TOLD_WITHIN, Ranks
from bedside.hub.together import Together
from bedside.origin import process_start
from bedside_protocol.agreement import ANSWER_WITHIN
from bedside_protocol.messages import Order
from bedside_protocol.records import CommandChanged

PAUSE = Order("c1", "pause", "ada")
SLEEPS = [sys.executable, "-S", "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Three that live until they are ended."""
    living = [subprocess.Popen(SLEEPS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in living:
        assert process.stdout is not None
        process.stdout.readline()
    yield living
    for process in living:
        process.kill()
        process.communicate()


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    several = Ranks(3, "info")
    yield several
    several.close()


def join(ranks: Ranks, processes: list[subprocess.Popen[bytes]], *numbers: int) -> None:
    for rank in numbers:
        ranks.joined(rank, processes[rank].pid, process_start(processes[rank].pid), 0.0)


def asked(ranks: Ranks, *times: float) -> list[CommandChanged]:
    """What is said of a pause that is asked for now, at these times."""
    together = Together(ranks)
    together.ask(PAUSE)
    return [change for now in times for change in together.look(now)[0]]


def test_what_is_asked_of_all_is_accepted_when_all_have_joined(ranks: Ranks, processes: list[subprocess.Popen[bytes]]) -> None:
    join(ranks, processes, 0, 1, 2)
    assert [change.state for change in asked(ranks, 0.0)] == ["accepted"]


def test_a_rank_that_has_not_joined_is_waited_for_at_first(ranks: Ranks, processes: list[subprocess.Popen[bytes]]) -> None:
    join(ranks, processes, 0, 1)
    together = Together(ranks)
    together.ask(PAUSE)
    assert together.look(0.0) == together.look(ANSWER_WITHIN - 0.1) == ([], [])
    join(ranks, processes, 2)
    assert [change.state for change in together.look(ANSWER_WITHIN - 0.05)[0]] == ["accepted"]


@pytest.mark.parametrize(
    ("here", "who"),
    [((0, 1), "rank 2 of 3 has not joined"), ((0,), "ranks 1–2 of 3 have not joined"), ((), "ranks 0–2 of 3 have not joined")],
)
def test_one_that_never_joins_is_named_with_what_may_be_the_reason(
    ranks: Ranks, processes: list[subprocess.Popen[bytes]], here: tuple[int, ...], who: str
) -> None:
    join(ranks, processes, *here)
    (refused,) = asked(ranks, 0.0, ANSWER_WITHIN)
    why = f"{who} (on another machine, ended, or without bedside.init): all act at one step, or none does"
    assert (refused.state, refused.detail) == ("refused", why)


def lose(ranks: Ranks, process: subprocess.Popen[bytes]) -> float:
    """Kill a rank; when the hub saw it."""
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while not ranks.look(now := time.monotonic()):
        assert now < deadline
    return now


def test_one_that_has_died_is_named_with_how(ranks: Ranks, processes: list[subprocess.Popen[bytes]]) -> None:
    join(ranks, processes, 0, 1, 2)
    lose(ranks, processes[1])
    (refused,) = asked(ranks, 0.0)
    assert refused.state == "refused"
    assert refused.detail.startswith("rank 1 ")
    assert refused.detail.endswith(": the other ranks cannot be held without it")


def test_the_others_of_a_lost_rank_stand_still_though_their_last_steps_are_told_after_its_loss(
    ranks: Ranks, processes: list[subprocess.Popen[bytes]]
) -> None:
    join(ranks, processes, 0, 1, 2)
    ranks.heard(0, 0.0, 190)
    lost = lose(ranks, processes[1])
    stand_still = [ranks.stand_still]
    ranks.heard(0, lost + 0.4, 195)
    ranks.heard(0, lost + TOLD_WITHIN + 0.1, 196)
    ranks.look(lost + TOLD_WITHIN + 0.2)
    stand_still.append(ranks.stand_still)
    ranks.heard(2, lost + 1.5, 197)
    stand_still.append(ranks.stand_still)
    assert stand_still == [False, True, False]
