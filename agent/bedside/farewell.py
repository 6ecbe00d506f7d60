"""How a run gets its ending when the script says none: hooks on exceptions, interpreter exit and fork, all chained, no signal handlers."""

from __future__ import annotations

import atexit
import os
import sys
from types import TracebackType

from .run import Run

_runs: list[Run] = []
_last_exception: BaseException | None = None
_installed = False


def see_off(run: Run) -> None:
    """Say goodbye for `run` when the interpreter leaves, with the exception that ended the script, if one did."""
    global _installed
    _runs.append(run)
    if _installed:
        return
    _installed = True
    previous = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        global _last_exception
        _last_exception = error
        previous(kind, error, trace)

    sys.excepthook = excepthook
    atexit.register(_leave)
    os.register_at_fork(after_in_child=_become_worker)


def _leave() -> None:
    for run in _runs:
        run.finish(_last_exception, exited=True)


def _become_worker() -> None:
    for run in _runs:
        run.become_worker()
    _runs.clear()
