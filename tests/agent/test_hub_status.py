"""What the hub knows of a run, folded from the log: the same after a restart as before."""

from __future__ import annotations

import numpy as np
import pytest

from bedside.checkpoint import Checkpoints
from bedside.control import Control
from bedside.hub.status import RESUMED_WITHOUT_HUB, RunStatus
from bedside_protocol.records import (
    AlertChanged,
    Body,
    CommandChanged,
    Ended,
    Event,
    LifecycleChanged,
    Metrics,
    ProbeDeclared,
    Record,
    Snapshot,
    Tick,
    Verb,
)


def told(*bodies: Body) -> RunStatus:
    status = RunStatus()
    for body in bodies:
        status.observe(Record(0.0, body))
    return status


def rows(*steps: int) -> Metrics:
    return Metrics(("a",), np.array(steps, np.int64), np.zeros(len(steps)), np.zeros((1, len(steps))))


def command(name: str, verb: Verb, *states: str) -> list[CommandChanged]:
    return [CommandChanged(name, verb, state) for state in states]  # type: ignore[arg-type]


def test_a_run_that_said_nothing_is_unborn() -> None:
    assert repr(RunStatus()) == "<RunStatus unborn at step 0, 0 commands>"


def test_the_step_is_the_highest_reached_also_after_a_resume_from_before() -> None:
    assert told(rows(1, 2, 3)).step == 3
    assert told(rows(1, 2, 9), rows(4)).step == 9
    assert told(rows(), Snapshot("p", "k", 7, {}), rows(5)).step == 7


def test_pause_and_resume_are_what_the_training_said_not_what_was_asked() -> None:
    pause = command("p", "pause", "requested", "accepted", "scheduled", "applied")
    assert [told(*pause[:upto]).paused for upto in range(5)] == [False, False, False, False, True]
    assert not told(*pause, *command("r", "resume", "requested", "accepted", "applied")).paused
    assert told(*pause, *command("r", "resume", "requested", "refused")).paused
    assert told(*pause, *command("s", "step", "requested", "accepted", "applied")).paused


def test_a_run_that_let_itself_go_is_no_longer_paused() -> None:
    pause = command("p", "pause", "requested", "accepted", "applied")
    assert not told(*pause, Event(RESUMED_WITHOUT_HUB, 5)).paused
    assert told(*pause, Event("something-else", 5)).paused


def test_the_agent_and_the_hub_have_one_word_for_going_on_without_a_hub(tmp_path: object) -> None:
    said: list[Body] = []
    control = Control(said.append, Checkpoints.__new__(Checkpoints), lambda: 1e9, lambda name: False, lambda name, every: None)
    control._hold(3)
    (event,) = said
    assert isinstance(event, Event)
    assert event.name == RESUMED_WITHOUT_HUB


def test_a_stall_lasts_while_its_alarm_fires() -> None:
    firing = AlertChanged("stall", "run", "firing", "red", message="no step for 70 s")
    assert told(firing).stalled == "no step for 70 s"
    assert told(firing, AlertChanged("stall", "run", "cleared", "red", message="steps again")).stalled == ""
    assert told(AlertChanged("other", "run", "firing", "red", message="x")).stalled == ""
    assert told(AlertChanged("stall", "run", "pending", "red", message="x")).stalled == ""


def test_the_goodbye_and_the_verdict_are_kept() -> None:
    status = told(LifecycleChanged("running"), Ended("failed", 5, "KeyError"), LifecycleChanged("failed", "KeyError"))
    assert (status.goodbye, status.lifecycle, status.reason) == (Ended("failed", 5, "KeyError"), "failed", "KeyError")


@pytest.mark.parametrize("last", ["requested", "accepted", "scheduled"])
def test_every_command_is_known_in_its_newest_state(last: str) -> None:
    status = told(*command("a", "pause", "requested", last), *command("b", "stop", "requested", "refused"), Tick(1))
    assert [(each.id, each.state) for each in status.commands.values()] == [("a", last), ("b", "refused")]


def test_a_probe_is_known_by_its_newest_schedule() -> None:
    assert told(ProbeDeclared("vq", "codebook", 50), ProbeDeclared("look", "samples", 0), ProbeDeclared("vq", "codebook", 25)).probes == {
        "vq": 25,
        "look": 0,
    }


def test_what_another_rank_says_of_itself_is_not_the_runs() -> None:
    status = told(rows(1, 2))
    status.observe(Record(0.0, rows(50), rank=1))
    status.observe(Record(0.0, Ended("failed", 50, "KeyError"), rank=3))
    assert (status.step, status.goodbye) == (2, None)
