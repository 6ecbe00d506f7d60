"""Where the stack of a native fault lands: a file beside the recording, written by `faulthandler` as the process dies.

Only where nobody else looks after such faults: a script that enabled `faulthandler` itself, or a library that catches one of the signals,
keeps what it has; one that enables it later takes over. The handler runs only as the process dies, then hands the signal on to whoever had
it before: the exit status stays, and nothing is printed. A forked worker writes nothing here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bedside_protocol.places import fault_name

_FAULTS: Final = (signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL)


class _Target:
    """An open file that `faulthandler` alone holds: once somebody else gives it another, this one is gone."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # bound here: at the interpreter's end modules are empty
        close(self._handle)

    def fileno(self) -> int:
        return self._handle

    def flush(self) -> None:
        """`faulthandler` asks for it; there is nothing to flush."""


class FaultFile:
    """The file of this process in the directory of a run; `close` it at the end of the run, `forget` it in a fork."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / fault_name(os.getpid())
        self._target: weakref.ref[_Target] | None = None
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # no room, no descriptor: then without
            if not faulthandler.is_enabled() and not _is_caught():
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
                target = _Target(os.open(self.path, flags, 0o600))
                faulthandler.enable(target)
                self._target = weakref.ref(target)

    def __repr__(self) -> str:
        return f"<FaultFile {self.path.name}, {'open' if self.is_open else 'not in use'}>"

    @property
    def is_open(self) -> bool:
        """Whether a fault would be written here."""
        return self._target is not None and self._target() is not None

    def close(self) -> None:
        """Faults are no longer this run's; a file in which none stands goes away."""
        opened = self._target is not None
        self.forget()
        with contextlib.suppress(OSError):
            if opened and not self.path.stat().st_size:
                self.path.unlink()

    def forget(self) -> None:
        """From now on a fault of this process is not written here."""
        if self.is_open:
            faulthandler.disable()
        self._target = None


def _is_caught() -> bool:
    """Whether something in this process handles one of these signals already; where the system does not tell, `faulthandler` hands on."""
    try:
        rows = Path("/proc/self/status").read_text().splitlines()
        caught = int(next(row for row in rows if row.startswith("SigCgt:")).split()[1], 16)
    except (OSError, StopIteration, ValueError):
        return False
    return any(caught >> (number - 1) & 1 for number in _FAULTS)
