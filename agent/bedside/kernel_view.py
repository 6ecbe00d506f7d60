"""What the operating system says of the threads of a process: asked from outside, it needs nothing to run within.

Linux alone tells (`/proc/PID/task`); elsewhere, and of a process of somebody else's, nothing is known. Nothing is read that waits for the
process's memory map, which a process that hangs in the kernel may hold.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

MOST: Final = 48
"""Threads looked at."""

_STATES: Final = {
    "R": "runs",
    "S": "sleeps",
    "D": "waits for a disk, a network file system or a device, and cannot be interrupted",
    "T": "is stopped",
    "t": "is held by a debugger",
    "Z": "has ended",
}
_WAITS: Final = (
    ("futex", "waits for a lock"),
    ("nanosleep", "sleeps"),
    ("epoll", "waits for a file or a socket"),
    ("poll", "waits for a file or a socket"),
    ("select", "waits for a file or a socket"),
    ("pipe", "waits at a pipe"),
    ("unix_stream", "waits at a socket"),
    ("skb", "waits at a socket"),
    ("do_wait", "waits for another process to end"),
)
"""Parts of the names of kernel functions, and what a thread does that sleeps in one."""


class KernelThread(NamedTuple):
    """One thread as the kernel sees it."""

    id: int
    name: str
    doing: str


def thread_of(pid: int | str, tid: int) -> KernelThread | None:
    """One thread of a process (`"self"`: of this one), None where it cannot be seen."""
    place = Path(f"/proc/{pid}/task/{tid}")
    try:
        name, _, fields = (place / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
    except OSError:
        return None
    try:
        function = (place / "wchan").read_text().strip()
    except OSError:  # not ours to see
        function = ""
    return KernelThread(tid, name, _said(fields.split()[0] if fields.split() else "", function))


def threads_of(pid: int) -> list[KernelThread]:
    """The threads of a process, its first one first; none where they cannot be seen."""
    try:
        numbers = sorted(map(int, os.listdir(f"/proc/{pid}/task")), key=lambda tid: (tid != pid, tid))
    except OSError:
        return []
    return [seen for tid in numbers[:MOST] if (seen := thread_of(pid, tid)) is not None]


def _said(state: str, function: str) -> str:
    if state != "S" or function in ("", "0"):
        return _STATES.get(state, "")
    return f"{next((what for part, what in _WAITS if part in function), 'sleeps')} ({function})"
