"""The life of a command, as one table, and the sentences for when it ends badly.

*requested → accepted → scheduled for step N → applied | failed | expired | refused | cancelled.* The hub writes *requested*, *refused* and
*expired*; everything else is what the training itself said.
"""

from __future__ import annotations

from typing import Final

from .records import CommandState, Verb

EXPIRES_IN: Final = 30.0
"""Seconds within which the training must accept a command. After that it waits for its boundary: ten-minute steps exist."""

NEXT: Final[dict[CommandState, frozenset[CommandState]]] = {
    "requested": frozenset({"accepted", "refused", "expired", "applied", "failed"}),
    "accepted": frozenset({"scheduled", "applied", "failed", "refused", "cancelled"}),
    "scheduled": frozenset({"applied", "failed", "cancelled"}),
    "applied": frozenset(),
    "failed": frozenset(),
    "expired": frozenset(),
    "refused": frozenset(),
    "cancelled": frozenset(),
}

FOR_TRAINING: Final[frozenset[Verb]] = frozenset({"pause", "resume", "step", "checkpoint", "stop", "snapshot", "rate", "cancel", "stack"})
"""Verbs the training carries out; the others (`acknowledge`, `shelve`, `note`, `notify`) are the hub's own. `stack` is answered beside the
training thread, which may hang, and needs no boundary."""

AT_BOUNDARY: Final[frozenset[Verb]] = frozenset({"pause", "checkpoint", "stop", "step", "snapshot", "rate"})

NO_BOUNDARY: Final = "this script has no step boundary: iterate over run.steps(loader), or call run.step() at the end of each step"
NO_CHECKPOINT: Final = "the script registered no checkpoint: run.on_checkpoint(save), where save(path) writes one file"
NO_PROBE: Final = "there is no probe of that name"
MOST_STEPS: Final = 1_000_000_000
"""The slowest pace that may be asked of a probe, in steps between two measurements."""
NO_RATE: Final = f"every is a whole number of steps, at most {MOST_STEPS:,}; 0 measures on demand only"
LONGEST_SHELF: Final = 7 * 86_400.0
"""Seconds for which an alarm may be put aside; for longer the rule is switched off."""
NO_SHELF: Final = "shelving takes a rule, a target and seconds, at most a week"
NOT_PAUSED: Final = "the run is not paused"
ALREADY_PAUSED: Final = "the run is already paused"
OVER: Final = "the run is over"
STOPPING: Final = "the run is stopping"
TOO_LATE: Final = "this rank had gone on without a hub"
NO_PYTHON: Final = (
    "no Python stack: a native call holds the interpreter lock (GIL), and nothing in the process can look; from outside, where it is "
    "installed, can: py-spy dump --nonblocking --pid {pid}"
)
SUSPENDED: Final = "no Python stack: the process is stopped, and nothing in it can look"
EXPIRED: Final = "the training did not answer within {seconds:.0f} s"


def may_follow(before: CommandState, after: CommandState) -> bool:
    """Whether a command in state `before` can be in state `after` next."""
    return after in NEXT[before]


def is_over(state: CommandState) -> bool:
    """Whether nothing more will become of a command in this state."""
    return not NEXT[state]
