"""Whether the training lives, and how it ended: its process from outside, what it said itself, and the verdict of both.

Decides and returns; the hub records it.
"""

from __future__ import annotations

import os

from bedside.spawn import HubPlan
from bedside_protocol.lifecycle import Signals, verdict
from bedside_protocol.records import LifecycleChanged

from .memory import MemoryKiller
from .process import STATUS_WAIT, WatchedProcess, forced_way
from .ranks import Ranks
from .stacks import Stacks
from .status import RunStatus


class Life:
    """The life of one run, rank 0's process speaking for it. Times are seconds on the hub's monotonic clock."""

    def __init__(self, plan: HubPlan, status: RunStatus, ranks: Ranks, stacks: Stacks) -> None:
        self.process = WatchedProcess(plan.pid, plan.pid_start, forced_way(os.environ))
        self.state = self.process.state()
        """What the process did when last looked at."""
        self._memory = MemoryKiller(plan.pid)
        self._status = status
        self._ranks = ranks
        self._stacks = stacks
        self._exited_at = float("inf")

    def __repr__(self) -> str:
        return f"<Life of {self.process!r}>"

    def look(self, now: float, silent_for: float, step: int) -> LifecycleChanged | None:
        """See how the run is: what has changed, once that is settled. `silent_for`: seconds since rank 0 was heard."""
        self.state = self.process.state()
        if self.state == "exited":
            self._exited_at = min(self._exited_at, now)
        state, reason = verdict(self._signals(silent_for))
        settled = state != "died" or now - self._exited_at > STATUS_WAIT
        if not settled or (state, reason) == (self._status.lifecycle, self._status.reason):
            return None
        return LifecycleChanged(state, reason, step)

    def exit_code(self) -> int | None:
        """How the process ended, as the system tells it or else a native fault left it; None where neither does, or it lives."""
        if self.state != "exited":
            return None
        code = self.process.exit_code()
        return self._stacks.exit_code() if code is None else code

    def _signals(self, silent_for: float) -> Signals:
        return Signals(
            process=self.state,
            exit_code=self.exit_code(),
            out_of_memory=self.state == "exited" and self._memory.struck(),
            goodbye=self._status.goodbye,
            stepped=self._status.step > 0,
            paused=self._status.paused,
            stalled=self._status.stalled or ("no step since then" if self._ranks.stand_still else ""),
            silent_for=silent_for,
            lost_rank=self._ranks.lost(but=0),
        )
