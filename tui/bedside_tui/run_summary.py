"""What lists and scripts know of a run: a value, and the file in which those of many runs are remembered.

That file may be deleted, and one that is not what was written is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeAlias

from bedside_protocol.alerts.verdict import EXIT_CODES, Verdict
from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Lifecycle
from bedside_tui.best_values import Best

_VERSION: Final = 2
Stamp: TypeAlias = list[int]
"""What changes whenever a recording does: its size, and when it was last written to."""


@dataclass(frozen=True, slots=True)
class NoteSaid:
    """A note: the step and the second of the run it speaks of, and the epoch second at which it was written."""

    text: str
    author: str
    step: int
    time: float
    written: float


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
    """The monitor's."""
    alerts: dict[str, int]
    host: str = ""
    heard: float = 0.0
    firing: list[dict[str, Any]] = field(default_factory=list)
    ranks: list[dict[str, Any]] = field(default_factory=list)
    """Of several ranks those that are watched here, with how each was when it was last seen."""
    best: tuple[Best, ...] = ()
    person_verdict: str = ""
    person: str = ""
    """Who gave it."""
    tags: tuple[str, ...] = ()
    notes: tuple[NoteSaid, ...] = ()
    """The newest, the oldest of them first."""
    note_count: int = 0
    damaged: int = 0
    """Places at which something of the recording cannot be read."""

    def to_json(self) -> dict[str, Any]:
        """The documented object of `bedside runs --json`; values that JSON cannot say are null."""
        keys = ("id", "name", "project", "lifecycle", "reason", "step", "metrics", "started", "dir", "verdict", "alerts")
        said = {key: getattr(self, key) for key in keys}
        return {**said, "best": [asdict(best) for best in self.best], "book": self.book_to_json(), "damaged": self.damaged}

    def book_to_json(self) -> dict[str, Any]:
        """The documented object of the lab book."""
        return {
            "verdict": self.person_verdict,
            "by": self.person,
            "tags": list(self.tags),
            "notes": [asdict(note) for note in self.notes],
            "note_count": self.note_count,
        }

    def to_status(self) -> dict[str, Any]:
        """The documented object of `bedside status --json`: the summary, its ranks, and what fires now."""
        return {**self.to_json(), "ranks": self.ranks, "firing": self.firing}


_BLANK: Final = RunSummary("", "", "", "finished", "", 0, {}, 0.0, "", "ok", {"amber": 0, "red": 0})
_TYPES: Final = tuple((one.name, type(getattr(_BLANK, one.name))) for one in fields(RunSummary))


def load_summaries(path: Path) -> dict[str, tuple[Stamp, RunSummary]]:
    """What is remembered, by the run's directory; nothing where the file cannot be read or is another's."""
    try:
        content = json.loads(path.read_text())
        if content["version"] != _VERSION:
            return {}
        known = {key: (entry["stamp"], _summary(entry["summary"])) for key, entry in content["runs"].items()}
        return known if all(_is_whole(summary) for _, summary in known.values()) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def store_summaries(path: Path, known: Mapping[str, tuple[Stamp, RunSummary]]) -> None:
    """Remember them. A directory one cannot write in is left as it is."""
    runs = {key: {"stamp": stamp, "summary": asdict(summary)} for key, (stamp, summary) in known.items()}
    remember(path, {"version": _VERSION, "runs": runs})


def remember(path: Path, content: Mapping[str, object]) -> None:
    """Write a file of what may be made anew, at once or not at all; where that cannot be, it is left as it is."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(content))
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)


def _summary(said: dict[str, Any]) -> RunSummary:
    lists = {
        "best": tuple(Best(**best) for best in said["best"]),
        "tags": tuple(said["tags"]),
        "notes": tuple(NoteSaid(**note) for note in said["notes"]),
    }
    return RunSummary(**{**said, **lists})


def _is_whole(summary: RunSummary) -> bool:
    """Whether what was read back has the types that were written."""
    return all(type(getattr(summary, name)) is kind for name, kind in _TYPES) and (
        summary.alerts.keys() == _BLANK.alerts.keys() and summary.lifecycle in OVER and summary.verdict in EXIT_CODES
    )
