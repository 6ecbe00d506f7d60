"""Whether a run goes on, as far as its log, its files and this machine can tell a reader who asked no hub.

The log has the last word wherever it tells an ending. Where it does not: the writer's lock is held for as long as a hub lives, and the
training is a process with a number and a start time. Of another host's run only its silence can be known, and of one of another boot:
where a machine was started anew, or another one goes by its name, numbers of processes mean nothing. No socket is opened here.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import LOCK_NAME
from bedside_protocol.records import Ended, Lifecycle, LifecycleChanged, Outcome, Record, RunStarted

HUB_RETURNS_WITHIN: Final = 10.0
"""Seconds a living training may be without a hub before a reader mentions it: it starts a new one within two or three."""
SILENT_AFTER: Final = 60.0
"""Seconds after which a log that does not grow counts as left, where nothing else is known: its hub writes a tick each second."""
ANOTHER_BOOT: Final = "no ending was recorded, and the machine has been started anew since"
LOST: Final = "no ending was recorded: whoever should have told it was killed with the training"

_OUTCOMES: Final[dict[Outcome, Lifecycle]] = {"finished": "finished", "stopped": "stopped", "failed": "failed", "exited": "finished"}


class LastWord:
    """Who a log speaks of, and the last it says of how that is."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.lifecycle: Lifecycle = "starting"
        self.reason = ""

    def __repr__(self) -> str:
        return f"<LastWord {self.lifecycle}>"

    def take(self, records: Iterable[Record]) -> None:
        """Records in the order of the log."""
        for record in records:
            match record.body:
                case _ if record.rank > 0:
                    pass  # rank 0 and the hub speak for the run
                case RunStarted() as run:
                    self.run, self.lifecycle, self.reason = run, "starting", ""
                case LifecycleChanged(state=state, reason=reason):
                    self.lifecycle, self.reason = state, reason
                case Ended(outcome=outcome) as ended if self.lifecycle not in OVER:
                    self.lifecycle, self.reason = _OUTCOMES[outcome], ": ".join(filter(None, (ended.exception, ended.message)))
                case _:
                    pass

    def now(self, directory: Path, silence: float) -> tuple[Lifecycle, str]:
        """The state of the run and its reason; `silence` is how many seconds ago the log last grew."""
        if self.lifecycle in OVER:
            return self.lifecycle, self.reason
        if self.run is not None and self.run.host and self.run.host != socket.gethostname():
            if silence < SILENT_AFTER:
                return self.lifecycle, self.reason
            return "lost", f"no ending was recorded, and {self.run.host[:80]} has written nothing for a while"
        if writer_lives(directory):
            return self.lifecycle, self.reason
        if self.run is not None and self.run.boot_id and self.run.boot_id != boot_id():
            if silence < SILENT_AFTER:  # by the wall clock: neither processes nor monotonic times of another boot can be compared
                return self.lifecycle, self.reason
            return "lost", ANOTHER_BOOT
        if self.run is not None and training_lives(self.run):
            if silence < HUB_RETURNS_WITHIN:
                return self.lifecycle, self.reason
            return "unreachable", "the training goes on without a hub: nothing is recorded"
        return "lost", LOST


def writer_lives(directory: Path) -> bool:
    """Whether some process holds the run's writer lock. Only a process on this machine can be told so."""
    try:
        handle = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def boot_id() -> str:
    """Names this boot of this machine, empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def training_lives(run: RunStarted) -> bool:
    """Whether the very process that began this run is there still; False where this system cannot tell."""
    try:
        fields = Path(f"/proc/{run.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        state, start = fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return False
    return run.pid > 0 and (boot_id(), start) == (run.boot_id, run.pid_start) and state not in "ZX"
