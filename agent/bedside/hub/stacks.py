"""What the hub does about stacks: asks for one when a run is first seen to stall, answers for a training that cannot, reads what a native
fault left.

Decides and returns; the hub sends and records. It looks at the process from outside and never touches it: no signal, no debugger.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bedside.kernel_view import KernelThread, threads_of
from bedside.source_lines import lines_of
from bedside_protocol.commands import NO_PYTHON, SUSPENDED
from bedside_protocol.lifecycle import SILENT_AFTER
from bedside_protocol.messages import Ask, Order
from bedside_protocol.places import FAULT_FILES, fault_name
from bedside_protocol.records import Body, CommandChanged, LifecycleChanged, StackTaken, ThreadStack
from bedside_protocol.stacks import MOST_CALLS, MOST_FAULT, asked_for, bounded, frame, read_fault

from .member import Member
from .process import State

_CODES: Final = {
    "Segmentation fault": -signal.SIGSEGV,
    "Floating-point exception": -signal.SIGFPE,
    "Aborted": -signal.SIGABRT,
    "Bus error": -signal.SIGBUS,
    "Illegal instruction": -signal.SIGILL,
}
"""The exit status that follows a fault, by what `faulthandler` calls it."""
NEXT_AFTER: Final = 600.0
"""Seconds between two stacks taken by itself at least: a run that stalls every minute shall not fill its recording."""
DOUBTFUL_AFTER: Final = 1.2
"""Seconds without a word of the agent (it beats every 0.5 s) from which an order for a stack is kept back: handed to one that hangs, it
would be answered when that is over."""
WHO: Final = "the hub"
_REMEMBERED: Final = 100
"""Ids of orders kept, so that one sent again is answered once for the ranks that cannot."""


class Stacks:
    """The stacks of one run, as its hub sees to them."""

    def __init__(self, run: str, directory: Path, pid: int) -> None:
        self._run = run
        self._pid = pid
        self._directory = directory
        self._base = _directory_of(pid)
        self._asked = float("-inf")
        self._told: deque[str] = deque(maxlen=_REMEMBERED)

    def __repr__(self) -> str:
        return f"<Stacks of process {self._pid}>"

    def wanted(self, change: LifecycleChanged, now: float) -> list[Ask]:
        """The command that asks for a stack where a run has begun to stall; it is the same for the same stall."""
        if change.state != "stalled" or now - self._asked < NEXT_AFTER:
            return []
        self._asked = now
        return [Ask(self._run, f"stall-{change.step}", "stack", WHO, {"why": f"stalled: {change.reason}"})]

    def answers(self, orders: Iterable[Order], process: State, silent: float, step: int) -> list[Body]:
        """What is said of orders for a stack that the training cannot answer, because nothing in it runs: how its threads look from
        outside. None while it may answer. `silent`: seconds since its agent was heard."""
        if process != "stopped" and silent <= SILENT_AFTER:
            return []
        trouble = SUSPENDED if process == "stopped" else NO_PYTHON.format(pid=self._pid)
        return [
            body
            for order in orders
            for body in (
                StackTaken(asked_for(order), step, _threads(self._pid), trouble, order.id),
                CommandChanged(order.id, "stack", "failed", order.who, trouble, step, dict(order.arguments)),
            )
        ]

    def of_unable(self, order: Order, members: Iterable[Member]) -> list[Body]:
        """What is said, once, of an order for a stack in the place of ranks other than 0 that cannot answer it."""
        if order.verb != "stack" or order.id in self._told:
            return []
        self._told.append(order.id)
        return [StackTaken(asked_for(order), each.step, _threads(each.pid), _trouble(each), order.id, each.rank) for each in members]

    def exit_code(self) -> int | None:
        """How the process ended, as a native fault left it: where the system does not tell. None where none did."""
        return _CODES.get(read_fault(self._left(self._pid)).title)

    def of_fault(self, exit_code: int | None, reason: str, step: int) -> list[Body]:
        """The stack that a native fault left as the process died, if it died of one."""
        return self._of_fault(self._pid, 0, reason, step) if exit_code in _CODES.values() else []

    def of_rank(self, member: Member) -> list[Body]:
        """The stack that a native fault of a rank other than the first left."""
        if not member.rank or not member.ended_badly:
            return []
        return self._of_fault(member.pid, member.rank, f"rank {member.rank}: {member.reason}", member.step)

    def _of_fault(self, pid: int, rank: int, why: str, step: int) -> list[Body]:
        fault = read_fault(self._left(pid))
        if not fault.threads:
            return []
        lines = lines_of(((call.file, call.line) for thread in fault.threads for call in thread.calls[:MOST_CALLS]), self._base)
        threads = bounded(
            ThreadStack(thread.name, tuple(frame(call, lines.get((call.file, call.line), ""), self._base) for call in thread.calls))
            for thread in fault.threads
        )
        return [StackTaken(why, step, threads, rank=rank)]

    def _left(self, pid: int) -> str:
        """What the fault file of a process holds; empty where there is none, or something else of its name."""
        try:
            path = self._directory / fault_name(pid)
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                return file.read(MOST_FAULT).decode("utf-8", "replace")
        except OSError:
            return ""

    def close(self) -> None:
        """Files in which no fault stands go away."""
        for path in self._directory.glob(FAULT_FILES):
            with contextlib.suppress(OSError):
                if not path.lstat().st_size:
                    path.unlink()


def _name(thread: KernelThread, pid: int) -> str:
    return "the first thread" if thread.id == pid else f"{thread.name} {thread.id}"


def _threads(pid: int) -> tuple[ThreadStack, ...]:
    """The threads of a process as they look from outside."""
    return tuple(ThreadStack(_name(seen, pid), kernel=seen.doing) for seen in threads_of(pid))


def _trouble(member: Member) -> str:
    return SUSPENDED if member.state == "suspended" else NO_PYTHON.format(pid=member.pid)


def _directory_of(pid: int) -> str:
    """The directory a process works in, empty where it is gone or not ours to see."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""
