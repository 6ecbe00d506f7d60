"""The rule over silence: time advances by records alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.records import AlertChanged, Body, Ended, Event, Lifecycle, LifecycleChanged, Metrics, Record, RunStarted, Tick


def run(records: Sequence[Record]) -> list[AlertChanged]:
    engine = Engine()
    return [change for record in records for change in engine.observe(record)]


def stall(changes: Sequence[AlertChanged]) -> list[str]:
    told = [change for change in changes if change.rule == "stall"]
    return [change.severity if change.state == "firing" else change.state for change in told]


def at(time: float, *bodies: Body) -> list[Record]:
    return [Record(time, body) for body in bodies]


def logged(step: int, time: float) -> Record:
    return Record(time, Metrics(("loss",), np.array([step]), np.array([time]), np.array([[1.0]])))


def ticks(start: float, end: float, step: int) -> list[Record]:
    return [Record(float(time), Tick(step), rank=-1) for time in np.arange(start, end)]


def stepping(seconds: int, every: float = 1.0) -> list[Record]:
    return [Record(float(i), Tick(int(i / every)), rank=-1) for i in range(seconds)]


def test_silence_after_steps_is_amber_then_red_and_clears_with_the_next_step() -> None:
    changes = run(stepping(100) + ticks(100, 500, 99) + [logged(100, 500.0)] + ticks(500, 510, 105))
    assert stall(changes) == ["ok", "amber", "red", "cleared"]
    amber = next(change for change in changes if change.state == "firing")
    assert amber.message == "no step for 61 s, median step 1 s"


def test_late_values_of_older_steps_are_no_progress() -> None:
    silent = [record for tick in ticks(100, 200, 99) for record in (tick, logged(98, tick.time))]
    assert stall(run(stepping(100) + silent)) == ["ok", "amber"]


def test_a_run_that_goes_back_moves_even_while_ticks_hold_its_highest_step() -> None:
    again = [record for tick in ticks(100, 200, 99) for record in (tick, logged(int(tick.time) - 80, tick.time))]
    assert stall(run(stepping(100) + again)) == ["ok"]


def test_a_log_without_ticks_is_known_to_have_begun() -> None:
    assert stall(run([logged(step, step * 100.0) for step in range(10)])) == ["ok"]


def test_being_called_stalled_does_not_end_the_silence() -> None:
    changes = run(stepping(100) + ticks(100, 170, 99) + at(170.0, LifecycleChanged("stalled")) + ticks(170, 500, 99))
    assert stall(changes) == ["ok", "amber", "red"]


def test_a_run_of_long_steps_may_be_silent_for_long() -> None:
    assert stall(run(stepping(600, every=30.0) + ticks(600, 800, 19))) == ["ok"]


def test_before_the_first_step_a_run_is_starting() -> None:
    started = at(0.0, RunStarted("a", "a", "a", 0.0))
    changes = run(started + ticks(0, 500, 0))
    assert [(change.state, change.message) for change in changes] == [("not_checked", "starting")]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (LifecycleChanged("paused"), LifecycleChanged("running")),
        (LifecycleChanged("suspended"), LifecycleChanged("running")),
        (Event("phase", 99, {"name": "eval", "state": "begin"}), Event("phase", 99, {"name": "eval", "state": "end"})),
    ],
)
def test_a_pause_and_a_phase_excuse_silence_until_they_end(begin: Body, end: Body) -> None:
    excused = stepping(100) + at(100.0, begin) + ticks(100, 1000, 99) + at(1000.0, end)
    assert stall(run(excused + ticks(1000, 1050, 99))) == ["ok", "not_checked", "ok"]
    assert stall(run(excused + ticks(1000, 1100, 99)))[-1] == "amber"


def begin(name: str = "finetune", step: int = 99) -> Event:
    return Event("phase", step, {"name": name, "state": "begin"})


def test_a_phase_without_end_excuses_silence_until_steps_are_made_in_it() -> None:
    marked = stepping(100) + at(100.0, begin()) + ticks(100, 300, 99)
    assert stall(run(marked)) == ["ok", "not_checked"]
    moving = [Record(300.0 + i, Tick(100 + i), rank=-1) for i in range(20)]
    assert stall(run(marked + moving)) == ["ok", "not_checked", "ok"]
    assert stall(run(marked + moving + ticks(320, 500, 119))) == ["ok", "not_checked", "ok", "amber"]


def test_what_is_logged_in_an_evaluation_does_not_end_it() -> None:
    evaluation = [record for tick in ticks(100, 400, 99) for record in (tick, logged(100, tick.time))]
    assert stall(run(stepping(100) + at(100.0, begin("eval")) + evaluation)) == ["ok", "not_checked"]


def test_of_nested_phases_the_one_without_steps_still_excuses() -> None:
    records = stepping(100) + at(100.0, begin()) + [Record(100.0 + i, Tick(100 + i), rank=-1) for i in range(20)]
    assert stall(run(records + at(120.0, begin("eval", 119)) + ticks(120, 400, 119))) == ["ok", "not_checked", "ok", "not_checked"]


def test_a_phase_that_was_over_before_its_end_is_said_ends_once() -> None:
    end = Event("phase", 119, {"name": "finetune", "state": "end"})
    records = stepping(100) + at(100.0, begin()) + [Record(100.0 + i, Tick(100 + i), rank=-1) for i in range(20)]
    assert stall(run(records + at(120.0, end) + ticks(120, 400, 119))) == ["ok", "not_checked", "ok", "amber"]


def test_a_phase_within_a_pause_ends_alone() -> None:
    begin, end = Event("phase", 99, {"name": "eval"}), Event("phase", 99, {"name": "eval", "state": "end"})
    records = stepping(100) + at(100.0, begin, LifecycleChanged("paused"), end) + ticks(100, 500, 99)
    assert stall(run(records)) == ["ok", "not_checked", "not_checked"]


@pytest.mark.parametrize("state", ["finished", "killed", "lost"])
def test_a_run_that_is_over_does_not_stall(state: Lifecycle) -> None:
    assert stall(run(stepping(100) + at(100.0, LifecycleChanged(state)) + ticks(100, 900, 99))) == ["ok"]
    assert stall(run(stepping(100) + at(100.0, Ended("finished", 99)) + ticks(100, 900, 99))) == ["ok"]


def test_an_end_clears_a_stall_and_a_resume_starts_again() -> None:
    changes = run(
        stepping(100) + ticks(100, 200, 99) + at(200.0, Ended("failed", 99), RunStarted("a", "a", "a", 0.0, continues="a"))
        + ticks(201, 400, 0) + ticks(400, 405, 50) + ticks(405, 600, 50)
    )  # fmt: skip
    assert stall(changes) == ["ok", "amber", "cleared", "not_checked", "ok", "amber"]
