"""The list of runs for the runs screen: the library's summaries as rows, and how one is opened."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import Scalar
from bedside_tui.lab_book import NotWritten, write
from bedside_tui.library import Library
from bedside_tui.places import RunPlace
from bedside_tui.run_row import RunRow, row_of
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.source import Source


class Picker:
    """What the runs screen asks for."""

    def __init__(self, library: Library, *, read_only: bool) -> None:
        self._library = library
        self._read_only = read_only
        self.reading = ""

    def rows(self) -> Sequence[RunRow]:
        """All runs, newest first."""
        now = time.time()
        rows = [row_of(summary, now) for summary in self._library.summaries(self._look)]
        self.reading = ""
        return rows

    def _look(self, done: int, of: int) -> None:
        self.reading = f"{done:,} of {of:,} recordings are read"

    def open(self, row: RunRow) -> Source:
        """Live runs live, the others as recordings."""
        return open_run(_place(row), over=row.lifecycle in OVER, read_only=self._read_only)

    def write(self, row: RunRow, arguments: Mapping[str, Scalar]) -> str:
        """Into the lab book of a run."""
        if self._read_only and row.lifecycle not in OVER:
            raise NotWritten(f"{row.title} is {row.lifecycle}, and this list only looks at living runs")
        return write(_place(row), arguments)


def _place(row: RunRow) -> RunPlace:
    return RunPlace(row.id, Path(row.dir) / LOG_NAME)


def open_run(place: RunPlace, *, over: bool, read_only: bool) -> Source:
    """The source that fits a run's state."""
    return ReplaySource(place.log) if over else LiveSource(place, read_only=read_only)
