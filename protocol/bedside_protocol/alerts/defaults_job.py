"""Rules about the job around the model: its schedule, its data, its memory, its steps."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.conditions import Beyond, Ends, NoStep
from bedside_protocol.alerts.rules import Grace, OnMetric, OnProbe, OnRun, Rule, Span

_PAIR: Final = Span(2)
"""Two snapshots: one odd one is no finding."""

_OUT_OF_MEMORY: Final = (
    "*out of memory*",  # torch.cuda.OutOfMemoryError, a CUDA error of 2, and what the hub says of the kernel's memory killer
    "*outofmemory*",
    "*memoryerror*",  # of Python and numpy
    "*can't allocate memory*",  # torch's allocator on the host
    "*cannot allocate memory*",  # the system's word for ENOMEM
)
"""How an exception or a signal says that there was no memory left, in small letters."""

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
        name="schedule-ignored",
        title="schedule not applied",
        watch=OnProbe("schedule"),
        conditions=(Beyond("deviation_lasting", amber_above=0.05),),  # of three values: one snapshot will do
        message="off by {value:.0%} of what was declared",
        runbook="schedule-ignored",
        keep_firing_for=_PAIR,
        worst="amber",
        grace=Grace(step=20),  # who counts steps from 0 is one off: in a straight warm-up less than 5 % from there on
        quiet_under=("schedule-ignored",),
    ),
    Rule(
        name="failing-more",
        title="fails more often",
        watch=OnProbe("success"),
        conditions=(Beyond("drop", amber_above=0.2, red_above=0.4),),
        message="succeeds {value:.0%} less often than usual",
        runbook="failing-more",
        horizon="hour",
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
        horizon="hour",
        # an end is only told of a growth that has lasted for a tenth of the time left, and does not slow down: see `memory_trend`
        for_amber=Span(10, "seconds"),
        for_red=Span(10, "seconds"),
        keep_firing_for=Span(60, "seconds"),
    ),
    Rule(
        name="out-of-memory",
        title="out of memory",
        watch=OnRun(),
        conditions=(Ends(("failed", "killed"), _OUT_OF_MEMORY),),
        message="{reason} after step {made:,}",
        runbook="out-of-memory",
    ),
    Rule(
        name="crash",
        title="crashed",
        watch=OnRun(),
        conditions=(Ends(("failed",), but=_OUT_OF_MEMORY),),
        message="{reason} after step {made:,}",
        runbook="crash",
    ),
    Rule(
        name="killed",
        title="killed",
        watch=OnRun(),
        # Ctrl-C in a call that never came back to Python ends a process by this signal: that was a person's wish
        conditions=(Ends(("killed",), but=(*_OUT_OF_MEMORY, "2: sigint*")), Ends(("died",))),
        message="{reason} after step {made:,}",
        runbook="killed",
        worst="amber",  # somebody or a scheduler may have meant it
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
