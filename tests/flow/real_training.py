"""A training script in a process of its own, with its real hub: what tests say to it, and what its recording says of it.

Knows no pytest: the faults' long form starts the same trainings.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bedside_protocol.commands import is_over
from bedside_protocol.places import HUB_LOG_NAME
from bedside_protocol.records import Body, CommandChanged, LifecycleChanged, Metrics, Record, Scalar, Verb
from bedside_protocol.runlog import Decoder
from bedside_tui.places import RunPlace, runs_in
from bedside_tui.sources.live import UNREACHABLE, LiveSource
from bedside_tui.sources.replay import Follower, records_of
from bedside_tui.sources.source import Update

Found = TypeVar("Found")
patience = 3.0
"""Times as long is waited for everything as an idle machine needs at most: who starts many trainings at once sets it."""
SOURCES = [str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol", "tui")]
# Training and launcher are one process apart, and ended children vanish at once: nobody but the hub can then tell the ending.
REAPED_AT_ONCE = """
import os, signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
try:
    child.wait()
except OSError:
    pass
"""


def environment_in(home: Path) -> dict[str, str]:
    """This environment, with everything bedside keeps below `home`."""
    base = {key: value for key, value in os.environ.items() if not key.startswith(("BEDSIDE", "XDG_", "PYTHON"))}
    return base | {
        "PYTHONPATH": os.pathsep.join(SOURCES),
        "BEDSIDE_DIR": str(home / "runs"),
        "BEDSIDE_RUNTIME_DIR": str(home / "rt"),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


class Training:
    """A training script running in a process of its own."""

    def __init__(
        self,
        home: Path,
        script: str,
        environment: dict[str, str],
        *,
        reaped_at_once: bool,
        flags: tuple[str, ...],
        before: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.runs = home / "runs"
        path = home / "train.py"
        path.write_text(textwrap.dedent(script))
        self.err = home / "stderr.txt"
        base = environment_in(home)
        command = [*before, sys.executable, *flags, str(path)]
        if reaped_at_once:
            command = [sys.executable, "-c", REAPED_AT_ONCE, *command]
        self._err = open(self.err, "wb")  # noqa: SIM115 - closed with the training
        self.process = subprocess.Popen(
            command,
            env={**base, **environment},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
        )
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline()) if reaped_at_once else self.process.pid
        self._decoder = Decoder()
        self._records: list[Record] = []
        self._points: dict[str, tuple[int, list[tuple[int, float]]]] = {}
        """By metric: how many records have been looked through, and the points found in them. Who waits asks a hundred times a second."""

    def say(self, line: str) -> None:
        """A line to the script's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The script's next line of output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def end(self, seconds: float = 20.0) -> int:
        """Wait for the script to end by itself; its exit code."""
        return self.process.wait(seconds * patience)

    @property
    def place(self) -> RunPlace:
        return until(lambda: next(iter(runs_in([self.runs])), None), "a recording")

    def records(self) -> list[Record]:
        """Everything in the recording so far."""
        if self.place.log.exists():
            follower = Follower(self.place.log, self._decoder)
            follower.at_end = False
            while not follower.at_end:
                self._records += records_of(follower.poll(), 0.0)
        return self._records

    def wait_for(self, what: Callable[[Body], bool], seconds: float = 20.0, words: str = "a record") -> Record:
        """The first record whose body is such; fails with the recording's tail when none comes."""
        looked = 0

        def look() -> Record | None:
            nonlocal looked
            new, looked = self.records()[looked:], len(self._records)
            return next((record for record in new if what(record.body)), None)

        return until(look, words, seconds, self.tail)

    def wait_lifecycle(self, *states: str, seconds: float = 20.0) -> LifecycleChanged:
        told = f"a run that is {' or '.join(states)}"
        body = self.wait_for(lambda body: isinstance(body, LifecycleChanged) and body.state in states, seconds, told).body
        assert isinstance(body, LifecycleChanged)
        return body

    def bodies(self, kind: type) -> list[Body]:
        return [record.body for record in self.records() if isinstance(record.body, kind)]

    def points(self, name: str) -> list[tuple[int, float]]:
        """Every (step, value) of a metric, in the order of the log."""
        looked, found = self._points.get(name, (0, []))
        for record in self.records()[looked:]:
            if isinstance(record.body, Metrics) and name in record.body.names:
                row = record.body.values[record.body.names.index(name)]
                found += zip(record.body.steps.tolist(), row.tolist(), strict=True)
        self._points[name] = len(self._records), found
        return list(found)

    def wait_points(self, name: str, count: int, seconds: float = 20.0) -> None:
        until(lambda: True if len(self.points(name)) > count else None, f"{count} points of {name}", seconds, self.tail)

    def wait_stderr(self, text: str, seconds: float = 20.0) -> None:
        until(lambda: True if text in self.err.read_text() else None, f"{text!r} on stderr", seconds, self.tail)

    def hub_pids(self) -> list[int]:
        text = (self.place.directory / HUB_LOG_NAME).read_text()
        return [int(pid) for pid in re.findall(r"hub (\d+) serves", text)]

    def hub_pid(self, started: int = 1) -> int:
        """The process of the newest hub, once `started` have been started."""
        return until(lambda: self.hub_pids()[-1] if len(self.hub_pids()) >= started else None, "a hub")

    def wait_hub_gone(self, seconds: float = 10.0) -> None:
        pid = self.hub_pid()
        until(lambda: True if not Path(f"/proc/{pid}").exists() else None, "the hub to leave", seconds)

    def ask(self, verb: Verb, arguments: dict[str, Scalar] | None = None, seconds: float = 20.0) -> list[CommandChanged]:
        """Send a command as the viewer does, again where it found no hub yet; its whole life, as the log tells it."""
        source, told = LiveSource(self.place), list[Update]()
        control = source.control
        assert control is not None
        names = [control.send(verb, arguments or {})]

        def over() -> bool | None:
            if any(isinstance(body, CommandChanged) and body.id in names and is_over(body.state) for body in self.bodies(CommandChanged)):
                return True
            own = [record.body for update in list(told) for record in update.records if isinstance(record.body, CommandChanged)]
            if any(body.id == names[-1] and body.detail == UNREACHABLE for body in own):
                names.append(control.send(verb, arguments or {}))
            return None

        try:
            source.start(told.append)
            until(over, f"the end of {verb}", seconds, self.tail)
        finally:
            source.close()
        return [body for body in self.bodies(CommandChanged) if isinstance(body, CommandChanged) and body.id in names]

    def tail(self) -> str:
        shown = [str(record.body)[:200] for record in self._records if not isinstance(record.body, Metrics)][-12:]
        return "\n".join([*shown, "stderr:", self.err.read_text()[-1500:]])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # it died with something unread
                    stream.close()
        self._err.close()
        self.process.wait()
        if Path(f"/proc/{self.pid}").exists() and self.pid != self.process.pid:
            os.kill(self.pid, signal.SIGKILL)
        for place in runs_in([self.runs]):
            log = place.directory / HUB_LOG_NAME
            for pid in re.findall(r"hub (\d+) serves", log.read_text() if log.exists() else ""):
                if _is_hub(int(pid), place.id):
                    os.kill(int(pid), signal.SIGKILL)


def _is_hub(pid: int, run: str) -> bool:
    try:
        return run in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def until(look: Callable[[], Found | None], what: str, seconds: float = 20.0, why: Callable[[], str] = str) -> Found:
    """The first thing `look` finds; fails, saying `what` was waited for, after `seconds`."""
    deadline = time.monotonic() + seconds * patience
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds * patience:g} s for {what}\n{why()}")
