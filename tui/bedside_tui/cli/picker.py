"""The list of runs for the runs screen: the library's summaries as rows, and how one is opened."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bedside_protocol.lifecycle import OVER
from bedside_protocol.places import LOG_NAME
from bedside_tui.cli.text import loss_of
from bedside_tui.draw import number
from bedside_tui.library import Library, RunSummary
from bedside_tui.places import RunPlace
from bedside_tui.screens.runs import RunRow
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.source import Source


class Picker:
    """What the runs screen asks for."""

    def __init__(self, library: Library, *, read_only: bool) -> None:
        self._library = library
        self._read_only = read_only

    def rows(self) -> Sequence[RunRow]:
        """All runs, newest first."""
        now = time.time()
        return [_row(summary, now) for summary in self._library.summaries()]

    def open(self, row: RunRow) -> Source:
        """Live runs live, the others as recordings."""
        place = RunPlace(row.id, Path(row.dir) / LOG_NAME)
        return open_run(place, over=row.lifecycle in OVER, read_only=self._read_only)


def open_run(place: RunPlace, *, over: bool, read_only: bool) -> Source:
    """The source that fits a run's state."""
    return ReplaySource(place.log) if over else LiveSource(place, read_only=read_only)


def _row(summary: RunSummary, now: float) -> RunRow:
    return RunRow(
        id=summary.id,
        name=summary.name,
        project=summary.project,
        lifecycle=summary.lifecycle,
        reason=summary.reason,
        step=summary.step,
        loss=loss_of(summary),
        verdict="none" if summary.verdict == "unknown" else summary.verdict,
        result="",
        when="now" if summary.lifecycle not in OVER else number.duration(max(0.0, now - summary.heard)),
        dir=summary.dir,
    )
