"""What a list of runs says of each: a summary folded from its recording, kept in a cache that one may delete.

The verdict is the worst the run's own hub recorded. How a log without an ending is to be read is decided in `liveness`.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from bedside_protocol.lab_book import Book, BookNote
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import AlertChanged, Ended, MetricDefined, Metrics, Record, RunStarted, Snapshot, Tick
from bedside_protocol.runlog import Chunk, Damage, NewerFormat, read_log
from bedside_protocol.sanitise import text as safe
from bedside_tui.best_values import BestValues
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace, Unreadable, runs_in
from bedside_tui.run_summary import NoteSaid, RunSummary, load_summaries, store_summaries
from bedside_tui.store.clean import LONG

CACHE_NAME: Final = ".library.json"
_SAVE_EVERY: Final = 5.0
"""Seconds of reading after which what has been read is remembered: who leaves in the middle has not waited in vain."""
_Made = TypeVar("_Made")


class Library:
    """The runs in some directories. Finished ones are read once and remembered."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = list(directories)
        self.unreadable: list[str] = []
        """Why some recordings are not among the summaries last given, a sentence each."""
        self._known: dict[str, tuple[list[int], RunSummary]] = {}
        self._saved: dict[str, tuple[list[int], RunSummary]] | None = None
        """What the caches hold; None before they have been read."""

    def __repr__(self) -> str:
        return f"<Library of {', '.join(map(str, self.directories))}, {len(self._known)} known>"

    def summaries(self, told: Callable[[int, int], object] = lambda done, of: None) -> list[RunSummary]:
        """Every run, the newest start first. `told` hears how many have been read, of how many that are not remembered as they are now."""
        if self._saved is None:
            self._remember()
        places = runs_in(self.directories)
        self.unreadable = []
        here = {str(place.directory) for place in places}
        self._known = {key: entry for key, entry in self._known.items() if key in here}
        found: list[RunSummary] = []
        new = []
        for place in places:
            if (known := self._remembered(place)) is None:
                new.append(place)
            else:
                found.append(known)
        saved = time.monotonic()
        try:
            for done, place in enumerate(new):
                told(done, len(new))
                if (summary := self.summary(place)) is not None:
                    found.append(summary)
                if time.monotonic() - saved > _SAVE_EVERY:
                    self._save()
                    saved = time.monotonic()
        finally:
            self._save()
        return sorted(found, key=lambda summary: summary.started, reverse=True)

    def _remember(self) -> None:
        for directory in self.directories:
            self._known.update(load_summaries(directory / CACHE_NAME))
        self._saved = dict(self._known)

    def _remembered(self, place: RunPlace) -> RunSummary | None:
        """What is known of a recording that has not changed since."""
        known = self._known.get(str(place.directory))
        with contextlib.suppress(Unreadable):
            if known is not None and known[0] == _stamp(place.log):
                return known[1]
        return None

    def summary(self, place: RunPlace) -> RunSummary | None:
        """One run; None where its file cannot be read, and then `unreadable` says why."""
        try:
            stamp = _stamp(place.log)
            summary = summarise(place)
        except Unreadable as error:
            self.unreadable.append(str(error))
            return None
        if summary.lifecycle in OVER:
            self._known[str(place.directory)] = (stamp, summary)
        return summary

    def _save(self) -> None:
        if self._known == self._saved:
            return
        self._saved = dict(self._known)
        for directory in self.directories:
            entries = {key: entry for key, entry in self._known.items() if os.path.dirname(key) == str(directory)}
            if entries:
                store_summaries(directory / CACHE_NAME, entries)


def _stamp(log: Path) -> list[int]:
    """What changes whenever a recording does."""
    try:
        stat = log.stat()
    except OSError as error:
        raise Unreadable(f"cannot read {log}: {error.strerror or error}") from error
    return [stat.st_size, stat.st_mtime_ns]


