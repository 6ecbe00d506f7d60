"""When a person last left a run, in the run's own time: what "since you left" counts from. One small file beside the recording."""

from __future__ import annotations

import contextlib
from pathlib import Path

NAME = "left"


def last_left(directory: Path) -> float | None:
    """Seconds into the run, None where nobody has left it yet."""
    try:
        return float((directory / NAME).read_text()[:40])
    except (OSError, ValueError):
        return None


def note_left(directory: Path, time: float) -> None:
    """Remember it. A directory one cannot write in is left as it is."""
    with contextlib.suppress(OSError):
        (directory / NAME).write_text(f"{time:.6f}\n")
