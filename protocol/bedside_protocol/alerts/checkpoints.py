"""Which checkpoints may hold what an alarm tells of, and which is the last that does not.

Records of checkpoints and of changes of alarms go in, in the order of the log. Files are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from bedside_protocol.records import AlertChanged, CheckpointSaved, Record, RunStarted, Severity

DAMAGING: Final[Mapping[str, Severity]] = MappingProxyType({"nonfinite": "red", "explosion": "amber", "loss-level": "amber"})
"""Rules that tell of damaged weights, and how badly they must fire for it: a gradient norm that is infinite once is a skipped step."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One checkpoint. `suspect_of` is empty for a good one, and else names what it may hold: `explosion since step 2,001`."""

    step: int
    path: str
    suspect_of: str = ""


class Checkpoints:
    """All checkpoints of a log so far, by what was known of the run when they were saved and what has become known since."""

    def __init__(self) -> None:
        self._saved: dict[str, Judged] = {}
        self._of_this_start: set[str] = set()
        """Paths saved since the run last started: what is found later says nothing of the steps before a resume."""
        self._firing: dict[tuple[str, str, int], int] = {}
        """The first step of the evidence of each episode that fires, in the order they began."""

    def __repr__(self) -> str:
        return f"<Checkpoints {sum(not judged.suspect_of for judged in self._saved.values())} good of {len(self._saved)}>"

    @property
    def all(self) -> tuple[Judged, ...]:
        """Every checkpoint in the order they were saved; of those under one name the newest, the others are gone."""
        return tuple(self._saved.values())

    @property
    def last_good(self) -> Judged | None:
        """The newest that is not suspect."""
        return last_good_of(self.all)

    @property
    def suspects(self) -> tuple[Judged, ...]:
        """Those that are suspect and later than the last good one."""
        return suspects_of(self.all)

    def take(self, record: Record) -> None:
        """The next record of the log, or a change that an engine found in it."""
        match record.body:
            case RunStarted():
                self._of_this_start.clear()
            case CheckpointSaved(path=path, step=step):
                self._save(Judged(step, path))
            case AlertChanged() as change if change.rule in DAMAGING:
                self._change(change)

    def _save(self, judged: Judged) -> None:
        self._saved.pop(judged.path, None)
        accused = (_accused(judged, rule, first) for (rule, _, _), first in self._firing.items())
        self._saved[judged.path] = next((found for found in accused if found.suspect_of), judged)
        self._of_this_start.add(judged.path)

    def _change(self, change: AlertChanged) -> None:
        episode = (change.rule, change.target, change.episode)
        if change.state != "firing":
            self._firing.pop(episode, None)
        elif episode not in self._firing and change.severity in ("red", DAMAGING[change.rule]):
            self._firing[episode] = change.first_step
            for path in self._of_this_start:
                self._saved[path] = _accused(self._saved[path], change.rule, change.first_step)


def last_good_of(checkpoints: Sequence[Judged]) -> Judged | None:
    """The newest of these, in the order they were saved, that is not suspect."""
    return next((judged for judged in reversed(checkpoints) if not judged.suspect_of), None)


def suspects_of(checkpoints: Sequence[Judged]) -> tuple[Judged, ...]:
    """Those later than the last good one: all of them suspect."""
    good = last_good_of(checkpoints)
    return tuple(checkpoints[checkpoints.index(good) + 1 :] if good else checkpoints)


def _accused(judged: Judged, rule: str, first_step: int) -> Judged:
    """Suspect where it may hold what the rule found first at `first_step`: the values of a step are those of the weights before it.
    What it was suspect of already stays."""
    if judged.suspect_of or judged.step < first_step - 1:
        return judged
    return replace(judged, suspect_of=f"{rule} since step {first_step:,}")
