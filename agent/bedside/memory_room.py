"""How much memory this process may still take: of the machine, of its container, of a CUDA device.

Reads, and judges nothing. Torch is never imported here.
"""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def host_room(cgroup: Path = _CGROUP) -> float:
    """Bytes: what the machine has available, or what the container's limit (cgroup v2) leaves, whichever is less."""
    machine = float(psutil.virtual_memory().available)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        return machine if limit == "max" else min(machine, max(0.0, float(limit) - float((cgroup / "memory.current").read_text())))
    except (OSError, ValueError):  # no such container, or one of the older kind
        return machine
