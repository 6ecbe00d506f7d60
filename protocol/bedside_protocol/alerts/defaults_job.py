"""Rules about the job around the model: its schedule, its data, its memory, its steps."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.conditions import Beyond, NoStep
from bedside_protocol.alerts.rules import OnMetric, OnProbe, OnRun, Rule, Span

_PAIR: Final = Span(2)
"""Two snapshots: one odd one is no finding."""

JOB_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="failed-preflight",
        title="preflight failed",
        watch=OnProbe("preflight"),
        conditions=(Beyond("failed", amber_above=0.0),),
        message="{value:.0f} of its checks failed",
        runbook="failed-preflight",
        worst="amber",  # it was said before the training, which goes on all the same
    ),
    Rule(
        name="schedule-ignored",
        title="schedule not applied",
        watch=OnProbe("schedule"),
        conditions=(Beyond("deviation", red_above=0.05),),
        message="off by {value:.0%} of what was declared",
        runbook="schedule-ignored",
        for_amber=_PAIR,
        for_red=_PAIR,
        keep_firing_for=_PAIR,
    ),
    Rule(
        name="failing-more",
        title="fails more often",
        watch=OnProbe("success"),
        conditions=(Beyond("drop", amber_above=0.2, red_above=0.4),),
        message="succeeds {value:.0%} less often than usual",
        runbook="failing-more",
        for_amber=_PAIR,
        for_red=_PAIR,
        keep_firing_for=_PAIR,
    ),
    Rule(
        name="memory-end",
        title="memory runs out",
        watch=OnMetric(glob="system/memory_hours_left"),
        conditions=(Beyond("hours", amber_below=1.0, red_below=0.25),),
        message="{value:.2g} hours left at this pace",
        runbook="memory-end",
        for_amber=Span(120, "seconds"),  # a cache that fills has this slope for a while
        for_red=Span(120, "seconds"),
        keep_firing_for=Span(120, "seconds"),
    ),
    Rule(
        name="stall",
        title="stalled",
        watch=OnRun(),
        conditions=(NoStep(),),
        message="no step for {silence:.0f} s, median step {median:.3g} s",
        runbook="stall",
    ),
)
