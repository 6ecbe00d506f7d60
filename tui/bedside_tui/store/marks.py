"""What the script says of a moment, as entries of the timeline; and what never reached the log or could not be taken."""

from __future__ import annotations

from bedside_protocol.records import Event, Lost, Problem, Unknown
from bedside_protocol.sanitise import text
from bedside_tui.draw import number
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.view import Mark

_MOST_PROBLEMS = 1000
"""Distinct sentences kept; the agent says each once, so more are a damaged or hostile log."""


def event(moment: Moment, body: Event) -> Mark:
    """A mark that the script made."""
    fields = "  ".join(f"{name} {_plain(value)}" for name, value in body.fields.items())
    return Mark(moment.time, body.step, "event", "◆", text(f"{body.name}  {fields}".rstrip()), jump=False)


def _plain(value: object) -> str:
    return number.value(value) if isinstance(value, float) else str(value)


class TroublesFold:
    """Records that are missing, and what bedside could not take."""

    __slots__ = ("_lost", "_problems")

    def __init__(self) -> None:
        self._lost: Ledger[int] = Ledger()
        self._problems: dict[str, Ledger[int]] = {}

    def lost(self, moment: Moment, body: Lost) -> Mark:
        before = self._lost.entries[-1] if len(self._lost) else 0
        self._lost.add(moment.position, before + max(0, body.count))
        return Mark(moment.time, moment.step, "lost", "╳", f"{number.count(body.count)} records lost: {body.why}", jump=False)

    def problem(self, moment: Moment, body: Problem) -> Mark | None:
        known = self._problems.get(body.text)
        if known is None and len(self._problems) >= _MOST_PROBLEMS:
            return None
        self._problems.setdefault(body.text, Ledger()).add(moment.position, body.count)
        return None if known else Mark(moment.time, moment.step, "problem", "!", f"{body.where}: {body.text}", jump=False)

    def unknown(self, moment: Moment, body: Unknown) -> Mark | None:
        """A record that only a later version can read, counted by its kind."""
        said = f"a record of a newer bedside is not shown here: {body.kind}"
        known = self._problems.get(said)
        return self.problem(moment, Problem(said, 1 + (known.entries[-1] if known else 0), "recording"))

    def lost_at(self, position: int) -> int:
        """Records known at `position` never to have reached the log."""
        return self._lost.last_at(position) or 0

    def problems_at(self, position: int) -> dict[str, int]:
        """The problems known at `position`, and how often each."""
        counts = ((said, ledger.last_at(position)) for said, ledger in self._problems.items())
        return {said: count for said, count in counts if count is not None}


def gap(time: float, step: int, missing: int) -> Mark:
    """A hole in the log."""
    return Mark(time, step, "gap", "╳", f"{number.count(missing)} records are missing here", jump=False)
