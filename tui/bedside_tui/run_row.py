"""One run as a line of the lab book: what lists show of it, and sort and filter by. Screens and verbs make their lines of these."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_protocol.lifecycle import OVER
from bedside_protocol.records import Lifecycle
from bedside_tui.best_values import Best, main_loss
from bedside_tui.draw import number
from bedside_tui.run_summary import RunSummary
from bedside_tui.store.view import Badge

ALIVE: tuple[Lifecycle, ...] = ("starting", "running", "paused", "stalled", "suspended", "unreachable")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the list. Texts are shown as they are: they must have passed the sanitiser."""

    id: str
    name: str
    project: str
    lifecycle: Lifecycle
    reason: str
    step: int
    health: Badge
    """The monitor's worst ever; `none` is *unknown*."""
    when: str
    """How long ago it ended or was last heard, `now` while it runs."""
    dir: str
    heard: float = 0.0
    """When that was, in seconds since the epoch."""
    loss: float | None = None
    """The newest value of the main loss."""
    best: tuple[Best, ...] = ()
    """The one to be told first is the first."""
    verdict: str = ""
    """The person's own word, empty where none was given."""
    tags: tuple[str, ...] = ()
    notes: int = 0
    newest: str = ""
    """The newest note."""
    here: bool = True
    """Whether it runs on this machine."""

    @property
    def title(self) -> str:
        return "/".join(part for part in (self.project, self.name) if part) or self.id

    @property
    def state(self) -> str:
        """The lifecycle with its reason, where that is short."""
        return f"{self.lifecycle} ({self.reason})" if self.reason and len(self.reason) < 40 else self.lifecycle

    @property
    def best_said(self) -> str:
        """`val/acc 0.913`: the first of the best values, with its name unless that is `loss`."""
        if not self.best:
            return ""
        first = self.best[0]
        value = number.value(first.value)
        return value if first.metric == "loss" else f"{first.metric} {value}"


def row_of(summary: RunSummary, now: float) -> RunRow:
    """The row of a run at `now`, in seconds since the epoch."""
    loss = main_loss(list(summary.metrics))
    over = summary.lifecycle in OVER
    return RunRow(
        id=summary.id,
        name=summary.name,
        project=summary.project,
        lifecycle=summary.lifecycle,
        reason=summary.reason,
        step=summary.step,
        health="none" if summary.verdict == "unknown" else summary.verdict,
        when=number.duration(max(0.0, now - summary.heard)) if over else "now",
        dir=summary.dir,
        heard=summary.heard if over else now,
        loss=summary.metrics[loss] if loss is not None else None,
        best=summary.best,
        verdict=summary.person_verdict,
        tags=summary.tags,
        notes=summary.note_count,
        newest=summary.notes[-1].text if summary.notes else "",
    )
