"""The viewer in a real terminal: it opens, obeys keys, leaves the terminal as it was and harms no training."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_terminal import Terminal

from bedside_protocol.records import LifecycleChanged, Metrics
from bedside_tui.places import RunPlace, runs_in

Start = Callable[..., Any]
Wait = Callable[..., Any]

LOOP = """
import bedside, time
run = bedside.init(project="flow", name="watched")
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.005)
run.finish()
"""


@pytest.fixture
def terminal(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    """`terminal("attach", run)`: a command of `bedside` in a terminal."""
    opened: list[Terminal] = []

    def begin(*words: object) -> Terminal:
        opened.append(Terminal([str(word) for word in words], environment, home))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


Open = Callable[..., Terminal]


def test_attach_shows_the_run_obeys_its_keys_and_leaves_it_running(start: Start, terminal: Open) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    viewer = terminal("attach", training.place.id)
    viewer.sees("flow/watched")
    viewer.sees("● running")
    viewer.press("P")
    training.wait_lifecycle("paused")
    viewer.sees("paused")
    viewer.press("P")
    training.wait_for(lambda body: [each.state for each in training.bodies(LifecycleChanged)][-2:] == ["paused", "running"])
    viewer.sees("● running")
    viewer.press("q")
    parting = viewer.left()
    assert viewer.process.returncode == 0
    assert viewer.is_as_it_was()
    assert f"{training.place.id} is running; nothing was touched" in parting
    assert f"bedside attach {training.place.id}" in parting
    assert f"bedside ctl {training.place.id} stop" in parting
    training.wait_points("loss", len(training.points("loss")) + 20)


def test_a_viewer_that_was_stopped_and_let_go_has_one_reader_of_its_keys_and_leaves_the_terminal_as_it_was(
    start: Start, terminal: Open, wait: Wait
) -> None:
    """With two readers of one terminal one waits for ever, and the viewer with it when it leaves."""
    training = start(LOOP)
    training.wait_lifecycle("running")
    viewer = terminal("attach", training.place.id)
    viewer.sees("● running")
    threads = Path(f"/proc/{viewer.process.pid}/task")
    before = len(list(threads.iterdir()))
    for _ in range(4):
        viewer.sent = b""
        os.kill(viewer.process.pid, signal.SIGSTOP)
        os.kill(viewer.process.pid, signal.SIGCONT)
        wait(lambda: True if viewer.text and b"\x1b[?1049h" in viewer.sent else None, "a viewer that takes its terminal again")
        viewer.sees("● running")
    assert len(list(threads.iterdir())) < before + 4
    viewer.press("q")
    assert "is running; nothing was touched" in viewer.left()
    assert viewer.is_as_it_was()


def test_a_viewer_whose_terminal_is_gone_leaves_by_itself(start: Start, terminal: Open) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    viewer = terminal("attach", training.place.id)
    viewer.sees("● running")
    viewer.hang_up()
    assert viewer.process.wait(60) == 129
    training.wait_points("loss", len(training.points("loss")) + 20)


def test_a_killed_viewer_and_a_closed_terminal_are_not_noticed_by_the_training(start: Start, terminal: Open) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    for ending in (signal.SIGKILL, signal.SIGHUP):
        viewer = terminal("attach", training.place.id)
        viewer.sees("● running")
        os.kill(viewer.process.pid, ending)
        viewer.left()  # reads on: a terminal nobody reads would hold the viewer in its last drawing
        training.wait_points("loss", len(training.points("loss")) + 50)
    assert [body.state for body in training.bodies(LifecycleChanged)][-1] == "running"
    assert len(training.hub_pids()) == 1
    terminal("attach", training.place.id).sees("● running")


def test_replay_opens_a_recording_and_says_nothing_that_could_reach_a_training(
    record: Callable[..., RunPlace], losses: Callable[..., Metrics], terminal: Open
) -> None:
    place = record([losses([1.0, 0.5])], "over")
    viewer = terminal("replay", "over")
    viewer.sees("flow/over")
    viewer.sees("replay")
    viewer.press("P")
    viewer.sees("this is a recording")
    viewer.press("q")
    viewer.left()
    assert (viewer.process.returncode, viewer.is_as_it_was()) == (0, True)
    assert place.log.exists()


def test_attach_to_a_log_without_an_end_says_lost_and_how_to_replay_it(
    record: Callable[..., RunPlace], losses: Callable[..., Metrics], terminal: Open
) -> None:
    record([losses([1.0, 0.5])], "torn", ended=None)
    viewer = terminal("attach", "torn")
    viewer.sees("✖ lost")
    viewer.press("q")
    assert "bedside replay torn" in viewer.left()


def test_without_a_verb_the_runs_are_listed_and_the_one_picked_opens(
    record: Callable[..., RunPlace], losses: Callable[..., Metrics], terminal: Open
) -> None:
    record([losses([1.0, 0.5])], "picked")
    viewer = terminal()
    viewer.sees("picked")
    viewer.press("\r")
    viewer.sees("replay")
    viewer.press("q")
    viewer.left()
    assert (viewer.process.returncode, viewer.is_as_it_was()) == (0, True)


def test_deleting_asks_and_only_yes_deletes(record: Callable[..., RunPlace], losses: Callable[..., Metrics], terminal: Open) -> None:
    place = record([losses([1.0, 0.5])], "over")
    for answer, told, code in (("n", "nothing was deleted", 1), ("", "nothing was deleted", 1), ("y", "deleted", 0)):
        asked = terminal("rm", "over")
        asked.sees("[y/N]")
        assert place.log.exists()
        asked.press(f"{answer}\r")
        assert told in asked.left()
        assert asked.process.returncode == code
    assert not place.directory.exists()


def test_ctrl_c_leaves_like_q(record: Callable[..., RunPlace], losses: Callable[..., Metrics], terminal: Open) -> None:
    record([losses([1.0, 0.5])], "over")
    viewer = terminal("attach", "over")
    viewer.sees("✓ finished")
    viewer.press("\x03")
    viewer.left()
    assert (viewer.process.returncode, viewer.is_as_it_was()) == (0, True)


def test_a_demo_on_screen_goes_on_when_its_viewer_leaves(terminal: Open, home: Path, wait: Wait, bedside: Callable[..., Any]) -> None:
    directory = home / "demo runs"
    viewer = terminal("demo", "--steps", "150", "--dir", directory)
    viewer.sees("tokenizer/vq-digits-0", 60)
    viewer.press("q")
    parting = viewer.left()
    assert viewer.process.returncode == 0
    (place,) = runs_in([directory])
    assert f"'{place.directory}'" in parting.replace("\r\n", "")
    wait(lambda: bedside("status", directory, "--json").json["lifecycle"] == "finished" or None, "the end of the training", 60)
    assert bedside("status", directory, "--json").json["step"] == 150
    assert "step    150 of 150" in (place.directory / "output.log").read_text()
    assert [entry.name for entry in directory.iterdir() if not entry.is_dir()] == []
