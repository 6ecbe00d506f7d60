"""One rank as its hub sees it: its process, when it was last heard, how far it is, how it ended."""

from __future__ import annotations

from bedside_protocol.lifecycle import OVER, SILENT_AFTER, Signals, verdict
from bedside_protocol.records import Ended, Lifecycle

from .process import STATUS_WAIT, WatchedProcess, Way


class Member:
    """One rank. Times are seconds on the hub's monotonic clock."""

    def __init__(self, rank: int, pid: int, pid_start: int, way: Way, now: float) -> None:
        self.rank = rank
        self.step = 0
        self.heard = now
        self.goodbye: Ended | None = None
        self.state: Lifecycle = "running"
        self.reason = ""
        self._key = (pid, pid_start)
        self._process = WatchedProcess(pid, pid_start, way)
        self._exited_at = float("inf")

    def __repr__(self) -> str:
        return f"<Member {self.rank}: {self.words(self.heard)} at step {self.step}>"

    def is_process(self, pid: int, pid_start: int) -> bool:
        """Whether this is that process."""
        return self._key == (pid, pid_start)

    @property
    def pid(self) -> int:
        return self._key[0]

    @property
    def is_over(self) -> bool:
        """Whether its process has ended, or it has said goodbye."""
        return self.state in OVER

    @property
    def ended_badly(self) -> bool:
        """Whether it ended otherwise than by coming to its end, or being asked to."""
        return self.is_over and self.state not in ("finished", "stopped")

    def look(self, now: float) -> bool:
        """See how its process is; whether it is over now and was not before."""
        if self.is_over:
            return False
        process = self._process.state()
        exited = process == "exited"
        if exited:
            self._exited_at = min(self._exited_at, now)
        code = self._process.exit_code() if exited else None
        state, reason = verdict(Signals(process, code, goodbye=self.goodbye, stepped=True))
        if state == "died" and now - self._exited_at < STATUS_WAIT:
            return False
        self.state, self.reason = state, reason
        if state not in OVER:
            return False
        self._process.close()
        return True

    def words(self, now: float) -> str:
        """How it is: `running`, `silent`, `killed (9: SIGKILL)`."""
        if self.state == "running" and now - self.heard > SILENT_AFTER:
            return "silent"
        return f"{self.state} ({self.reason})" if self.is_over and self.reason else self.state

    def close(self) -> None:
        self._process.close()
