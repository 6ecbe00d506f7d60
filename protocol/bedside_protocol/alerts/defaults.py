"""The rules every run is judged by. Numbers are relative or scale with the model; those of one training are nobody else's."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.rules import (
    Beyond,
    DoesNotFall,
    Explodes,
    FellFromPeak,
    Grace,
    LostLevel,
    NamesPersist,
    NonFinite,
    NoStep,
    OnMetric,
    OnProbe,
    OnRun,
    Rule,
    Span,
    Spikes,
)

_WARM_CODEBOOK: Final = Grace(step=1000, field="window", least=18, per="size")
"""A healthy vector quantizer uses 3 % of its codes at step 200 and 80 % at 1000. The probe looks back on 20 assignments a code; a tenth
of them may be of no code (padding)."""

_EVERY_OTHER_KIND: Final = ("reward", "ratio", "norm", "count", "entropy", "time", "memory", "rate", "accuracy", "other")

DEFAULT_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="nonfinite",
        title="not a number",
        watch=OnMetric(kinds=("loss", "adversarial")),
        conditions=(NonFinite(),),
        message="{value} since step {first_step:,}",
        runbook="nonfinite",
        keep_firing_for=Span(50),
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="nonfinite",
        title="not a number",
        watch=OnMetric(kinds=_EVERY_OTHER_KIND),
        conditions=(NonFinite(),),
        message="{value} since step {first_step:,}",
        runbook="nonfinite",
        # A gradient norm is infinite in the steps a gradient scaler skips; an accuracy of nothing is NaN. Five running are neither.
        for_red=Span(5),
        keep_firing_for=Span(50),
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="nonfinite",
        title="not a number",
        watch=OnProbe("gradients"),
        conditions=(Beyond("nonfinite", red_above=0),),
        message="{nonfinite:.0f} of {tensors:.0f} gradients not finite since step {first_step:,}",
        runbook="nonfinite",
        for_red=Span(2),
        keep_firing_for=Span(3),
        grace=Grace(step=20),  # a gradient scaler finds its scale by overflowing
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="explosion",
        title="explosion",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(Explodes(),),
        message="{value:.4g}, {times:.3g}× its level, {above}",
        runbook="explosion",
        keep_firing_for=Span(1000, "steps"),
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="spike",
        title="spike",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(Spikes(),),
        message="{value:.4g}, {times:.3g}× its level",
        runbook="spike",
        for_amber=Span(2),
        keep_firing_for=Span(200, "steps"),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "loss-level"),
    ),
    Rule(
        name="loss-level",
        title="lost level",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(LostLevel(),),
        message="level {level:.4g}, was {best:.4g}, since step {first_step:,}",
        runbook="loss-level",
        keep_firing_for=Span(1000, "steps"),
        quiet_under=("nonfinite", "explosion"),
        assures="ok",
    ),
    Rule(
        name="never-learns",
        title="never learns",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(DoesNotFall(),),
        message="{level:.4g} at step {step:,}, began at {reference:.4g}",
        runbook="never-learns",
        worst="amber",
        quiet_under=("nonfinite", "explosion", "loss-level"),
    ),
    Rule(
        name="codebook-collapse",
        title="codebook collapse",
        watch=OnProbe("codebook"),
        conditions=(
            Beyond("usage", amber_below=0.8, red_below=300 / 1024, unless_mending=True),
            Beyond("dead", per="size", red_above=800 / 1024),
        ),
        message="{used:.0f} of {size:.0f} codes since step {first_step:,}",
        runbook="codebook-collapse",
        for_amber=Span(2),
        for_red=Span(4),
        keep_firing_for=Span(4),
        grace=_WARM_CODEBOOK,
        quiet_under=("nonfinite",),
        assures="needed",
    ),
    Rule(
        name="codebook-perplexity",
        title="low perplexity",
        watch=OnProbe("codebook"),
        conditions=(Beyond("perplexity", per="size", amber_below=200 / 1024), FellFromPeak("perplexity", share=0.7)),
        message="perplexity {perplexity:.0f} of {size:.0f} since step {first_step:,}",
        runbook="codebook-perplexity",
        for_amber=Span(3),
        keep_firing_for=Span(4),
        grace=_WARM_CODEBOOK,
        worst="amber",  # unequal use of all codes is legitimate; red needs usage
        quiet_under=("nonfinite", "codebook-collapse"),
    ),
    Rule(
        name="dead-parameters",
        title="dead parameters",
        watch=OnProbe("gradients"),
        conditions=(NamesPersist(texts=("none", "zero"), of="tensors"),),
        message="{count:.0f} of {tensors:.0f} without gradient: {names}",
        runbook="dead-parameters",
        for_amber=Span(20, "steps"),  # exactly zero at the first step is how an adapter begins
        for_red=Span(200, "steps"),
        keep_firing_for=Span(2),
        quiet_under=("nonfinite",),
        assures="ok",
    ),
    Rule(
        name="unowned-parameters",
        title="unowned parameters",
        watch=OnProbe("gradients"),
        conditions=(NamesPersist(texts=("unowned",)),),
        message="{count:.0f} trainable in no optimizer: {names}",
        runbook="unowned-parameters",
        worst="amber",
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
