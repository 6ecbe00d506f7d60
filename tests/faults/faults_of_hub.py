"""What becomes of a run whose hub is killed or stopped, in its midst and at its end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

from faults_of_viewers import MOST_GROWTH
from real_training import Training, until
from stage import HUBS_WITHOUT_END, Stage, memory_of

from bedside_protocol.records import Event, Lost

TIMED_END = """
import time
before = time.monotonic()
run.finish()
took = time.monotonic() - before
"""
EXIT_DELAY = "the end of the training was delayed by, s"


def hub_killed(stage: Stage, times: int) -> None:
    """F3: the hub killed at any moment, also while it starts or writes."""
    training = stage.count(before=HUBS_WITHOUT_END)
    for number in range(1, times + 1):
        pid = training.hub_pid(started=number)
        training.wait_points("number", len(training.points("number")) + 1, 60)
        time.sleep(random.uniform(0, 0.3))
        os.kill(pid, signal.SIGKILL)
        stage.tally.tries += 1
    training.hub_pid(started=times + 1)
    stage.ends_well(training)
    if lost := training.bodies(Lost):
        stage.tally.misses(len(lost), f"a killed hub cost something: {lost[:3]}")


def hub_stopped(stage: Stage, times: int) -> None:
    """The hub stopped for a while and let go, again and again: it is never taken for dead, and nothing is lost."""
    training = stage.count()
    training.wait_points("number", 20)
    pid = training.hub_pid()
    for _ in range(times):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(random.uniform(0, 1.5))
        os.kill(pid, signal.SIGCONT)
        training.wait_points("number", len(training.points("number")) + 1)
        stage.tally.tries += 1
    stage.ends_well(training)
    if len(training.hub_pids()) > 1:
        stage.tally.notes.append("another hub was started beside one that was only stopped")


def hub_killed_at_the_end(stage: Stage, times: int) -> None:
    """The hub killed as the training ends: what was said last is in the recording all the same."""
    for _ in range(times):
        training = stage.count(ending=TIMED_END + "print(took, flush=True)")
        training.wait_points("number", 20)
        os.kill(training.hub_pid(), signal.SIGKILL)
        training.say("end")
        stage.tally.measure(EXIT_DELAY, float(training.hear()))
        stage.ends_well(training, told=False)
        stage.tally.tries += 1


def hub_stopped_at_the_end(stage: Stage, times: int) -> None:
    """The hub stopped while the training ends: the end is not held up, and the hub tells it when it wakes."""
    for _ in range(times):
        training = stage.count(ending=TIMED_END + "print(took, flush=True)")
        training.wait_points("number", 20)
        pid = training.hub_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            training.wait_stderr("watch it")
            time.sleep(random.uniform(0, 0.5))
            training.say("end")
            stage.tally.measure(EXIT_DELAY, float(training.hear()))
        finally:
            os.kill(pid, signal.SIGCONT)
        stage.ends_well(training, told=False)
        stage.tally.tries += 1


def held_without_hub(stage: Stage, times: int) -> None:
    """F20: the hub stopped while the run is held: it goes on by itself when the lease is over, and the recording tells it."""
    training = stage.count(
        before="import os, bedside.control; bedside.control.LEASE = 3.0; steps = os.open('steps', os.O_WRONLY | os.O_CREAT)",
        each="os.pwrite(steps, b'%9d' % number, 0)",
    )
    training.wait_points("number", 20)
    hub = training.hub_pid()
    for number in range(1, times + 1):
        stage.run(training, "ctl", training.place.id, "pause")
        held = (training.home / "steps").read_text()
        os.kill(hub, signal.SIGSTOP)
        try:
            until(lambda held=held: True if (training.home / "steps").read_text() != held else None, "a step without the hub", 60)
        finally:
            os.kill(hub, signal.SIGCONT)
        until(lambda number=number: True if _let_go(training) >= number else None, "the end of the hold, recorded", why=training.tail)
        stage.tally.tries += 1
    stage.ends_well(training)


def _let_go(training: Training) -> int:
    return sum(isinstance(body, Event) and body.name == "resumed-without-hub" for body in training.bodies(Event))


def hub_gone_for_good(stage: Stage, times: int) -> None:
    """F4: no hub any more, and a flood of values: the training keeps a bounded part of it, says so, and leaves."""
    flood = 'for burst in range(5): run.log({f"part {part}": 1.0 for part in range(50)})'
    for _ in range(times):
        training = stage.count(
            before="import bedside.spawn; bedside.spawn.MAX_STARTS = 1", each=flood, ending=TIMED_END + "print(took, flush=True)"
        )
        training.wait_points("number", 5, 60)
        os.kill(training.hub_pid(), signal.SIGKILL)
        training.wait_stderr("the hub died too often: this run goes on unmonitored")
        before = memory_of(training.pid)
        time.sleep(2.0)
        grown = memory_of(training.pid) - before
        stage.tally.measure("the training grew without a hub by, MiB", grown / (1 << 20))
        if grown > MOST_GROWTH:
            stage.tally.notes.append(f"the training grew by {grown >> 20} MiB without a hub")
        training.say("end")
        stage.tally.measure(EXIT_DELAY, float(training.hear()))
        try:
            if (code := training.end(30)) != 0:
                stage.tally.died(f"the training ended with {code}")
        except subprocess.TimeoutExpired:
            stage.tally.hung("the training does not end")
        stage.tally.tries += 1
