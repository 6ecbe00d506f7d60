"""The text of lines of source, for a stack: read on a thread of its own and not waited for long.

A file system that hangs is one of the things a stack is asked for, and whoever asks must not hang with it.
"""

from __future__ import annotations

import linecache
import os
import threading
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, TypeAlias

OWN: Final = "bedside-"
"""What the names of our own threads begin with."""
_WITHIN: Final = 0.5
"""Seconds that lines are waited for."""

Place: TypeAlias = tuple[str, int]
"""A file and a line in it, from 1."""


def lines_of(places: Iterable[Place], base: str = "") -> Mapping[Place, str]:
    """The text of each place, as far as it could be read in time. `base`: where relative names begin."""
    wanted = set(places)
    found: dict[Place, str] = {}

    def read() -> None:
        for file, line in wanted:
            found[file, line] = _line(file, line, base)

    reader = threading.Thread(target=read, name=f"{OWN}sources", daemon=True)
    reader.start()
    reader.join(_WITHIN)
    return found.copy()


def _line(file: str, line: int, base: str) -> str:
    if file in linecache.cache:  # a cell of a notebook is nowhere else
        return linecache.getline(file, line)
    path = os.path.join(base, file)
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as lines:
            return next(islice(lines, max(0, line - 1), None), "")
    except (OSError, ValueError):  # gone, not ours to read, a name that is no path
        return ""
