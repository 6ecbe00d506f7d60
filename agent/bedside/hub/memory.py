"""Whether the kernel's memory killer struck in a process's control group."""

from __future__ import annotations

from pathlib import Path


class MemoryKiller:
    """Counts kills in the group of `pid` since this was made; 0 where the system has no such count."""

    def __init__(self, pid: int) -> None:
        self._events = _events_file(pid)
        self._before = self._count()

    def struck(self) -> bool:
        return self._count() > self._before

    def _count(self) -> int:
        try:
            lines = self._events.read_text().splitlines() if self._events else []
            return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        except (OSError, ValueError, IndexError):
            return 0


def _events_file(pid: int) -> Path | None:
    try:
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return Path("/sys/fs/cgroup") / line[3:].lstrip("/") / "memory.events"
    except OSError:
        pass
    return None
