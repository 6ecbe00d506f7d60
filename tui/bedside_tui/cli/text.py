"""One run as plain text, for pipes and for terminals that show no screens."""

from __future__ import annotations

from typing import Final

from bedside_protocol.sanitise import text as safe
from bedside_tui.draw import number
from bedside_tui.run_summary import RunSummary

_NOTES: Final = 3
"""Notes told of a run, the newest."""
HEALTH: Final = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "unknown": "unknown"}


def status_text(summary: RunSummary) -> str:
    """A few lines about one run."""
    lines = [
        f"{summary.project + '/' if summary.project else ''}{summary.name}  {state_of(summary)}  step {number.count(summary.step)}",
        f"health   {HEALTH[summary.verdict]}  ({summary.alerts['red']} red, {summary.alerts['amber']} amber so far)",
    ]
    if summary.person_verdict:
        lines.append(f"verdict  {summary.person_verdict}  (by {summary.person})")
    if summary.tags:
        lines.append(f"tags     {' '.join(summary.tags)}")
    lines += [f"note     step {note.step:,}: {note.text}  ({note.author})" for note in summary.notes[-_NOTES:]]
    lines += [f"firing   {alert['severity']}: {alert['rule']} on {alert['target']}: {alert['message']}" for alert in summary.firing]
    lines += [f"{name:<28} {number.value(value)}" for name, value in sorted(summary.metrics.items()) if not name.startswith("system/")]
    lines.append(f"where    {safe(summary.dir, 1000)}")
    return "\n".join(lines)


def state_of(summary: RunSummary) -> str:
    """The lifecycle with its reason, short."""
    return f"{summary.lifecycle} ({summary.reason})" if summary.reason and len(summary.reason) < 40 else summary.lifecycle
