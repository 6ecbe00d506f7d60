"""The checkpoints of a run as they were known at any moment: which are good, and of what the others are suspect.

`bedside_protocol.alerts.checkpoints` decides what the damage of weights makes suspect. Besides, a checkpoint that was saved while any
other alarm was red may hold the illness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bedside_protocol.alerts.checkpoints import DAMAGING, Checkpoints
from bedside_protocol.records import AlertChanged, CheckpointSaved, Record, RunStarted
from bedside_tui.store.alerts import Episode
from bedside_tui.store.ledger import Ledger
from bedside_tui.store.rules import RulesView
from bedside_tui.store.view import CheckpointView


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint and where in the log it stands."""

    body: CheckpointSaved
    time: float
    position: int


class SavedFold:
    """Every checkpoint. The judgement of them only goes forward; looking back begins it anew, from the few records it depends on."""

    __slots__ = ("_judged", "_judged_to", "_saved", "_telling")

    def __init__(self) -> None:
        self._saved: Ledger[Saved] = Ledger()
        self._telling: Ledger[Record] = Ledger()
        self._judged = Checkpoints()
        self._judged_to = 0

    def take(self, position: int, record: Record) -> None:
        """A record of the log, made safe; `record.time` never decreases."""
        body = record.body
        if isinstance(body, CheckpointSaved):
            self._saved.add(position, Saved(body, record.time, position))
        elif not isinstance(body, RunStarted) and not (isinstance(body, AlertChanged) and body.rule in DAMAGING):
            return
        self._telling.add(position, record)

    def views(self, position: int, red: Sequence[Episode], rules: RulesView) -> list[CheckpointView]:
        """The checkpoints known at `position`, oldest first, of those under one name the newest; `red` are the red episodes known then,
        `rules` those in force."""
        newest = {saved.body.path: saved for saved in self._saved.upto(position)}
        return [
            CheckpointView(judged.path, saved.body.size, judged.step, saved.time, saved.body.verified, suspect_of)
            for judged in self._judgement(position).all
            if (saved := newest.get(judged.path)) is not None
            for suspect_of in (_called(judged.suspect_of, rules) or _spoilt(saved, red),)
        ]

    def _judgement(self, position: int) -> Checkpoints:
        told = self._telling.size_at(position)
        if told < self._judged_to:
            self._judged, self._judged_to = Checkpoints(), 0
        for record in self._telling.entries[self._judged_to : told]:
            self._judged.take(record)
        self._judged_to = told
        return self._judged


def _called(suspect_of: str, rules: RulesView) -> str:
    """`loss-level since step 900`, with the rule's title for its name."""
    rule, since, step = suspect_of.partition(" since step ")
    return rules.title(rule) + since + step if rule else ""


def _spoilt(saved: Saved, red: Sequence[Episode]) -> str:
    """What a checkpoint is suspect of that was taken between the beginning of a red alarm, by its evidence, and its end."""
    found = next((episode.alert for episode in red if episode.alert.rule not in DAMAGING and _spoils(episode, saved)), None)
    return f"{found.title} since step {found.first_step:,}" if found else ""


def _spoils(episode: Episode, saved: Saved) -> bool:
    if episode.cleared is not None and episode.cleared < saved.position:
        return False
    fired_before = episode.fired <= saved.position
    return fired_before or 0 < episode.alert.first_step <= saved.body.step <= episode.alert.fired_step
