"""What a list of runs says of each: a summary folded from its recording, kept in a cache that one may delete.

The verdict is the worst the run's own hub recorded. How a log without an ending is to be read is decided in `liveness`.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from bedside_protocol.alerts.judge import EXIT_CODES, Verdict, recorded_verdict
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import AlertChanged, Ended, Lifecycle, Metrics, Record, RunStarted, Snapshot, Tick
from bedside_protocol.runlog import NewerFormat, read_records
from bedside_protocol.sanitise import text as safe
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace, Unreadable, runs_in

CACHE_NAME: Final = ".library.json"
_CACHE_VERSION: Final = 1
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run as lists and scripts know it. `started` and `heard` are epoch seconds; texts have passed the sanitiser."""

    id: str
    name: str
    project: str
    lifecycle: Lifecycle
    reason: str
    step: int
    metrics: dict[str, float | None]
    started: float
    dir: str
    verdict: Verdict
    alerts: dict[str, int]
    host: str = ""
    heard: float = 0.0
    firing: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The documented object of `bedside runs --json`; values that JSON cannot say are null."""
        keys = ("id", "name", "project", "lifecycle", "reason", "step", "metrics", "started", "dir", "verdict", "alerts")
        return {key: getattr(self, key) for key in keys}

    def to_status(self) -> dict[str, Any]:
        """The documented object of `bedside status --json`: the summary, its ranks, and what fires now."""
        return {**self.to_json(), "ranks": [{"rank": 0, "step": self.step, "host": self.host}], "firing": self.firing}


class Library:
    """The runs in some directories. Finished ones are read once and remembered."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = list(directories)
        self.unreadable: list[str] = []
        """Why some recordings are not among the summaries last given, a sentence each."""
        self._known: dict[str, tuple[list[int], RunSummary]] = {}
        for directory in self.directories:
            self._known.update(_load(directory / CACHE_NAME))
        self._saved = dict(self._known)

    def __repr__(self) -> str:
        return f"<Library of {', '.join(map(str, self.directories))}, {len(self._known)} known>"

    def summaries(self) -> list[RunSummary]:
        """Every run, the newest start first."""
        places = runs_in(self.directories)
        self.unreadable = []
        found = [summary for place in places if (summary := self.summary(place)) is not None]
        here = {str(place.directory) for place in places}
        self._known = {key: entry for key, entry in self._known.items() if key in here}
        self._save()
        return sorted(found, key=lambda summary: summary.started, reverse=True)

    def summary(self, place: RunPlace) -> RunSummary | None:
        """One run; None where its file cannot be read, and then `unreadable` says why."""
        try:
            stamp = _stamp(place.log)
            known = self._known.get(str(place.directory))
            if known is not None and known[0] == stamp:
                return known[1]
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
            entries = {
                key: {"stamp": stamp, "summary": asdict(summary)}
                for key, (stamp, summary) in self._known.items()
                if Path(key).parent == directory
            }
            if entries:
                _store(directory / CACHE_NAME, {"version": _CACHE_VERSION, "runs": entries})


def _stamp(log: Path) -> list[int]:
    """What changes whenever a recording does."""
    try:
        stat = log.stat()
    except OSError as error:
        raise Unreadable(f"cannot read {log}: {error.strerror or error}") from error
    return [stat.st_size, stat.st_mtime_ns]


def summarise(place: RunPlace) -> RunSummary:
    """Read one recording and fold it. Raises `Unreadable` where it cannot be opened or holds no record."""
    return read_recording(place, lambda records, heard: _Fold(records).summary(place, heard))


def read_recording(place: RunPlace, make: Callable[[Iterator[Record], float], _Made]) -> _Made:
    """What `make` makes of a recording's records and the epoch second it last grew in. Raises `Unreadable` where nothing is."""
    try:
        file = open(place.log, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Unreadable(f"cannot read {place.log}: {error.strerror or error}") from error
    with file:
        records = _records_in(file, place.log)
        first = next(records, None)
        if first is None:
            raise Unreadable(f"{place.log} holds no records: is it a recording?")
        return make(chain([first], records), os.fstat(file.fileno()).st_mtime)


def _records_in(file: BinaryIO, path: Path) -> Iterator[Record]:
    """What is read of the file. Only what goes wrong in reading is told as such: who makes something of it may be writing."""
    try:
        yield from read_records(file)
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
        self.changes: list[AlertChanged] = []
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        self.word.take((record,))
        match record.body:
            case RunStarted() as started:
                self.started = self.started or started
            case Metrics(names=names, values=values, steps=steps) if steps.size:
                for name, row in zip(names, values[:, -1], strict=True):
                    self.metrics[name] = float(row)
                self.step = max(self.step, int(steps.max()))
            case AlertChanged() as change:
                self.changes.append(change)
            case Tick(step=step) | Snapshot(step=step) | Ended(step=step):
                self.step = max(self.step, step)
            case _:
                pass

    def summary(self, place: RunPlace, heard: float) -> RunSummary:
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
        )

    def _firing(self) -> list[dict[str, Any]]:
        newest = {(change.rule, change.target): change for change in self.changes}
        return [
            {
                "rule": change.rule,
                "severity": change.severity,
                "target": safe(change.target),
                "first_step": change.first_step,
                "step": change.step,
                "value": change.value if math.isfinite(change.value) else None,
                "message": safe(change.message),
                "runbook": change.runbook,
            }
            for change in newest.values()
            if change.state == "firing"
        ]


def _load(path: Path) -> dict[str, tuple[list[int], RunSummary]]:
    try:
        content = json.loads(path.read_text())
        if content["version"] != _CACHE_VERSION:
            return {}
        known = {key: (entry["stamp"], RunSummary(**entry["summary"])) for key, entry in content["runs"].items()}
        return known if all(_is_whole(summary) for _, summary in known.values()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # a cache that cannot be read is made anew


def _is_whole(summary: RunSummary) -> bool:
    """Whether what was read back has the types that were written."""
    blank = RunSummary("", "", "", "finished", "", 0, {}, 0.0, "", "ok", {"amber": 0, "red": 0})
    return all(type(getattr(summary, one.name)) is type(getattr(blank, one.name)) for one in fields(RunSummary)) and (
        summary.alerts.keys() == blank.alerts.keys() and summary.lifecycle in OVER and summary.verdict in EXIT_CODES
    )


def _store(path: Path, content: object) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(content))
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)  # a directory one cannot write in is listed all the same
