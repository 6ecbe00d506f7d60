"""What a list of runs says of each: a summary folded from its recording, kept in a cache that one may delete.

The verdict is the worst the run's own hub recorded. A log without an end whose writer is gone is *lost*: whoever should have told the ending was
killed with the training.
"""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from bedside_protocol.alerts.judge import Verdict, recorded_verdict
from bedside_protocol.records import AlertChanged, Ended, Lifecycle, LifecycleChanged, Metrics, Record, RunStarted, Snapshot, Tick
from bedside_protocol.runlog import NewerFormat, read_records
from bedside_protocol.sanitise import text as safe

from bedside_tui.places import RunPlace, runs_in
from bedside_tui.sources.replay import writer_lives

OVER: Final[frozenset[Lifecycle]] = frozenset({"finished", "stopped", "failed", "killed", "died", "lost"})
CACHE_NAME: Final = ".library.json"
_CACHE_VERSION: Final = 1


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
        self._known: dict[str, tuple[list[int], RunSummary]] = {}
        for directory in self.directories:
            self._known.update(_load(directory / CACHE_NAME))

    def __repr__(self) -> str:
        return f"<Library of {', '.join(map(str, self.directories))}, {len(self._known)} known>"

    def summaries(self) -> list[RunSummary]:
        """Every run, the newest start first."""
        found = [summary for place in runs_in(self.directories) if (summary := self.summary(place)) is not None]
        self._save()
        return sorted(found, key=lambda summary: summary.started, reverse=True)

    def summary(self, place: RunPlace) -> RunSummary | None:
        """One run; None where its file cannot be read at all."""
        try:
            stat = place.log.stat()
        except OSError:
            return None
        stamp = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(str(place.directory))
        if known is not None and known[0] == stamp and known[1].lifecycle in OVER:
            return known[1]
        summary = summarise(place)
        if summary is not None:
            self._known[str(place.directory)] = (stamp, summary)
        return summary

    def _save(self) -> None:
        for directory in self.directories:
            entries = {
                key: {"stamp": stamp, "summary": asdict(summary)}
                for key, (stamp, summary) in self._known.items()
                if Path(key).parent == directory and summary.lifecycle in OVER
            }
            if entries:
                _store(directory / CACHE_NAME, {"version": _CACHE_VERSION, "runs": entries})


def summarise(place: RunPlace) -> RunSummary | None:
    """Read one recording and fold it. None where it cannot be opened or holds no record."""
    folded = _Fold()
    try:
        with open(place.log, "rb") as file:
            for record in read_records(file):
                folded.take(record)
        heard = place.log.stat().st_mtime
    except (OSError, NewerFormat):
        return None
    return folded.summary(place, heard)


class _Fold:
    """The state of a run after the records taken so far."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.lifecycle: Lifecycle = "starting"
        self.reason = ""
        self.step = 0
        self.ended = False
        self.metrics: dict[str, float] = {}
        self.changes: list[AlertChanged] = []
        self.any = False

    def take(self, record: Record) -> None:
        self.any = True
        match record.body:
            case RunStarted() as started:
                self.started = self.started or started
            case Metrics(names=names, values=values, steps=steps) if steps.size:
                for name, row in zip(names, values[:, -1], strict=True):
                    self.metrics[name] = float(row)
                self.step = max(self.step, int(steps.max()))
            case LifecycleChanged(state=state, reason=reason):
                self.lifecycle, self.reason = state, reason
            case AlertChanged() as change:
                self.changes.append(change)
            case Ended() as ended:
                self.ended = True
                self.step = max(self.step, ended.step)
            case Tick(step=step) | Snapshot(step=step):
                self.step = max(self.step, step)
            case _:
                pass

    def summary(self, place: RunPlace, heard: float) -> RunSummary | None:
        if not self.any:
            return None
        run = self.started or RunStarted(place.id, place.id, "", heard)
        lifecycle, reason = self.lifecycle, self.reason
        if lifecycle not in OVER and not self._lives(run, place, heard):
            lifecycle, reason = "lost", "no ending was recorded: whoever should have told it was killed with the training"
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
            started=run.wall_start,
            dir=str(place.directory),
            verdict=recorded_verdict(self.changes),
            alerts={"amber": severities.count("amber"), "red": severities.count("red")},
            host=safe(run.host),
            heard=heard,
            firing=self._firing(),
        )

    def _lives(self, run: RunStarted, place: RunPlace, heard: float) -> bool:
        """On this host the lock tells; of another host's run only whether its file still grows."""
        if run.host == socket.gethostname():
            return writer_lives(place.directory)
        return time.time() - heard < 60

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
        return {key: (entry["stamp"], RunSummary(**entry["summary"])) for key, entry in content["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # a cache that cannot be read is made anew


def _store(path: Path, content: object) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(content))
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)  # a directory one cannot write in is listed all the same
