"""Several ranks of one training that are held together: for long, with a rank or the hub dying meanwhile."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from statistics import median

import several_ranks
from real_training import Training, until
from several_ranks import BARRIER, GLOO, TIMEOUT, WORLD, ask, end, pause, pid_of, steps_of, wait_steps
from stage import HUBS_WITHOUT_END, Stage

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import CommandChanged, LifecycleChanged, Metrics, RankCommand

REACHED = "from the order to all ranks at one step, ms"
BEYOND = "from the order to all ranks at one step, beyond two steps, ms"


def paused_together(stage: Stage, times: int) -> None:
    """Pause and resume, again and again: all ranks stand at the same step."""
    training = _started(stage)
    for _ in range(times):
        before = max(steps_of(training))
        stage.tally.tries += 1
        if _pause_all(stage, training) < 0:
            return
        _note_latency(stage, training)
        _resume(stage, training, max(before, *steps_of(training)))
    _stops(stage, training)


def held_beyond_timeout(stage: Stage, times: int) -> None:
    """F21: held for three times as long as a collective of torch waits, and then the job goes on."""
    training = _started(stage, collective=GLOO)
    for _ in range(times):
        stage.tally.tries += 1
        at = _pause_all(stage, training)
        until_when = time.monotonic() + 3 * TIMEOUT
        until(lambda until_when=until_when: True if time.monotonic() > until_when else None, "three timeouts", 60)
        if steps_of(training) != [at] * WORLD:
            stage.tally.told_wrongly(f"held at {at}, but the ranks are at {steps_of(training)}")
        _resume(stage, training, at)
    _stops(stage, training)


def rank_killed_while_held(stage: Stage, times: int, first: int = 0) -> None:
    """F20: a rank is killed while all are held: the others are let go at once, and the run's verdict says which it was."""
    for number in range(first, first + times):
        victim = number % WORLD
        training = _started(stage)
        _pause_all(stage, training)
        stage.tally.tries += 1
        os.kill(pid_of(training, victim), signal.SIGKILL)
        began = time.monotonic()
        codes = end(training)
        stage.tally.measure("the others of a killed rank let go and ended after, s", time.monotonic() - began)
        if codes[victim] != -9 or sum(code == 1 for code in codes.values()) != WORLD - 1:
            stage.tally.died(f"rank {victim} was killed, the ranks ended with {codes}")
        last = training.wait_lifecycle(*OVER, seconds=60)
        told = last.state == "killed" if victim == 0 else last.state == "failed" and f"rank {victim} was killed (9: SIGKILL)" in last.reason
        if not told:
            stage.tally.told_wrongly(f"rank {victim} was killed, and the run is called {last.state}: {last.reason}")


def hub_killed_while_held(stage: Stage, times: int) -> None:
    """F20: the hub killed while all are held, or as they are told: they stay at one step, and go on together when asked."""
    training = _started(stage, HUBS_WITHOUT_END)
    for number in range(1, times + 1):
        at = _pause_all(stage, training)
        os.kill(training.hub_pid(started=number), signal.SIGKILL)
        stage.tally.tries += 1
        training.hub_pid(started=number + 1)
        _resume(stage, training, at)
    _stops(stage, training)


def ranks_held_without_hub(stage: Stage, times: int) -> None:
    """F20: the hub stopped while all are held: the lease frees every rank."""
    training = _started(stage, "import bedside.control; bedside.control.LEASE = 3.0")
    hub = training.hub_pid()
    for _ in range(times):
        at = _pause_all(stage, training)
        os.kill(hub, signal.SIGSTOP)
        try:
            wait_steps(training, at)
        finally:
            os.kill(hub, signal.SIGCONT)
        stage.tally.tries += 1
        until(lambda: _state(training) == "running" or None, "a run that is held no longer", 30, training.tail)
    _stops(stage, training)


def _started(stage: Stage, before: str = "", collective: str = BARRIER) -> Training:
    training = stage.start(several_ranks.script(before, collective=collective))
    wait_steps(training, 5, 180)  # three ranks and their torch take a while to begin
    training.wait_lifecycle("running", seconds=60)
    return training


def _pause_all(stage: Stage, training: Training) -> int:
    """The step at which all stand; -1 where they do not."""
    last, steps = pause(training)
    if last.state != "applied":
        stage.tally.hung(f"the pause {last.state}: {last.detail}\n{training.tail()}")
        return -1
    if steps != [last.step] * WORLD or steps_of(training) != steps:
        stage.tally.told_wrongly(f"paused at {last.step}, the ranks say {steps} and made {steps_of(training)}")
    return last.step


def _resume(stage: Stage, training: Training, at: int) -> None:
    last = ask(training, "resume")
    if last.state != "applied":
        stage.tally.hung(f"the resume {last.state}: {last.detail}\n{training.tail()}")
    wait_steps(training, at)


def _stops(stage: Stage, training: Training) -> None:
    """All leave their loops at one step."""
    if ask(training, "stop").state != "applied":
        stage.tally.hung(f"the ranks do not stop\n{training.tail()}")
        return
    if set(end(training).values()) != {0} or len(set(steps_of(training))) != 1:
        stage.tally.died(f"stopped at {steps_of(training)}\n{training.tail()}")


def _note_latency(stage: Stage, training: Training) -> None:
    """How long it took from the order's arrival until the last rank stood still, by the log's own clock."""
    asked = [record for record in training.records() if isinstance(record.body, CommandChanged) and record.body.verb == "pause"]
    name = asked[-1].body.id if isinstance(asked[-1].body, CommandChanged) else ""
    times = {record.body.state: record.time for record in asked if isinstance(record.body, CommandChanged) and record.body.id == name}
    stood = [record.time for record in training.records() if isinstance(record.body, RankCommand) and record.body.id == name]
    if stood and "requested" in times:
        took = max(stood) - times["requested"]
        stage.tally.measure(REACHED, 1e3 * took)
        stage.tally.measure(BEYOND, 1e3 * (took - 2 * _usual_step(training)))


def _usual_step(training: Training) -> float:
    """Seconds between two steps of rank 0, the median of the last ones."""
    blocks = [record.body for record in training.records() if isinstance(record.body, Metrics) and record.rank == 0]
    times = sorted(time for block in blocks[-20:] for time in block.times.tolist())
    return median(after - before for before, after in pairwise(times[-50:]))


def _state(training: Training) -> str:
    states = [body.state for body in training.bodies(LifecycleChanged) if isinstance(body, LifecycleChanged)]
    return states[-1] if states else ""
