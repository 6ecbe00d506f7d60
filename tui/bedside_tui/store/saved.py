"""The checkpoints of a run as they were known at any moment: which are good, and of what the others are suspect.

`bedside_protocol.alerts.checkpoints` decides, by the rules in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedside_protocol.records import AlertChanged, CheckpointSaved, Record, RunStarted
from bedside_tui.store.judging import BUILT_IN
from bedside_tui.store.ledger import Ledger
from bedside_tui.store.rules import RulesView
from bedside_tui.store.view import CheckpointView

if TYPE_CHECKING:
    from bedside_protocol.alerts.checkpoints import Checkpoints


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint and where in the log it stands."""

    body: CheckpointSaved
    time: float
    position: int


class SavedFold:
    """Every checkpoint. The judgement of them only goes forward; looking back begins it anew, from the few records it depends on."""

    __slots__ = ("_judged", "_judged_to", "_rules", "_saved", "_telling")

    def __init__(self) -> None:
        self._saved: Ledger[Saved] = Ledger()
        self._telling: Ledger[Record] = Ledger()
        self._rules = BUILT_IN
        self._judged: Checkpoints | None = None
        self._judged_to = 0

    def take(self, position: int, record: Record) -> None:
        """A record of the log, made safe; `record.time` never decreases."""
        body = record.body
        if isinstance(body, CheckpointSaved):
            self._saved.add(position, Saved(body, record.time, position))
        elif not isinstance(body, RunStarted) and not (isinstance(body, AlertChanged) and body.state in ("firing", "cleared")):
            return
        self._telling.add(position, record)

    def views(self, position: int, rules: RulesView) -> list[CheckpointView]:
        """The checkpoints known at `position`, oldest first, of those under one name the newest; `rules` are those in force."""
        newest = {saved.body.path: saved for saved in self._saved.upto(position)}
        if not newest:
            return []
        return [
            CheckpointView(judged.path, saved.body.size, judged.step, saved.time, saved.body.verified, _called(judged.suspect_of, rules))
            for judged in self._judgement(position, rules).all
            if (saved := newest.get(judged.path)) is not None
        ]

    def _judgement(self, position: int, rules: RulesView) -> Checkpoints:
        from bedside_protocol.alerts.checkpoints import Checkpoints  # only here: a run without a checkpoint needs no rule

        told = self._telling.size_at(position)
        if self._judged is None or told < self._judged_to or rules is not self._rules:
            self._rules, self._judged, self._judged_to = rules, Checkpoints(rules.rules.values()), 0
        for record in self._telling.entries[self._judged_to : told]:
            self._judged.take(record)
        self._judged_to = told
        return self._judged


def _called(suspect_of: str, rules: RulesView) -> str:
    """`loss-level since step 900`, with the rule's title for its name."""
    rule, since, step = suspect_of.partition(" since step ")
    return rules.title(rule) + since + step if rule else ""
