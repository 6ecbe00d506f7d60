"""What the hub must know of a run to judge its life, folded from the log's own records: the same after a restart as before."""

from __future__ import annotations

from bedside_protocol.records import (
    AlertChanged,
    CommandChanged,
    Ended,
    Event,
    Lifecycle,
    LifecycleChanged,
    Metrics,
    ProbeDeclared,
    Record,
    Snapshot,
)

RESUMED_WITHOUT_HUB = "resumed-without-hub"


class RunStatus:
    """Step, hold, stall, goodbye and the commands still open, as the log tells them."""

    def __init__(self) -> None:
        self.step = 0
        self.paused = False
        self.stalled = ""
        self.goodbye: Ended | None = None
        self.lifecycle: Lifecycle | None = None
        self.reason = ""
        self.commands: dict[str, CommandChanged] = {}
        self.probes: dict[str, int] = {}
        """Steps between two measurements of each; 0: on demand."""

    def __repr__(self) -> str:
        return f"<RunStatus {self.lifecycle or 'unborn'} at step {self.step}, {len(self.commands)} commands>"

    def observe(self, record: Record) -> None:
        """Take one record in. Rank 0 speaks for the run, and the hub; what another rank says of itself is not the run's."""
        if record.rank > 0:
            return
        match record.body:
            case Metrics(steps=steps) if steps.size:
                self.step = max(self.step, int(steps[-1]))
            case Snapshot(step=step):
                self.step = max(self.step, step)
            case CommandChanged() as command:
                self._command(command)
            case ProbeDeclared(probe=probe, every=every):
                self.probes[probe] = every
            case Event(name=name) if name == RESUMED_WITHOUT_HUB:
                self.paused = False
            case AlertChanged(rule="stall", state=state, message=message):
                self.stalled = message if state == "firing" else ""
            case LifecycleChanged(state=lifecycle, reason=reason):
                self.lifecycle, self.reason = lifecycle, reason
            case Ended() as goodbye:
                self.goodbye = goodbye
            case _:
                pass

    def _command(self, command: CommandChanged) -> None:
        self.commands[command.id] = command
        if command.state == "applied" and command.verb in ("pause", "resume"):
            self.paused = command.verb == "pause"
