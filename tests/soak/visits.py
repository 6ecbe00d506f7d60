"""Who comes and goes at a run while it is soaked: real commands, screens in real terminals, and how each of them leaves."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from real_terminal import Terminal


@dataclass(frozen=True, slots=True)
class Visit:
    """A command, when the moments of its leaving come (seconds after it saw something), and what is done to it in each of them."""

    kind: str
    words: tuple[str, ...]
    leaving: tuple[tuple[float, Callable[[Seat], None]], ...] = ()

    @property
    def is_screen(self) -> bool:
        return self.words[0] == "attach"


class Printing:
    """A command that prints, to nobody: what it prints is read in other tests."""

    text = "printing"

    def __init__(self, words: list[str], environment: dict[str, str], home: Path) -> None:
        command = [sys.executable, "-m", "bedside_tui", *words]
        self.process = subprocess.Popen(command, env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


Seat: TypeAlias = Terminal | Printing


def quits(one: Seat) -> None:
    assert isinstance(one, Terminal)
    one.press("q")


def loses_its_terminal(one: Seat) -> None:
    assert isinstance(one, Terminal)
    one.hang_up()


def is_killed(one: Seat) -> None:
    one.process.kill()


def is_stopped(one: Seat) -> None:
    os.kill(one.process.pid, signal.SIGSTOP)


def goes_on(one: Seat) -> None:
    os.kill(one.process.pid, signal.SIGCONT)


VISITS: Final = (
    Visit("quits", ("attach",), ((3.0, quits),)),
    Visit("prints once", ("once", "--text")),
    Visit("is killed", ("attach",), ((3.0, is_killed),)),
    Visit("asks for the status", ("status", "--json")),
    Visit("is stopped, goes on and quits", ("attach", "--read-only"), ((1.0, is_stopped), (9.0, goes_on), (11.0, quits))),
    Visit("follows as JSON and is killed", ("watch", "--jsonl"), ((3.0, is_killed),)),
    Visit("loses its terminal", ("attach",), ((3.0, loses_its_terminal),)),
)
PATIENCE: Final = 180.0
"""Seconds after which a visitor that should be gone is said to hang."""


class Visitor:
    """One visit in progress. `step` is called often; it answers whether the visit goes on."""

    def __init__(self, visit: Visit, run: str, environment: dict[str, str], home: Path, now: float) -> None:
        self.visit = visit
        words = [visit.words[0], run, *visit.words[1:]]
        self._seat: Seat = Terminal(words, environment, home) if visit.is_screen else Printing(words, environment, home)
        self._came = now
        self._seen: float | None = None
        self._to_do = list(visit.leaving)
        self._open = True

    def step(self, now: float) -> bool:
        """Read what it draws, do what is due; False once its process is gone. Raises `AssertionError` where it hangs."""
        if self._open and self._seat.text.strip() and self._seen is None:
            self._seen = now
        while self._seen is not None and self._to_do and now - self._seen >= self._to_do[0][0]:
            _, act = self._to_do.pop(0)
            self._open = self._open and act is not loses_its_terminal
            act(self._seat)
        if self._seat.process.poll() is not None:
            self._seat.close()
            return False
        assert now - self._came < PATIENCE, f"a visitor that {self.visit.kind} is still there:\n{self._seat.text if self._open else ''}"
        return True

    def close(self) -> None:
        self._seat.close()


class Visitors:
    """Visits one after the other, a new one every so many seconds, in the order of the table."""

    def __init__(self, run: str, environment: dict[str, str], home: Path, every: float) -> None:
        self.came: dict[str, int] = {}
        self.troubles: list[str] = []
        self._about = run, environment, home
        self._every = every
        self._next = time.monotonic()
        self._kinds: Iterator[Visit] = itertools.cycle(VISITS)
        self._here: list[Visitor] = []

    def step(self, now: float) -> None:
        self._here = [one for one in self._here if self._goes_on(one, now)]
        if now >= self._next:
            self._next = now + self._every
            visit = next(self._kinds)
            self._here.append(Visitor(visit, *self._about, now))
            self.came[visit.kind] = self.came.get(visit.kind, 0) + 1

    def _goes_on(self, one: Visitor, now: float) -> bool:
        try:
            return one.step(now)
        except AssertionError as hung:
            self.troubles.append(str(hung))
            one.close()
            return False

    def close(self) -> None:
        for one in self._here:
            one.close()
