"""How a process that only measures keeps from leaving anything behind: it saves nothing, and ends before the script's own ending."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from typing import Any, Final, NoReturn

from .notice import say

REFUSED: Final = 4
"""Exit status of a script whose checkpoint was not measured."""
_said = False


def save_nothing() -> None:
    """From now on `torch.save` does nothing in this process, and says so once."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.save = _not_saved


def _not_saved(*given: object, **named: object) -> None:
    global _said
    if not _said:
        _said = True
        say("torch.save does nothing while a checkpoint is measured")


def leave(status: int) -> NoReturn:
    """End this process now, and the workers it started; nothing of the script runs any more."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or gone
            stream.flush()
    os._exit(status)
