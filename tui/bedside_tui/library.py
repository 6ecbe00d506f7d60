"""What a list of runs says of each: a summary folded from its recording, kept in caches that one may delete.

A run that is over is read once; of one that goes on, only what was written since. The verdict is the worst the run's own hub recorded. How
a log without an ending is to be read is decided in `liveness`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Record
from bedside_protocol.runlog import Chunk, read_log
from bedside_tui.places import RunPlace, Unreadable, runs_in
from bedside_tui.read_so_far import ReadSoFar, load_readings, reading, store_readings
from bedside_tui.run_summary import RunSummary, load_summaries, store_summaries

CACHE_NAME: Final = ".library.json"
READINGS_NAME: Final = ".living.json"
_SAVE_EVERY: Final = 5.0
"""Seconds of reading after which what has been read is remembered: who leaves in the middle has not waited in vain."""
_Made = TypeVar("_Made")


class Library:
    """The runs in some directories. Each byte of them is read once, and remembered where that is worth it."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = list(directories)
        self.unreadable: list[str] = []
        """Why some recordings are not among the summaries last given, a sentence each."""
        self._known: dict[str, tuple[list[int], RunSummary]] = {}
        self._saved: dict[str, tuple[list[int], RunSummary]] | None = None
        """What the caches hold; None before they have been read."""
        self._readings: dict[str, ReadSoFar] = {}
        """How far living runs have been read, by their directories."""

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
        self._readings = {key: read for key, read in self._readings.items() if key in here}
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
            self._readings.update(load_readings(directory / READINGS_NAME))
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
        key = str(place.directory)
        read = self._readings.pop(key, None) or ReadSoFar()
        try:
            stamp = _stamp(place.log)
            summary = read.read_on(place)
        except Unreadable as error:
            self.unreadable.append(str(error))
            return None
        if summary.lifecycle in OVER:
            self._known[key] = (stamp, summary)
        elif not read.spent:
            self._readings[key] = read
        return summary

    def _save(self) -> None:
        if self._known != self._saved:
            self._saved = dict(self._known)
            for directory in self.directories:
                if entries := _in(directory, self._known):
                    store_summaries(directory / CACHE_NAME, entries)
        for directory in self.directories:
            readings = _in(directory, self._readings)
            if any(read.is_worth_remembering for read in readings.values()):
                store_readings(directory / READINGS_NAME, readings)


def _in(directory: Path, entries: Mapping[str, _Made]) -> dict[str, _Made]:
    """Those of the runs that lie in a directory."""
    return {key: entry for key, entry in entries.items() if os.path.dirname(key) == str(directory)}


def _stamp(log: Path) -> list[int]:
    """What changes whenever a recording does."""
    try:
        stat = log.stat()
    except OSError as error:
        raise Unreadable(f"cannot read {log}: {error.strerror or error}") from error
    return [stat.st_size, stat.st_mtime_ns]


def summarise(place: RunPlace) -> RunSummary:
    """Read one recording and fold it. Raises `Unreadable` where it cannot be opened or holds no record."""
    return ReadSoFar().read_on(place)


def read_recording(place: RunPlace, make: Callable[[Iterator[Record], float], _Made]) -> _Made:
    """What `make` makes of a recording's records and the epoch second it last grew in. Raises `Unreadable` where nothing is."""
    with reading(place.log):
        file = open(place.log, "rb")  # noqa: SIM115 - closed below
    with file:
        records = _records_in(file, place.log)
        first = next(records, None)
        if first is None:
            raise Unreadable(f"{place.log} holds no records: is it a recording?")
        return make(chain([first], records), os.fstat(file.fileno()).st_mtime)


def _records_in(file: BinaryIO, path: Path) -> Iterator[Record]:
    """What is read of the file. Only what goes wrong in reading is told as such: who makes something of it may be writing."""
    with reading(path):
        for piece in read_log(file):
            if isinstance(piece, Chunk):
                yield from piece.records
