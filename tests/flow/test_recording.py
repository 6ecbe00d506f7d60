"""From `run.log` to the file: everything once, in order. What happens to a hub that is killed or stopped: `tests/faults`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bedside_protocol.records import Ended, LifecycleChanged, Lost, RunStarted

COUNTING = """
import bedside, sys, time
run = bedside.init(project="flow", name="counting", config={{"lr": 0.1, "api_key": "sk-not-to-be-seen"}})
for number in run.steps(range({steps})):
    run.log({{"loss": 1.0 / (number + 1), "number": float(number)}})
    time.sleep({pace})
run.finish()
print("finished", flush=True)
"""


def test_every_logged_value_is_in_the_recording_once_and_in_order(start: Callable[..., Any]) -> None:
    training = start(COUNTING.format(steps=3000, pace=0.0))
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert training.points("number") == [(step, step - 1.0) for step in range(1, 3001)]
    started = training.records()[0].body
    assert isinstance(started, RunStarted)
    assert (started.name, started.project, started.pid) == ("counting", "flow", training.pid)
    assert started.config == {"lr": 0.1, "api_key": "[redacted]"}
    assert b"sk-not-to-be-seen" not in training.place.log.read_bytes()


def test_the_hub_leaves_after_the_end_and_takes_its_keys_with_it(start: Callable[..., Any]) -> None:
    training = start(COUNTING.format(steps=20, pace=0.0))
    assert training.end() == 0
    training.wait_hub_gone()
    assert list((training.home / "rt").iterdir()) == []
    last = training.records()[-1].body
    assert isinstance(last, LifecycleChanged)
    assert last.state == "finished"
    assert isinstance(training.wait_for(lambda body: isinstance(body, Ended)).body, Ended)


def test_two_runs_of_one_name_are_two_recordings(start: Callable[..., Any]) -> None:
    first, second = (start(COUNTING.format(steps=30, pace=0.0)) for _ in range(2))
    assert (first.end(), second.end()) == (0, 0)
    logs = sorted(first.runs.glob("*/run.bedside"))
    assert len(logs) == 2


def test_at_its_size_cap_a_recording_still_tells_how_the_run_ended(start: Callable[..., Any]) -> None:
    training = start(
        """
        import random, time
        import bedside, bedside.start
        bedside.start.SIZE_CAP = 5_000
        run = bedside.init(name="capped")
        for number in run.steps(range(2000)):
            run.log({"noise": random.random()})
            time.sleep(0.002)
        run.finish()
        """
    )
    assert training.end(60) == 0
    assert training.wait_lifecycle("finished").step == 2000
    recorded = len(training.points("noise"))
    lost = [body for body in training.bodies(Lost) if "size cap" in body.why]
    assert 0 < recorded < 2000
    assert recorded + sum(body.count for body in lost) >= 2000  # the vitals of the machine are left out too
    assert training.place.log.stat().st_size < 60_000


def test_a_decreasing_step_is_recorded_as_it_was_said(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside
        run = bedside.init(name="resumed")
        for step in [1, 2, 3, 2, 3, 4]:
            run.log({"loss": float(step)}, step=step)
        run.finish()
        """
    )
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert [step for step, _ in training.points("loss")] == [1, 2, 3, 2, 3, 4]
