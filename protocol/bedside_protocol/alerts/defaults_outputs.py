"""Rules about what the model makes: codes, classes, rollouts, pictures, attention, and things that should differ. The numbers are those of
docs/failures.md's post-mortems, or lie between its healthy and its broken trainings."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.conditions import (
    All,
    Beyond,
    FellFromPeak,
    NamesPersist,
)
from bedside_protocol.alerts.rules import Grace, OnProbe, Rule, Span

_PAIR: Final = Span(2)
"""Two snapshots: one odd one is no finding."""

_THREE: Final = Span(3)
_LATER: Final = Span(150, "steps")
"""A training begins with one class for everything. The first measurements lie close together, so three of them are not enough."""

_WARM_CODEBOOK: Final = Grace(step=1000, field="window", least=18, per="size")
"""A healthy vector quantizer uses 3 % of its codes at step 200 and 80 % at 1000. The probe looks back on 20 assignments a code; a tenth
of them may be of no code (padding)."""

CODEBOOK_RULES: Final[tuple[Rule, ...]] = (
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
)

PREDICTION_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="class-collapse",
        title="class collapse",
        watch=OnProbe("class_balance"),
        # One class for everything, or a class of a hundredth of the targets never: data of a single class can be neither.
        conditions=(
            All((Beyond("predicted_max", red_above=0.995), Beyond("present", red_above=1.0))),
            All((Beyond("missing", red_above=0.0), Beyond("present", red_above=1.0))),
        ),
        message="largest class {predicted_max:.0%}, never predicted {missing:.0f} of {present:.0f}",
        runbook="class-collapse",
        for_amber=_THREE,
        for_red=_LATER,
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite", "explosion"),
    ),
    Rule(
        name="few-classes",
        title="few classes",
        watch=OnProbe("class_balance"),
        conditions=(Beyond("effective_ratio", amber_below=0.25),),
        message="predicted classes {value:.0%} of the targets' variety",
        runbook="few-classes",
        for_amber=_THREE,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "explosion", "class-collapse"),
    ),
    Rule(
        name="later-worse",
        title="later is worse",
        watch=OnProbe("per_index"),
        conditions=(Beyond("later_worse", red_above=4.0),),  # less is a remark of the review: later places may be harder by nature
        message="loss {value:.1f}× that of the first, since step {first_step:,}",
        runbook="later-worse",
        horizon="hour",
        for_amber=_PAIR,
        for_red=_PAIR,
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite", "explosion", "rollout-collapse"),
    ),
    Rule(
        name="poor-pictures",
        title="poor pictures",
        watch=OnProbe("samples"),
        conditions=(Beyond("psnr/*", amber_below=15.0, unless_mending=True),),
        message="PSNR {value:.1f} dB since step {first_step:,}",
        runbook="poor-pictures",
        horizon="hour",
        for_amber=Span(5),
        keep_firing_for=_PAIR,
        grace=Grace(step=1000),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "rollout-collapse", "constant-output", "codebook-collapse"),
    ),
)

ROLLOUT_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="rollout-collapse",
        title="rollout collapse",
        watch=OnProbe("rollout"),
        # However it samples: the best variant has lost codes too. A little below the fifth at which the next rule takes over.
        conditions=(All((Beyond("collapse", amber_above=0.2, red_above=0.5), Beyond("best", red_above=0.199))),),
        message="{value:.0%} of codes lost in one step, {best:.0%} at best",
        runbook="rollout-collapse",
        for_red=_PAIR,  # amber at once: it is measured rarely, and from a real frame
        keep_firing_for=_PAIR,
        grace=Grace(step=50),  # an untrained model dreams one code
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="sampling-collapse",
        title="sampling collapse",
        watch=OnProbe("rollout"),
        conditions=(All((Beyond("collapse", amber_above=0.2), Beyond("best", amber_below=0.2))),),
        message="{value:.0%} of codes lost, {best:.0%} at best: the sampling",
        runbook="sampling-collapse",
        for_amber=_PAIR,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "rollout-collapse"),
    ),
    Rule(
        name="drifting-rollout",
        title="drifts from its teacher",
        watch=OnProbe("divergence"),
        # Beyond a nat the two hardly agree on the next token. A student that still learns from its teacher begins there, and mends.
        # Amber at most: a policy is meant to leave its reference, and how far is its owner's choice.
        conditions=(Beyond("kl", amber_above=1.0, unless_mending=True),),
        message="KL {value:.3g} nats since step {first_step:,}",
        runbook="drifting-rollout",
        horizon="hour",
        for_amber=_THREE,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "explosion", "rollout-collapse"),
    ),
    Rule(
        name="ignored-input",
        title="ignored input",
        watch=OnProbe("sensitivity"),
        conditions=(NamesPersist(texts=("ignored",)),),
        message="no effect on the output: {names}",
        runbook="ignored-input",
        for_amber=_THREE,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "rollout-collapse", "constant-output"),
    ),
)

LIKENESS_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="equal-pair",
        title="equal pair",
        watch=OnProbe("ratio"),
        conditions=(Beyond("equal", amber_below=0.01), Beyond("apart", red_below=1e-6)),
        message="the ratio is 1 within {value:.1g}",
        runbook="equal-pair",
        # A single snapshot is made of 500 steps.
        for_red=_PAIR,
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="equal-pair",
        title="equal pair",
        watch=OnProbe("ratio"),
        # Two losses of which one was declared to be better, and which stay alike for as long again.
        conditions=(All((Beyond("equal", red_below=0.01), Beyond("success", red_below=0.5))),),
        message="the ratio is 1 within {value:.1g}, not what was declared",
        runbook="equal-pair",
        for_red=Span(500, "steps"),
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite", "equal-pair"),
    ),
    Rule(
        name="alike-vectors",
        title="vectors alike",
        watch=OnProbe("similarity"),
        conditions=(Beyond("cosine", amber_above=0.99),),
        message="mean cosine {value:.4f} since step {first_step:,}",
        runbook="alike-vectors",
        for_amber=_THREE,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "dead-parameters", "constant-output", "wrong-scale"),
    ),
    Rule(
        name="uniform-attention",
        title="uniform attention",
        watch=OnProbe("attention"),
        conditions=(Beyond("entropy", amber_above=0.98, red_above=0.98),),
        message="entropy {value:.3f} of the largest possible",
        runbook="uniform-attention",
        for_amber=Span(300, "steps"),  # every attention begins so
        for_red=Span(1000, "steps"),  # in the mean over all heads: some may be there to average
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="invalid-attention",
        title="invalid attention",
        watch=OnProbe("attention"),
        conditions=(Beyond("invalid", amber_above=0.0),),
        message="{value:.0f} rows of attention are no shares",
        runbook="invalid-attention",
        for_amber=_PAIR,
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite",),
    ),
)