def summarise(place: RunPlace) -> RunSummary:
    """Read one recording and fold it. Raises `Unreadable` where it cannot be opened or holds no record."""
    damage: list[Damage] = []
    return read_recording(place, lambda records, heard: _Fold(records).summary(place, heard, damage), damage)


def read_recording(place: RunPlace, make: Callable[[Iterator[Record], float], _Made], damage: list[Damage] | None = None) -> _Made:
    """What `make` makes of a recording's records and the epoch second it last grew in. Raises `Unreadable` where nothing is.

    `damage` is given what is passed over.
    """
    try:
        file = open(place.log, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Unreadable(f"cannot read {place.log}: {error.strerror or error}") from error
    with file:
        records = _records_in(file, place.log, [] if damage is None else damage)
        first = next(records, None)
        if first is None:
            raise Unreadable(f"{place.log} holds no records: is it a recording?")
        return make(chain([first], records), os.fstat(file.fileno()).st_mtime)


def _records_in(file: BinaryIO, path: Path, damage: list[Damage]) -> Iterator[Record]:
    """What is read of the file. Only what goes wrong in reading is told as such: who makes something of it may be writing."""
    try:
        for piece in read_log(file):
            if isinstance(piece, Chunk):
                yield from piece.records
            else:
                damage.append(piece)
    except NewerFormat as error:
        raise Unreadable(f"cannot read {path}: {error}") from error
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}") from error


class _Fold:
    """The state of a run after some records."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.started: RunStarted | None = None
        self.word = LastWord()
        self.step = 0
        self.metrics: dict[str, float] = {}
        self.best = BestValues()
        self.book = Book()
        self.changes: list[AlertChanged] = []
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        self.word.take((record,))
        self.book = self.book.having(record)
        match record.body:
            case RunStarted() as started:
                self.started = self.started or started
            case MetricDefined() as said:
                self.best.define(said)
            case Metrics(names=names, values=values, steps=steps) as block if steps.size:
                if record.rank == 0:
                    self.best.take(block)
                for name, row in zip(names, values[:, -1], strict=True):
                    self.metrics[name] = float(row)
                self.step = max(self.step, int(steps.max()))
            case AlertChanged() as change:
                self.changes.append(change)
            case Tick(step=step) | Snapshot(step=step) | Ended(step=step):
                self.step = max(self.step, step)
            case _:
                pass

    def summary(self, place: RunPlace, heard: float, damage: Sequence[Damage]) -> RunSummary:
        from bedside_protocol.alerts.judge import recorded_verdict  # only here: a list is read behind the first picture

        run = self.started or RunStarted(place.id, place.id, "", heard)
        lifecycle, reason = self.word.now(place.directory, max(0.0, time.time() - heard))
        episodes = {(change.rule, change.target, change.episode): change.severity for change in self.changes if change.state == "firing"}
        severities = list(episodes.values())
        return RunSummary(
            id=safe(place.id),
            name=safe(run.name),
            project=safe(run.project),
            lifecycle=lifecycle,
            reason=safe(reason),
            step=self.step,
            metrics={safe(name): value if math.isfinite(value) else None for name, value in self.metrics.items()},
            started=run.wall_start if math.isfinite(run.wall_start) else heard,
            dir=str(place.directory),
            verdict=recorded_verdict(self.changes),
            alerts={"amber": severities.count("amber"), "red": severities.count("red")},
            host=safe(run.host),
            heard=heard,
            firing=self._firing(),
            best=tuple(replace(best, metric=safe(best.metric)) for best in self.best.told()),
            person_verdict=safe(self.book.verdict),
            person=safe(self.book.verdict_by),
            tags=tuple(safe(tag) for tag in self.book.tags),
            notes=tuple(_note(note, run.wall_start) for note in self.book.notes),
            note_count=self.book.written,
            damaged=len(damage) if lifecycle in OVER else 0,
        )

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


def _note(note: BookNote, began: float) -> NoteSaid:
    wall = note.wall or began + note.time
    return NoteSaid(safe(note.text, LONG), safe(note.author), note.step, _finite(note.time), _finite(wall))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
