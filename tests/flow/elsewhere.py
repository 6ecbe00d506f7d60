"""A viewer of a run on another machine, and what it has been given: shared by the tests of links and tunnels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from real_sshd import HOST, Sshd
from watching import Watched

from bedside_protocol.codec import encode_record
from bedside_protocol.records import CommandChanged
from bedside_protocol.runlog import read_records
from bedside_tui.remote.place import Reach, RemotePlace
from bedside_tui.sources.remote import RemoteSource
from bedside_tui.sources.source import SourceState

Wait = Callable[..., Any]
COUNTING = """
import bedside, sys, time
run = bedside.init(name="counting")
run.on_checkpoint(lambda path: open(path, "w").write("weights"))
for number in run.steps(range({steps})):
    run.log({{"number": float(number)}})
    time.sleep({pace})
run.finish()
"""
SEEN = ("PYTHONPATH", "BEDSIDE_DIR", "BEDSIDE_RUNTIME_DIR", "OMP_NUM_THREADS")
"""What a session on the other machine knows of an environment."""


def machine(home: Path, environment: dict[str, str], extra: str = "") -> Sshd:
    """Another machine, which happens to be this one and to have the runs of this environment. `extra`: lines of its configuration."""
    home.mkdir()
    return Sshd(home, {name: environment[name] for name in SEEN}, extra)


def seen_from_elsewhere(there: Sshd, run: str, **how: bool) -> RemoteSource:
    """A run of that machine."""
    return RemoteSource(RemotePlace(HOST, run), Reach(there.ssh, there.bedside), **how)


class Viewer(Watched):
    """What a source of another machine delivered, and the way to it."""

    @property
    def state(self) -> SourceState:
        return self.updates[-1].status.state if self.updates else "connecting"

    @property
    def said(self) -> str:
        """The last sentence on the way to the run."""
        return next((update.status.detail for update in reversed(list(self.updates)) if update.status.detail), "")

    @property
    def ssh(self) -> int:
        """The process of the ssh in use."""
        assert isinstance(self.source, RemoteSource)
        assert self.source.link is not None
        return self.source.link.pid

    @property
    def is_whole(self) -> bool:
        """Whether the values are 0, 1, 2, … without a hole or a double."""
        numbers = self.numbers  # once: more may come
        return numbers == [float(number) for number in range(len(numbers))]

    def has_come_to(self, count: int) -> bool:
        """Whether all that was there is here, so many values at least."""
        return bool(self.updates) and self.updates[-1].status.complete and len(self.numbers) >= count

    def has_read(self, log: Path) -> bool:
        """Whether the records are those of this file, byte for byte."""
        with open(log, "rb") as file:
            return [encode_record(record) for record in self.records] == [encode_record(record) for record in read_records(file)]

    def ask(self, verb: Any, **arguments: Any) -> str:
        """Send a command; its id."""
        assert self.source.control is not None
        return self.source.control.send(verb, arguments)

    def life(self, id: str) -> list[str]:
        """The states a command has gone through."""
        return [each.body.state for each in self.records if isinstance(each.body, CommandChanged) and each.body.id == id]

    def more(self, wait: Wait, count: int = 50) -> None:
        """Wait for so many more values, which come from a hub that answers."""
        reached = len(self.numbers)
        wait(lambda: (self.state == "connected" and len(self.numbers) > reached + count) or None, "more values", 60, lambda: self.said)


def ssh_below(pid: int) -> list[psutil.Process]:
    """The ssh that a process has started."""
    return [child for child in psutil.Process(pid).children() if child.name() == "ssh"]
