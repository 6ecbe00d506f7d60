"""Reading many recordings at the command line: how far it is, when it takes long, and in one line what could not be read."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from bedside_protocol.sanitise import text as safe
from bedside_tui.library import Library
from bedside_tui.run_summary import RunSummary

SILENT: Final = 1.0
"""Seconds of reading before which nothing is said."""
_EVERY: Final = 0.25
_NAMED: Final = 3


class Progress:
    """Says on stderr how far the reading is: on one line that is wiped away at the end, or once where nobody watches a terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SILENT
        self._watched = sys.stderr is not None and sys.stderr.isatty()
        self._said = False

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now < self._next or (self._said and not self._watched):
            return
        self._next, self._said = now + _EVERY, True
        line = f"bedside: reading {of:,} recordings that are new, {done:,} done: the next time they are known"
        print(f"\r{line}" if self._watched else line, end="" if self._watched else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._said and self._watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def read_runs(library: Library) -> list[RunSummary]:
    """Every run of the library, with progress."""
    progress = Progress()
    try:
        return library.summaries(progress)
    finally:
        progress.close()


def say_left_out(summaries: Sequence[RunSummary], unreadable: Sequence[str]) -> None:
    """One line on stderr about what was not read, where there is such."""
    damaged = [summary.id for summary in summaries if summary.damaged]
    parts = [f"{len(summaries):,} recording{'s' * (len(summaries) != 1)} read"]
    if unreadable:
        parts.append(f"{len(unreadable):,} not: {_some(unreadable, '; ')}")
    if damaged:
        parts.append(f"{len(damaged):,} damaged, of which what is whole is told: {_some(damaged, ', ')}")
    if len(parts) > 1:
        print(f"bedside: {safe('; '.join(parts), 1000)}", file=sys.stderr)


def _some(texts: Sequence[str], between: str) -> str:
    more = f"{between}and {len(texts) - _NAMED:,} more" if len(texts) > _NAMED else ""
    return between.join(texts[:_NAMED]) + more
