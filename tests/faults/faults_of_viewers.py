"""What becomes of a run whose viewers are killed, stopped, or cut off."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from real_training import Training
from stage import Stage, memory_of

from bedside_tui.sources.live import ANSWER_WITHIN

MOST_GROWTH = 16 << 20
"""Bytes that a training, or its hub, may grow however many viewers are stuck."""
SLOW = ANSWER_WITHIN / 6
"""Seconds each way: a handshake and a question go back and forth four times."""
NOISE = """
import numpy
from bedside.schedule import every
from bedside_protocol.records import Array, Snapshot
class Noise(bedside.Probe):
    kind = "noise"
    def measure(self, step):
        noise = numpy.random.default_rng(step).integers(0, 256, 200_000, numpy.uint8)  # does not compress
        return Snapshot(self.name, self.kind, step, {}, {"noise": Array("histogram", noise)})
"""


def viewers_killed(stage: Stage, times: int) -> None:
    """F1: viewers killed at any moment after they have seen something, every other one once it had the whole history: none has a hole."""
    training = stage.count()
    training.wait_points("number", 100)
    viewer = stage.view(training)
    for number in range(times):
        reached = len(training.points("number"))
        pid = viewer.follow()
        if number % 2:
            time.sleep(random.uniform(0, 0.05))
            seen = viewer.seen(0)
        else:
            seen = viewer.seen(reached)
            stage.tally.measure("reattached with the whole history after, s", seen["full"] or 0.0)
        if not seen["whole"]:
            stage.tally.misses(1, f"viewer {number} has a hole in what it saw")
        viewer.end(pid)
        stage.tally.tries += 1
    stage.ends_well(training)


def viewers_stopped(stage: Stage, times: int) -> None:
    """F2: viewers stopped while the run says much; nothing waits for them in memory, and awake they have everything."""
    training = stage.count(before=NOISE, begun='run.probe(Noise("noise", every(20)))')
    training.wait_points("number", 200)
    viewer = stage.view(training)
    stopped = []
    for _ in range(times):
        stopped.append(viewer.follow())
        os.kill(stopped[-1], signal.SIGSTOP)
        stage.tally.tries += 1
    hub = training.hub_pid()
    before = {pid: memory_of(pid) for pid in (training.pid, hub)}
    training.wait_points("number", len(training.points("number")) + 600)
    for name, pid in (("the training", training.pid), ("its hub", hub)):
        grown = memory_of(pid) - before[pid]
        stage.tally.measure(f"{name} grew with {times} stopped viewers by, MiB", grown / (1 << 20))
        if grown > MOST_GROWTH:
            stage.tally.notes.append(f"{name} grew by {grown >> 20} MiB")
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    if not viewer.seen(len(training.points("number")))["whole"]:
        stage.tally.misses(1, "a viewer that was stopped has a hole in what it saw")
    stage.ends_well(training)


def tunnel_cut(stage: Stage, times: int) -> None:
    """F17: the way to the hub is a relay on another path, as `ssh -L` makes one; killed, hung and started again. The log is not here."""
    training = stage.count()
    training.wait_points("number", 50)
    far, here = _other_end(stage, training)
    near = here.parent
    relay = _relay(far / "hub", here / "hub")
    try:
        viewer = stage.view(training, near, near / "no" / "run.bedside")
        viewer.follow()
        for number in range(times):
            reached = len(training.points("number"))
            viewer.seen(reached, ["connected"])
            if number % 2:
                relay.send_signal(signal.SIGSTOP)
            else:
                relay.kill()
                relay.communicate()
            viewer.seen(0, ["unreachable"])
            if number % 2:
                relay.send_signal(signal.SIGCONT)
            else:
                relay = _relay(far / "hub", here / "hub")
            stage.tally.tries += 1
        seen = viewer.seen(len(training.points("number")), ["connected"])
        if not seen["whole"]:
            stage.tally.misses(1, "a viewer behind a tunnel that was cut has a hole in what it saw")
        stage.ends_well(training)
    finally:
        if relay.poll() is None:
            relay.kill()
            relay.communicate()


def tunnel_slow(stage: Stage, times: int) -> None:
    """F17: each byte through the tunnel takes so long that a handshake takes longer than a hub's silence is borne."""
    training = stage.count()
    training.wait_points("number", 50)
    far, here = _other_end(stage, training)
    relay = _relay(far / "hub", here / "hub", SLOW)
    try:
        viewer = stage.view(training, here.parent, here / "no" / "run.bedside")
        for _ in range(times):
            viewer.follow()
            if not viewer.seen(len(training.points("number")), ["connected"])["whole"]:
                stage.tally.misses(1, "a viewer behind a slow tunnel has a hole in what it saw")
            stage.tally.tries += 1
        stage.ends_well(training)
    finally:
        relay.kill()
        relay.communicate()


def _other_end(stage: Stage, training: Training) -> tuple[Path, Path]:
    """The directory of the hub's socket, and one elsewhere that has only its keys."""
    far = next((training.home / "rt").iterdir())
    here = stage.home() / "rt" / far.name
    here.mkdir(parents=True, mode=0o700)
    here.parent.chmod(0o700)
    shutil.copy2(far / "keys.json", here / "keys.json")
    return far, here


def _relay(far: Path, near: Path, seconds: float = 0.0) -> subprocess.Popen[bytes]:
    near.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).parent / "relay.py"), str(far), str(near), str(seconds)]
    relay = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert relay.stdout is not None
    assert relay.stdout.readline() == b"stands\n"
    return relay
