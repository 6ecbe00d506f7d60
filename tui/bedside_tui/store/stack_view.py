"""Where one process of the training was at one moment, as screens are shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bedside_protocol.records import ThreadStack


@dataclass(frozen=True, slots=True)
class StackView:
    """What was taken of its threads, or the traceback it ended with."""

    time: float
    step: int
    why: str
    threads: Sequence[ThreadStack] = ()
    """The one that trains, or crashed, first."""
    trouble: str = ""
    """Why there are no Python calls in it."""
    traceback: Sequence[str] = ()
    """As Python prints it, the innermost call last."""
    command: str = ""
    """The command that asked for it."""
    rank: int = 0
