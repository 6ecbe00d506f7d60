"""What becomes of a run whose way in is taken, cannot be made, or is watched by nobody: it is recorded, and nobody's files are touched."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from real_training import SOURCES, Training, environment_in, until
from stage import Stage

from bedside.runtime import make_keys
from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import HUB_LOG_NAME

HUB = Path(SOURCES[0]) / "bedside" / "hub" / "__main__.py"
SHORT = """
import bedside
run = bedside.init(name="short")
for number in run.steps(range(50)):
    run.log({"number": float(number)})
run.finish()
"""
DEAF = """
import os, sys
if any(word.endswith("hub/__main__.py") for word in sys.orig_argv):
    from bedside.hub import gate
    answer = gate.Gate.answer_zap
    gone = []
    def nobody(self):
        if not os.path.exists(os.environ["NOBODY_CHECKS"]):
            return answer(self)
        if not gone:
            gone.append(self.zap.unbind(gate._ZAP))
            open(os.environ["NOBODY_CHECKS"] + ".gone", "w").close()
        return False
    gate.Gate.answer_zap = nobody
"""


def stale_sockets(stage: Stage, times: int) -> None:
    """F16: where the next hub shall listen lies the socket of somebody who died; it listens there, and viewers find it."""
    training = stage.count(before="import bedside.spawn; bedside.spawn.MAX_STARTS = 10**6")
    training.wait_points("number", 20)
    viewer = stage.view(training)
    path = next((training.home / "rt").iterdir()) / "hub"
    for number in range(1, times + 1):
        pid = training.hub_pid(started=number)
        os.kill(pid, signal.SIGSTOP)
        path.unlink()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        os.kill(pid, signal.SIGKILL)
        training.hub_pid(started=number + 1)
        viewer.follow()
        if not viewer.seen(len(training.points("number")), ["connected"])["whole"]:
            stage.tally.misses(1, "a hole in what a viewer saw behind a stale socket")
        stage.tally.tries += 1
    stage.ends_well(training)


def hubs_started_twice(stage: Stage, times: int) -> None:
    """F16: another hub of the same run is started, with other keys: it leaves with a sentence, and the one that serves goes on."""
    training = stage.count()
    training.wait_points("number", 20)
    viewer = stage.view(training)
    viewer.follow()
    runtime, place = next((training.home / "rt").iterdir()), training.place
    around = {"pid": training.pid, "pid_start": 0, "wall_start": time.time(), "monotonic_start": time.monotonic(), "size_cap": 1 << 30}
    plan = {"run": place.id, "directory": str(place.directory), "runtime": str(runtime), **around, "keys": asdict(make_keys())}
    before, said = _files(runtime), place.directory / HUB_LOG_NAME
    for number in range(1, times + 1):
        told = json.dumps({**plan, "path": SOURCES}).encode()
        with open(said, "ab") as log:
            subprocess.run([sys.executable, "-P", HUB, place.id], input=told, stdout=log, stderr=log, cwd="/", timeout=60, check=True)
        until(lambda number=number: said.read_text().count("another hub writes") == number or None, "the second hub's sentence", 60)
        if _files(runtime) != before:
            stage.tally.notes.append("a second hub changed what the first one listens at")
        if not viewer.seen(len(training.points("number")), ["connected"])["whole"]:
            stage.tally.misses(1, "a hole in what was seen while another hub was started")
        stage.tally.tries += 1
    stage.ends_well(training)


def _files(directory: Path) -> dict[str, tuple[int, int]]:
    return {entry.name: (entry.lstat().st_ino, entry.lstat().st_size) for entry in directory.iterdir()}


def no_place_for_a_socket(stage: Stage, times: int) -> None:
    """F16: a directory whose path is too long, that is missing, or that is a file: the next is taken, and where there is none the training
    goes on with a sentence. Four at once."""
    for first in range(0, times, 4):
        begun = [_without_place(stage, number) for number in range(min(4, times - first))]
        for training, nowhere in begun:
            stage.tally.tries += 1
            _takes_another_place(stage, training, nowhere=nowhere)


def _without_place(stage: Stage, number: int) -> tuple[Training, bool]:
    """A training that is asked to have its socket in such a directory; whether there is no other for it either."""
    home = stage.home()
    (home / "file").write_text("mine")
    (home / "t").mkdir(mode=0o700)
    long = home / ("x" * 120)
    long.mkdir(mode=0o700)
    asked = (long, home / "missing" / "too", home / "file", home / "file")[number]
    nowhere = number == 3
    there = {"BEDSIDE_RUNTIME_DIR": str(asked), "TMPDIR": str(long if nowhere else home / "t")}
    return stage.start(SHORT, there, home=home), nowhere


def _takes_another_place(stage: Stage, training: Training, *, nowhere: bool) -> None:
    if (code := training.end(60)) != 0:
        stage.tally.died(f"without a place for a socket the training ended with {code}")
    err = training.err.read_text()
    if nowhere:
        if "this run is not monitored" not in err or "is not a directory" not in err or err.count("\n") != 1:
            stage.tally.told_wrongly(f"no place for a socket, and that is said so: {err}")
        return
    _is_recorded(stage, training)
    if (training.home / "file").read_text() != "mine" or (training.home / "missing").exists():
        stage.tally.notes.append("something in the way was changed")


def _is_recorded(stage: Stage, training: Training) -> None:
    state = training.wait_lifecycle(*OVER, seconds=60)
    if state.state != "finished":
        stage.tally.told_wrongly(f"a training that finished is called {state.state}: {state.reason}")
    if [value for _, value in training.points("number")] != list(map(float, range(50))):
        stage.tally.misses(1, "values are missing in a run whose socket lies elsewhere")


def nobody_checks_keys(stage: Stage, times: int) -> None:
    """F24: what checks keys in the hub dies: nobody comes in any more, with the right ones neither; who is inside stays and is told all."""
    for _ in range(times):
        home = stage.home()
        (home / "hook").mkdir()
        (home / "hook" / "sitecustomize.py").write_text(DEAF)
        path = os.pathsep.join([str(home / "hook"), environment_in(home)["PYTHONPATH"]])
        training = stage.count({"NOBODY_CHECKS": str(home / "nobody"), "PYTHONPATH": path}, home=home)
        training.wait_points("number", 20)
        inside = stage.view(training)
        inside.follow()
        inside.seen(20, ["connected"])
        (home / "nobody").touch()
        until(lambda home=home: (home / "nobody.gone").exists() or None, "a hub whose keys nobody checks")
        outside = stage.view(training)
        outside.follow()
        if outside.seen(20, ["connected", "following", "unreachable"])["state"] == "connected":
            stage.tally.notes.append("with nobody to check keys a viewer came in")
        if not inside.seen(len(training.points("number")), ["connected"])["whole"]:
            stage.tally.misses(1, "a hole in what was seen by who was inside already")
        stage.tally.tries += 1
        stage.ends_well(training)
