"""Keys reach the training: what the viewer asks for happens at a step boundary, and the log tells what became of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedside_protocol.records import CheckpointSaved, CommandChanged, Ended, Event, LifecycleChanged, Note
from bedside_tui.sources.conversation import Wanted
from bedside_tui.sources.live import LiveSource

LOOP = """
import bedside, json, time
run = bedside.init(name="controlled")
@run.on_checkpoint
def save(path):
    with open(path, "w") as file:
        json.dump({"step": run.current_step}, file)
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.005)
print("left the loop", flush=True)
run.finish()
"""


def states(life: list[Any]) -> list[str]:
    return [moment.state for moment in life]


def test_pause_holds_the_step_counter_and_resume_lets_it_go(start: Callable[..., Any], wait: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    life = training.ask("pause")
    assert states(life) == ["requested", "accepted", "scheduled", "applied"]
    held = life[-1].step
    training.wait_lifecycle("paused")
    single = training.ask("step")
    assert single[-1].state == "applied"
    wait(lambda: True if training.points("loss")[-1:] == [(held + 1, 1.0)] else None, "the single step")
    saved = training.ask("checkpoint")
    assert saved[-1].step == held + 1
    assert training.points("loss")[-1][0] == held + 1
    assert states(training.ask("resume"))[-1] == "applied"
    training.wait_points("loss", held + 20)
    wait(lambda: [one.state for one in training.bodies(LifecycleChanged)][-3:] == ["running", "paused", "running"] or None, "going on")


def test_a_checkpoint_is_a_whole_file_whose_path_and_size_are_told(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    life = training.ask("checkpoint")
    assert life[-1].state == "applied"
    saved = training.wait_for(lambda body: isinstance(body, CheckpointSaved)).body
    path = Path(saved.path)
    assert path.read_text() == f'{{"step": {saved.step}}}'
    assert saved.size == path.stat().st_size
    assert saved.verified
    assert str(path) in life[-1].detail
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_stop_ends_the_loop_and_the_run_is_stopped(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    life = training.ask("stop", {"checkpoint": True})
    assert life[-1].state == "applied"
    assert training.hear() == "left the loop"
    assert training.end() == 0
    assert training.wait_lifecycle("stopped").reason == "asked to stop"
    saved = training.wait_for(lambda body: isinstance(body, CheckpointSaved)).body
    ended = training.wait_for(lambda body: isinstance(body, Ended)).body
    assert saved.step == ended.step == life[-1].step


def test_stop_while_paused_ends_the_run(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    training.ask("pause")
    training.wait_lifecycle("paused")
    assert training.ask("stop")[-1].state == "applied"
    assert training.end() == 0
    training.wait_lifecycle("stopped")


def test_a_checkpoint_without_a_handler_is_refused_with_the_sentence_that_helps(start: Callable[..., Any]) -> None:
    training = start(LOOP.replace("@run.on_checkpoint", ""))
    training.wait_lifecycle("running")
    life = training.ask("checkpoint")
    assert life[-1].state == "refused"
    assert "run.on_checkpoint(save)" in life[-1].detail
    life = training.ask("stop", {"checkpoint": True})
    assert life[-1].state == "refused"


def test_a_checkpoint_handler_that_raises_fails_in_words_and_training_goes_on(start: Callable[..., Any]) -> None:
    training = start(LOOP.replace('json.dump({"step": run.current_step}, file)', 'raise RuntimeError("disk on fire")'))
    training.wait_lifecycle("running")
    life = training.ask("checkpoint")
    assert (life[-1].state, life[-1].detail) == ("failed", "RuntimeError: disk on fire")
    reached = len(training.points("loss"))
    training.wait_points("loss", reached + 10)
    checkpoints = training.place.directory / "checkpoints"
    assert list(checkpoints.iterdir()) == []


@pytest.mark.parametrize("log", ['run.log({"loss": 1.0})', 'number += 1; run.log({"loss": 1.0}, step=number)'], ids=["counted", "given"])
def test_a_script_without_boundaries_refuses_control_in_words(start: Callable[..., Any], log: str) -> None:
    training = start(
        f"""
        import bedside, time
        run = bedside.init(name="plain")
        number = 0
        while True:
            {log}
            time.sleep(0.01)
        """
    )
    training.wait_lifecycle("running")
    training.wait_points("loss", 10)
    life = training.ask("pause")
    assert life[-1].state == "refused"
    assert "run.step()" in life[-1].detail


def test_step_at_the_end_of_a_hand_written_loop_says_when_to_leave(start: Callable[..., Any]) -> None:
    training = start(
        """
        import bedside, time
        run = bedside.init(name="by-hand")
        while True:
            run.log({"loss": 1.0})
            time.sleep(0.005)
            if not run.step():
                break
        print("left the loop", flush=True)
        """
    )
    training.wait_lifecycle("running")
    assert training.ask("stop")[-1].state == "applied"
    assert training.hear() == "left the loop"
    assert training.end() == 0
    training.wait_lifecycle("stopped")


def test_a_pause_outlives_its_hub(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    held = training.ask("pause")[-1].step
    training.wait_lifecycle("paused")
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.hub_pid(started=2)
    life = training.ask("resume", seconds=30)
    assert life[-1].state == "applied"
    training.wait_points("loss", held + 10)
    assert not [body for body in training.bodies(Event) if body.name == "resumed-without-hub"]
    assert [body.state for body in training.bodies(LifecycleChanged)][-3:] == ["running", "paused", "running"]


def test_a_note_is_in_the_log_with_its_author(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    assert training.ask("note", {"text": "looks odd", "step": 7})[-1].state == "applied"
    note = training.wait_for(lambda body: isinstance(body, Note)).body
    assert (note.text, note.step) == ("looks odd", 7)


def test_a_command_that_lay_in_a_stopped_hub_for_too_long_is_expired_when_it_wakes(start: Callable[..., Any]) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    source = LiveSource(training.place)
    connected = threading.Event()
    source.start(lambda update: connected.set())
    assert connected.wait(60)
    os.kill(training.hub_pid(), signal.SIGSTOP)
    assert source.control is not None
    source.control._outbox.put(Wanted("c0ffee", "pause", {}, time.monotonic() - 60.0))  # a minute passes
    os.kill(training.hub_pid(), signal.SIGCONT)
    gone = training.wait_for(lambda body: isinstance(body, CommandChanged) and (body.id, body.state) == ("c0ffee", "expired"))
    source.close()
    reached = training.points("loss")[-1][0]
    training.wait_points("loss", reached + 10)
    assert "accepted" not in states([body for body in training.bodies(CommandChanged) if body.id == "c0ffee"])
    assert "did not answer" in gone.body.detail
