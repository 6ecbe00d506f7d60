"""Trainings that take longer than a test may wait: begun when the session begins, each trained once, and shared by all its test processes.

Each runs in a fork of its own, two at a time, while other tests run. Who needs one that has not begun trains it on the spot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from detection.nursery import MODULE, Nursery
from real_training import environment_in

SECONDS = 900.0
"""Who takes longer hangs, on however busy a machine."""
SEEDS = range(int(os.environ.get("BEDSIDE_CASE_SEEDS", "1")))
"""Those with which cases are trained; `make cases` asks for more."""
STEPS = {"uniform-attention": 600}
"""Of the costliest case. Its quantity stands by step 100 and its alarm by step 400; what comes later is there for the alarm to become red,
which no test asks. With several seeds it is trained whole."""


class LongTraining(NamedTuple):
    """`python -m WORDS --dir DIRECTORY`, by a name that no other has."""

    name: str
    words: tuple[str, ...]


class Left(NamedTuple):
    """What one left behind."""

    directory: Path
    code: int | None
    """Its exit code, None where it took too long."""
    output: str
    """All it printed."""


def form(case: str, seed: int, healthy: bool) -> LongTraining:
    """A case in its broken form, or its healthy twin."""
    steps = STEPS.get(case) if len(SEEDS) == 1 else None
    words = ("bedside.cases", case, "--seed", str(seed), *["--healthy"] * healthy, *(("--steps", str(steps)) if steps else ()))
    return LongTraining(f"{case}-{seed}{'-healthy' * healthy}", words)


class LongTrainings:
    """Those of one session, below `home`. A process that has entered keeps what they left until it is closed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._nurseries: list[Nursery] = []
        self._idle: SimpleQueue[Nursery] = SimpleQueue()
        self._environment = environment_in(home)
        home.mkdir(exist_ok=True)
        self._users = open(f"{home}.users", "w")  # noqa: SIM115 - held until closed
        fcntl.flock(self._users, fcntl.LOCK_SH)

    def begin(self, wanted: Iterable[LongTraining]) -> None:
        """Have them trained in this order, in the background."""
        for one in wanted:
            self._pool.submit(self.left, one)

    def left(self, one: LongTraining) -> Left:
        """What a training left behind, once it has ended."""
        place = self._home / one.name
        with open(f"{place}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ended = place / "ended"
            if not ended.exists():
                code = self._train(one, place)
                ended.write_text("" if code is None else str(code))
        code_text = ended.read_text()
        return Left(place / "runs", int(code_text) if code_text else None, (place / "output").read_text())

    def _train(self, one: LongTraining, place: Path) -> int | None:
        place.mkdir(exist_ok=True)
        with self._nursery() as nursery:
            return nursery.run([MODULE, *one.words, "--dir", str(place / "runs")], place / "output", SECONDS)

    @contextlib.contextmanager
    def _nursery(self) -> Iterator[Nursery]:
        try:
            nursery = self._idle.get_nowait()
        except Empty:
            nursery = Nursery(self._environment)
            self._nurseries.append(nursery)
        yield nursery
        self._idle.put(nursery)

    def close(self, *, interrupted: bool) -> None:
        """Let those that run end, for another process may wait for them, or kill them where the person has interrupted the tests. Begin no
        other, and remove everything where no other process of the session is left."""
        self._pool.shutdown(wait=not interrupted, cancel_futures=True)
        for nursery in self._nurseries:
            nursery.close()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self._home, ignore_errors=True)
            Path(self._users.name).unlink(missing_ok=True)
        self._users.close()
