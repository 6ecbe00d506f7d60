"""Watching one process that is not our child: whether it lives, is stopped, or has ended, and how.

Three ways, best first: a pidfd with exit information (Linux 6.15), a pidfd (5.3), the pid with its start time. A zombie still shows its
exit status in `/proc/PID/stat` on any kernel; once it is reaped only the first way knows it. Each can be forced, because a new kernel
hides the others.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

State = Literal["alive", "stopped", "exited"]
Way = Literal["info", "pidfd", "stat"]

STATUS_WAIT: Final = 0.5
"""Seconds the kernel may take to tell an exit status after the process ended: its parent must collect it first."""
_INFO: Final = struct.Struct("<QQ11Ii")  # mask, cgroup, pid, tgid, ppid, eight ids, exit code: 64 bytes, the ioctl's first version
_GET_INFO: Final = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11  # _IOWR(0xFF, 11, struct pidfd_info)
_WITH_EXIT: Final = 1 << 3


class WatchedProcess:
    """A handle on one process, opened once: its pid may be used again, this never means another."""

    def __init__(self, pid: int, start: int, way: Way = "info") -> None:
        self.pid = pid
        self._start = start
        self._way = way
        self._ended = False
        self._code: int | None = None
        self._last_letter = "R"
        self.fd = self._opened() if way != "stat" else -1
        if self._start_now() not in (start, 0) and start:
            self._ended = True
            self.close()  # whatever has this pid now, its ending is not ours to tell

    def __repr__(self) -> str:
        return f"<WatchedProcess {self.pid} by {'pidfd' if self.fd >= 0 else 'pid and start time'}: {self.state()}>"

    def state(self) -> State:
        """What the process is doing now."""
        if self._ended:
            return "exited"
        letter = self._letter()
        if letter in ("", "Z", "X") or (self.fd >= 0 and _readable(self.fd)):
            self._code = self._exit_status()
            self._ended = letter == "" or self._code is not None
            return "exited"
        return "stopped" if letter in ("T", "t") else "alive"

    def exit_code(self) -> int | None:
        """Exit status as in `subprocess` (negative: the signal), None where the system does not tell (yet)."""
        if self._code is None:
            self._code = self._exit_status()
        return self._code

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _opened(self) -> int:
        try:
            return os.pidfd_open(self.pid)
        except (OSError, AttributeError):  # gone already, forbidden, or an older kernel
            return -1

    def _letter(self) -> str:
        """The system's letter for its state, empty where there is no such process any more; the last known where that cannot be asked."""
        try:
            fields = self._stat()
        except OSError:  # no descriptor left, no memory: that says nothing of the process
            return self._last_letter
        self._last_letter = fields[0] if fields and (not self._start or int(fields[19]) == self._start) else ""
        return self._last_letter

    def _start_now(self) -> int:
        try:
            fields = self._stat()
        except OSError:
            return 0
        return int(fields[19]) if fields else 0

    def _stat(self) -> list[str]:
        """The fields of `/proc/PID/stat` from its third on; none of a process that is gone."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return []

    def _exit_status(self) -> int | None:
        try:
            fields = self._stat()
        except OSError:
            fields = []
        if fields and fields[0] in ("Z", "X") and (not self._start or int(fields[19]) == self._start):
            status = int(fields[49])
        elif self._way == "info" and self.fd >= 0:
            known = _exit_information(self.fd)
            if known is None:
                return None
            status = known
        else:
            return None
        return os.waitstatus_to_exitcode(status)


def _readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _exit_information(fd: int) -> int | None:
    request = bytearray(_INFO.pack(_WITH_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(fd, _GET_INFO, request)
    except OSError:
        return None
    fields = _INFO.unpack(request)
    return int(fields[-1]) if fields[0] & _WITH_EXIT else None


def forced_way(environment: Mapping[str, str]) -> Way:
    """How to watch the process: the best this kernel has, unless `BEDSIDE_PROCESS_WATCH` names a lesser way."""
    asked = environment.get("BEDSIDE_PROCESS_WATCH", "")
    return "stat" if asked == "stat" else "pidfd" if asked == "pidfd" else "info"
