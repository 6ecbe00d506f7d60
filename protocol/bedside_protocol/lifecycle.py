"""What the signals say about a run: one function from facts to a verdict in words.

The facts are independent: what the process handle says, how it ended where the kernel tells, the training's own goodbye, when its agent
was last heard, whether it is held. Who gathers them (and when) is not known here; ages come in as seconds.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final, Literal

from .records import Ended, Lifecycle

OVER: Final[frozenset[Lifecycle]] = frozenset({"finished", "stopped", "failed", "killed", "died", "lost"})
"""States after which nothing more comes."""
SILENT_AFTER: Final = 3.0
"""Seconds without the agent's heartbeat (it beats every 0.5 s) after which its thread is held up: a C call that keeps the GIL."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The facts about one training process at one moment."""

    process: Literal["alive", "stopped", "exited", "unknown"] = "alive"
    """`stopped`: by a signal or a debugger (state T). `unknown`: no handle on the process."""
    exit_code: int | None = None
    """Exit status where the kernel told; negative for the signal that ended it, as in `subprocess`."""
    out_of_memory: bool = False
    """The kernel's memory killer struck in the process's group."""
    goodbye: Ended | None = None
    stepped: bool = False
    paused: bool = False
    stalled: str = ""
    """The stall rule's finding, empty while steps arrive."""
    silent_for: float = 0.0
    lost_rank: str = ""
    """Of several ranks, which other one ended badly first, and how; empty while none has."""


def verdict(signals: Signals) -> tuple[Lifecycle, str]:
    """The state of the run and the reason in words: what became of another rank comes first, it brought this one down."""
    state, reason = _verdict(signals)
    return state, "; ".join(part for part in (signals.lost_rank, reason) if part)


def _verdict(signals: Signals) -> tuple[Lifecycle, str]:
    if signals.goodbye is not None and signals.goodbye.outcome != "exited":
        return _said_goodbye(signals.goodbye)
    if signals.process == "exited":
        return _exited(signals)
    if signals.process == "stopped":
        return "suspended", "the process is stopped (SIGSTOP or a debugger)"
    if signals.stalled:
        held = "; its interpreter does not run (a native call holds the GIL)" if signals.silent_for > SILENT_AFTER else ""
        return "stalled", signals.stalled + held
    if signals.paused:
        return "paused", ""
    return ("running", "") if signals.stepped else ("starting", "no step yet")


def _said_goodbye(goodbye: Ended) -> tuple[Lifecycle, str]:
    if goodbye.outcome == "failed":
        return "failed", ": ".join(part for part in (goodbye.exception, goodbye.message) if part)
    return ("stopped", goodbye.message or "asked to stop") if goodbye.outcome == "stopped" else ("finished", goodbye.message)


def _exited(signals: Signals) -> tuple[Lifecycle, str]:
    code = signals.exit_code
    if code is None:
        if signals.goodbye is not None:
            return "finished", "exit status unknown"
        return "died", "cause unknown: this system does not tell the exit status of another process's child"
    if code < 0:
        name = signal_name(-code)
        memory = ", out of memory" if signals.out_of_memory and -code == signal.SIGKILL else ""
        return "killed", f"{-code}: {name}{memory}"
    if code == 0:
        return "finished", "" if signals.goodbye is not None else "the process left without a goodbye, exit code 0"
    return "failed", f"exit code {code}"


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; the bare number where this system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
