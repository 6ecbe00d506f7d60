"""What happened since the person last left the run, in one line. The time they left is an argument."""

from __future__ import annotations

from typing import Final

from bedside_tui.asking import Verdict
from bedside_tui.draw import number
from bedside_tui.store.view import View

_A_MOMENT: Final = 1.0
"""Seconds of the run after which who comes back is told that nothing fired: a run that was over when it was left has not gone on."""


def since_left(view: View, left: float, now: float) -> Verdict | None:
    """`since you left (6 h): 1 red, 2 amber`: the alarms that fired after `left`, in seconds of the run as `now` is; None where there is
    nothing to tell."""
    since = [alert.severity for alert in view.alerts if alert.fired_time > left]
    if not since and now - left < _A_MOMENT:
        return None
    news = ", ".join(f"{since.count(severity)} {severity}" for severity in ("red", "amber") if severity in since) or "nothing fired"
    return Verdict(f"since you left ({number.duration(max(0.0, now - left))}): {news}", "amber" if since else "quiet")
