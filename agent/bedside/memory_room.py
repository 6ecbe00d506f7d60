"""How much memory this process may still take: of the machine, of its container, of a CUDA device.

Reads, and judges nothing. Torch is never imported here.
"""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
_STATUS = Path("/proc/self/status")


def host_room(cgroup: Path = _CGROUP) -> float:
    """Bytes: what the machine has available, or what the container's limit (cgroup v2) leaves, whichever is less."""
    machine = float(psutil.virtual_memory().available)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        return machine if limit == "max" else min(machine, max(0.0, float(limit) - float((cgroup / "memory.current").read_text())))
    except (OSError, ValueError):  # no such container, or one of the older kind
        return machine


def file_backed(status: Path = _STATUS) -> float:
    """Bytes of this process that are pages of files, as of a mapped data set: they take no room, because the system takes them back.

    0 where the system does not tell.
    """
    try:
        line = next(line for line in status.read_text().splitlines() if line.startswith("RssFile:"))
        return 1024.0 * float(line.split()[1])
    except (OSError, ValueError, IndexError, StopIteration):
        return 0.0
