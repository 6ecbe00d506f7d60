"""Whether the kernel's memory killer struck in a process's control group."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")


class MemoryKiller:
    """Counts kills in the group of `pid` since this was made; 0 where the system has no such count."""

    def __init__(self, pid: int) -> None:
        self._events = _events_files(pid)
        self._before = self._count()

    def struck(self) -> bool:
        return self._count() > self._before

    def _count(self) -> int:
        return sum(map(_kills_in, self._events))


def _kills_in(events: Path) -> int:
    try:
        return sum(int(line.split()[1]) for line in events.read_text().splitlines() if line.startswith("oom_kill "))
    except (OSError, ValueError, IndexError):
        return 0


def _events_files(pid: int) -> list[Path]:
    """Where the kernel counts: control groups of the newer kind, and of the older, which many clusters still have."""
    try:
        groups = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    except OSError:
        return []
    newer = [_GROUPS / group[2].lstrip("/") / "memory.events" for group in groups if group[:2] == ["0", ""]]
    older = [_GROUPS / "memory" / group[2].lstrip("/") / "memory.oom_control" for group in groups if "memory" in group[1].split(",")]
    return newer + older
