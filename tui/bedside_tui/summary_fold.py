"""The state of a run after some records, as lists tell it, and the few records that would make the same state again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from bedside_protocol.lab_book import Book, BookNote
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import (
    AlertChanged,
    Ended,
    LifecycleChanged,
    MetricDefined,
    Metrics,
    Note,
    RanksSeen,
    Record,
    RunStarted,
    Snapshot,
    TagsChanged,
    Tick,
    VerdictGiven,
)
from bedside_protocol.sanitise import text as safe
from bedside_tui.best_values import BestValues
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace
from bedside_tui.run_summary import NoteSaid, RunSummary
from bedside_tui.store.clean import LONG, distinct

_TOLD: Final = (RunStarted, LifecycleChanged, Ended, MetricDefined, AlertChanged, Note, VerdictGiven, TagsChanged)
"""Bodies that a gist repeats as they are; of values it has the best and the last."""
_NOT_JUDGED: Final = -2
"""Nobody's rank: its values are the last, and never best."""


class SummaryFold:
    """What lists say of a run, one record after the other."""

    def __init__(self) -> None:
        self.records = 0
        self.started: RunStarted | None = None
        self.word = LastWord()
        self.step = 0
        self.metrics: dict[str, float] = {}
        self.ranks: RanksSeen | None = None
        self.best = BestValues()
        self.book = Book()
        self.changes: list[AlertChanged] = []
        self._told: list[Record] = []

    def __repr__(self) -> str:
        return f"<SummaryFold {self.records} records, {len(self.metrics)} metrics>"

    def take(self, record: Record) -> None:
        """The next record of the log."""
        self.records += 1
        if record.rank > 0:
            return  # rank 0 stands for the run
        if isinstance(record.body, _TOLD):
            self._told.append(record)
            self.word.take((record,))
            self.book = self.book.having(record)
        match record.body:
            case RanksSeen() as seen:
                self.ranks = seen
            case RunStarted() as started:
                self.started = self.started or started
            case MetricDefined() as said:
                self.best.define(said)
            case Metrics(names=names, values=values, steps=steps) as block if steps.size:
                if record.rank == 0:
                    self.best.take(block)
                self.metrics.update(zip(names, values[:, -1].tolist(), strict=True))
                self.step = max(self.step, int(steps.max()))
            case AlertChanged() as change:
                self.changes.append(change)
            case Tick(step=step) | Snapshot(step=step) | Ended(step=step):
                self.step = max(self.step, step)
            case _:
                pass

    def gist(self) -> list[Record]:
        """Records that make the same of an empty fold, which is then as many records further."""
        last = Metrics(tuple(self.metrics), np.zeros(1, np.int64), np.zeros(1), np.array([list(self.metrics.values())], float).T)
        best = [Metrics((one.metric,), np.array([one.step]), np.zeros(1), np.array([[one.value]])) for one in self.best.all]
        values = [Record(0.0, last, _NOT_JUDGED)] if self.metrics else []  # first for the order of the names, and again for what was last
        seen = [Record(0.0, self.ranks)] if self.ranks else []
        return [*self._told, *seen, *values, *(Record(0.0, block) for block in best), *values, Record(0.0, Tick(self.step))]

    def summary(self, place: RunPlace, heard: float, damaged: int) -> RunSummary:
        """The run as it is now, `heard` being when its recording last grew, in epoch seconds."""
        from bedside_protocol.alerts.judge import recorded_verdict  # only here: a list is read behind the first picture

        run = self.started or RunStarted(place.id, place.id, "", heard)
        lifecycle, reason = self.word.now(place.directory, max(0.0, time.time() - heard))
        episodes = {(change.rule, change.target, change.episode): change.severity for change in self.changes if change.state == "firing"}
        severities = list(episodes.values())
        names = _shown(self.metrics)
        return RunSummary(
            id=safe(place.id),
            name=safe(run.name),
            project=safe(run.project),
            lifecycle=lifecycle,
            reason=safe(reason),
            step=self.step,
            metrics={names[name]: value if math.isfinite(value) else None for name, value in self.metrics.items()},
            started=run.wall_start if math.isfinite(run.wall_start) else heard,
            dir=str(place.directory),
            verdict=recorded_verdict(self.changes),
            alerts={"amber": severities.count("amber"), "red": severities.count("red")},
            host=safe(run.host),
            heard=heard,
            firing=self._firing(),
            ranks=self._ranks(safe(run.host)),
            best=tuple(replace(best, metric=names[best.metric]) for best in self.best.told()),
            person_verdict=safe(self.book.verdict),
            person=safe(self.book.verdict_by),
            tags=tuple(safe(tag) for tag in self.book.tags),
            notes=tuple(_note(note, run.wall_start) for note in self.book.notes),
            note_count=self.book.written,
            damaged=damaged if lifecycle in OVER else 0,
        )

    def _ranks(self, host: str) -> list[dict[str, Any]]:
        if self.ranks is None:
            return [{"rank": 0, "step": self.step, "host": host, "state": "", "silent": 0.0}]
        seen = zip(self.ranks.ranks, self.ranks.steps, self.ranks.states, self.ranks.silent, strict=False)
        return [
            {"rank": rank, "step": step, "host": host, "state": safe(state), "silent": silent if math.isfinite(silent) else None}
            for rank, step, state, silent in seen
        ]

    def _firing(self) -> list[dict[str, Any]]:
        newest = {(change.rule, change.target): change for change in self.changes}
        return [
            {
                "rule": safe(change.rule),
                "severity": change.severity,
                "target": safe(change.target),
                "first_step": change.first_step,
                "step": change.step,
                "value": change.value if math.isfinite(change.value) else None,
                "message": safe(change.message),
                "runbook": safe(change.runbook),
            }
            for change in newest.values()
            if change.state == "firing"
        ]


def _shown(names: Iterable[str]) -> dict[str, str]:
    """What each name is shown as: two that differ only in what cannot be shown stay two, as they do on the screens."""
    taken: dict[str, str] = {}
    for name in names:
        taken[distinct(safe(name), taken)] = name
    return {name: shown for shown, name in taken.items()}


def _note(note: BookNote, began: float) -> NoteSaid:
    wall = note.wall or began + note.time
    return NoteSaid(safe(note.text, LONG), safe(note.author), note.step, _finite(note.time), _finite(wall))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
