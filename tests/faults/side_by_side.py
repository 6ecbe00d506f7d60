"""Tries side by side: each part in a process and a session of its own, so that it can be ended with all that it started.

It decides when a part has hung or broken off; what it tries, and how often, it is told.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import Final

import real_training
from parts import Part
from stage import Stage, Tally

PATIENCE: Final = 3.0
"""Times as long is waited for something where many run at once: what comes late under load has not hung."""
MOST: Final = 1200.0
"""Seconds that a part may take at most, and `START + EACH` times its tries where that is less."""
START: Final = 180.0
EACH: Final = 60.0
LEAVING: Final = 30.0
"""Seconds in which a part that is told to end removes what it made."""
_FORK: Final = get_context("fork")  # what the faults need is loaded once, and nothing here has a thread


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one part. `cpu`: processor seconds of its process and of those it has waited for."""

    part: Part
    tally: Tally
    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class _Running:
    part: Part
    process: ForkProcess
    began: float

    def is_late(self, now: float) -> bool:
        return now - self.began > min(MOST, START + EACH * self.part.times)


def side_by_side(parts: Sequence[Part], jobs: int) -> Generator[Done, None, None]:
    """Try these, so many at a time, and give what became of each as it ends. Closed before its end, it ends what runs and drops it."""
    waiting, running = deque(parts), dict[Connection, _Running]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                _begin(waiting.popleft(), running)
            for line in wait(list(running), timeout=1.0):
                assert isinstance(line, Connection)
                yield _ended(line, running.pop(line))
            for line, one in list(running.items()):
                if one.is_late(time.monotonic()):
                    yield _given_up(line, running.pop(line))
    finally:
        for one in running.values():
            one.process.terminate()
        for one in running.values():
            _see_out(one)


def part_name(part: Part) -> str:
    """For people who look for a part in a list."""
    return f"{part.times} × {part.fault.words}{' alone' if part.alone else ''}"


def _begin(part: Part, running: dict[Connection, _Running]) -> None:
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_attempt, args=(part, theirs))
    process.start()
    theirs.close()
    running[ours] = _Running(part, process, time.monotonic())


def _given_up(line: Connection, one: _Running) -> Done:
    """End a part that takes too long; what it had counted until then stands."""
    one.process.terminate()
    line.poll(LEAVING)
    done = _ended(line, one)
    done.tally.hung(f"{part_name(one.part)}: not done after {done.seconds:.0f} s")
    return done


def _ended(line: Connection, one: _Running) -> Done:
    """What a part said at its end; one that died without a word has broken off."""
    tally, cpu = Tally(), 0.0
    try:
        if line.poll():
            tally, cpu = line.recv()
    except EOFError:
        tally.hung(f"{part_name(one.part)}: its process died and said nothing")
    line.close()
    _see_out(one)
    return Done(one.part, tally, time.monotonic() - one.began, cpu)


def _see_out(one: _Running) -> None:
    """Wait for a process that has been told to leave, or has said its last; its trainings are of its group, and hubs follow them."""
    one.process.join(LEAVING)
    if one.process.is_alive():
        os.killpg(one.process.ident or 0, signal.SIGKILL)
        one.process.join()


def _attempt(part: Part, line: Connection) -> None:
    """In the part's own process: try it, and say what became of it however it ends."""
    os.setsid()
    signal.signal(signal.SIGTERM, _leave)
    real_training.patience = 1.0 if part.alone else PATIENCE
    tally = Tally()
    try:
        with Stage() as stage:
            tally = stage.tally
            try:
                part.fault.inflict(stage, part.times)
            except AssertionError as error:
                tally.hung(str(error))
            except Exception as error:  # noqa: BLE001 - a try that breaks off is told, and the others go on
                tally.hung(f"broke off: {error!r}")
    finally:
        spent = os.times()
        line.send((tally, spent.user + spent.system + spent.children_user + spent.children_system))


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
