"""What the hub says of the process, and how long the run has been held.

The verdict is the hub's. Only where a log has none (an imported one, a hub that never spoke) the run's own words stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Ended, Lifecycle, LifecycleChanged, RunStarted
from bedside_tui.draw import number
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.view import Badge, Mark

_OUTCOMES: Mapping[str, Lifecycle] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}
_GLYPHS: Mapping[Lifecycle, tuple[str, Badge]] = {
    "starting": ("○", "none"), "running": ("▶", "none"), "paused": ("‖", "none"), "stalled": ("▲", "amber"),
    "suspended": ("‖", "amber"), "finished": ("■", "ok"), "stopped": ("■", "none"), "failed": ("✖", "red"),
    "killed": ("✖", "red"), "died": ("✖", "red"), "lost": ("✖", "red"), "unreachable": ("?", "none"),
}  # fmt: skip
_QUIET: frozenset[Lifecycle] = frozenset({"starting", "running"})


@dataclass(frozen=True, slots=True)
class State:
    """The lifecycle from a moment on. `held` is the time spent paused before `since`."""

    lifecycle: Lifecycle
    reason: str
    since: float
    held: float
    said: bool
    """Whether the hub said so."""

    def held_until(self, time: float) -> float:
        """Seconds spent paused up to `time`."""
        return self.held + (max(0.0, time - self.since) if self.lifecycle == "paused" else 0.0)


NOTHING_YET = State("starting", "", 0.0, 0.0, said=False)


class LifecycleFold:
    """The states of a run, and who it is."""

    __slots__ = ("_runs", "_states")

    def __init__(self) -> None:
        self._states: Ledger[State] = Ledger()
        self._runs: Ledger[RunStarted] = Ledger()

    def at(self, position: int) -> State:
        """The state known at `position`."""
        return self._states.last_at(position) or NOTHING_YET

    def run_at(self, position: int) -> RunStarted | None:
        """Who the run is, None before it has said so."""
        return self._runs.last_at(position)

    def started(self, moment: Moment, body: RunStarted) -> Mark:
        again = len(self._runs) > 0
        self._runs.add(moment.position, body)
        self._enter(moment, "starting", "", said=False)
        text = f"run continues as process {body.pid}" if again or body.continues else "run started"
        return Mark(moment.time, moment.step, "lifecycle", "○", text, jump=again)

    def changed(self, moment: Moment, body: LifecycleChanged) -> Mark | None:
        before = self.at(moment.position)
        self._enter(moment, body.state, body.reason, said=True)
        if before.lifecycle == body.state and (before.said or body.state == "starting"):
            return None
        again = before.lifecycle == "paused" and body.state == "running"
        glyph, badge = _GLYPHS[body.state]
        text = body.state + (f": {body.reason}" if body.reason else "")
        if again:
            text = f"running again after {number.duration(moment.time - before.since)}"
        return Mark(moment.time, body.step or moment.step, "lifecycle", glyph, text, badge, jump=again or body.state not in _QUIET)

    def ended(self, moment: Moment, body: Ended) -> Mark | None:
        """The run's own goodbye; the hub's verdict follows and has the last word."""
        outcome = _OUTCOMES.get(body.outcome)
        if outcome is None or self.at(moment.position).lifecycle in OVER:
            return None
        reason = ": ".join(part for part in (body.exception, body.message) if part)
        self._enter(moment, outcome, reason, said=False)
        return None

    def _enter(self, moment: Moment, lifecycle: Lifecycle, reason: str, *, said: bool) -> None:
        held = self.at(moment.position).held_until(moment.time)
        before = self.at(moment.position)
        since = before.since if before.lifecycle == lifecycle == "paused" else moment.time
        held = before.held if since == before.since and lifecycle == "paused" else held
        self._states.add(moment.position, State(lifecycle, reason, since, held, said))
