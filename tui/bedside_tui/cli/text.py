"""Runs as plain text, for pipes and for terminals that show no screens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_protocol.sanitise import text as safe
from bedside_tui.draw import number
from bedside_tui.library import RunSummary

HEALTH: Final = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "unknown": "unknown"}


def runs_table(summaries: Sequence[RunSummary], now: float) -> str:
    """One line a run, newest first."""
    if not summaries:
        return "no runs yet: start one with `bedside demo`, or add bedside.init() to a script"
    head = ("run", "state", "step", "loss", "health", "when")
    rows = [
        (
            summary.id,
            state_of(summary),
            number.count(summary.step),
            number.value(loss_of(summary)),
            HEALTH[summary.verdict],
            _when(summary, now),
        )
        for summary in summaries
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    right = {2, 3}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    )


def status_text(summary: RunSummary) -> str:
    """A few lines about one run."""
    lines = [
        f"{summary.project + '/' if summary.project else ''}{summary.name}  {state_of(summary)}  step {number.count(summary.step)}",
        f"health   {HEALTH[summary.verdict]}  ({summary.alerts['red']} red, {summary.alerts['amber']} amber so far)",
    ]
    lines += [f"firing   {alert['severity']}: {alert['rule']} on {alert['target']}: {alert['message']}" for alert in summary.firing]
    lines += [f"{name:<28} {number.value(value)}" for name, value in sorted(summary.metrics.items()) if not name.startswith("system/")]
    lines.append(f"where    {safe(summary.dir, 1000)}")
    return "\n".join(lines)


def state_of(summary: RunSummary) -> str:
    """The lifecycle with its reason, short."""
    return f"{summary.lifecycle} ({summary.reason})" if summary.reason and len(summary.reason) < 40 else summary.lifecycle


def loss_of(summary: RunSummary) -> float | None:
    """The value of the metric a person would call the loss, None where there is none."""
    for name in ("loss", "train/loss", "train_loss", "loss/total"):
        if name in summary.metrics:
            return summary.metrics[name]
    return next((value for name, value in summary.metrics.items() if "loss" in name), None)


def _when(summary: RunSummary, now: float) -> str:
    ago = max(0.0, now - summary.heard)
    return f"{number.duration(ago)} ago" if summary.lifecycle in OVER else "now"
