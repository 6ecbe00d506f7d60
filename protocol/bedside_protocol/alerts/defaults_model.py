"""Rules about the model: its gradients, weights and activations, and the loop that trains it. The numbers are those of docs/failures.md's
post-mortems, or lie between its healthy and its broken trainings."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.causes import OUTPUTS_DIFFER_BY, SAME_OUTPUTS
from bedside_protocol.alerts.conditions import All, Beyond, NamesPersist
from bedside_protocol.alerts.rules import Grace, OnProbe, Rule, Span

_PAIR: Final = Span(2)
"""Two snapshots: one odd one is no finding."""

_NOT_ZERO: Final = 1e-12
"""A layer that moved by less did not move: the least step of float32 is 6e-8 of its weights."""

WEIGHT_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="dead-parameters",
        title="dead parameters",
        watch=OnProbe("gradients"),
        conditions=(NamesPersist(texts=("none", "zero"), of="tensors", share=2 / 3),),
        message="{count:.0f} of {tensors:.0f} without gradient: {names}",
        runbook="dead-parameters",
        for_amber=Span(20, "steps"),  # exactly zero at the first step is how an adapter begins
        for_red=Span(200, "steps"),
        keep_firing_for=_PAIR,
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
        name="frozen-weights",
        title="nothing moves",
        watch=OnProbe("gradients"),
        conditions=(Beyond("update_ratio_max", red_below=_NOT_ZERO),),
        message="no weight has moved since step {first_step:,}",
        runbook="frozen-weights",
        for_amber=_PAIR,
        for_red=Span(3),
        keep_firing_for=Span(1),
        grace=Grace(step=10),  # a warm-up may begin at zero
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="nonfinite-weights",
        title="weights not a number",
        watch=OnProbe("parameter"),
        conditions=(Beyond("nonfinite", red_above=0.0),),
        message="{value:.0f} values not finite since step {first_step:,}",
        runbook="nonfinite-weights",
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite", "nonfinite-weights"),
    ),
    Rule(
        name="wrong-scale",
        title="wrong scale",
        watch=OnProbe("parameter"),
        conditions=(Beyond("std_ratio", amber_below=0.5, red_below=0.1, amber_above=2.0),),
        message="std is {value:.3g} of what it should be",
        runbook="wrong-scale",
        for_red=_PAIR,
        keep_firing_for=_PAIR,
        quiet_under=("nonfinite", "nonfinite-weights"),
    ),
    Rule(
        name="early-module",
        title="awake too early",
        watch=OnProbe("contribution"),
        conditions=(Beyond("early", red_above=0.01),),
        message="adds {value:.2g} of its input before its time",
        runbook="early-module",
        keep_firing_for=Span(1),
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="dead-units",
        title="dead units",
        watch=OnProbe("activations"),
        conditions=(Beyond("dead_max", amber_above=0.9),),
        message="{value:.0%} of a module's units always zero",
        runbook="dead-units",
        for_amber=Span(3),
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "dead-parameters"),
    ),
    Rule(
        name="saturated-units",
        title="saturated units",
        watch=OnProbe("activations"),
        conditions=(Beyond("saturated_max", amber_above=0.9),),
        message="{value:.0%} of a module's outputs at their bounds",
        runbook="saturated-units",
        for_amber=Span(3),
        keep_firing_for=_PAIR,
        worst="amber",
        quiet_under=("nonfinite", "dead-parameters"),
    ),
)

LOOP_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="constant-output",
        title="constant output",
        watch=OnProbe("structure"),
        conditions=(SAME_OUTPUTS,),
        message="outputs of two inputs differ by {value:.1g}",
        runbook="constant-output",
        for_amber=Span(3),
        for_red=Span(200, "steps"),
        keep_firing_for=_PAIR,
        grace=Grace(step=OUTPUTS_DIFFER_BY),
        quiet_under=("nonfinite", "explosion"),
    ),
    Rule(
        name="constant-output",
        title="constant output",
        watch=OnProbe("structure"),
        # What differs in training and not in evaluation is noise (a VAE's sample, dropout). Evaluation is measured ever more rarely.
        conditions=(
            All(
                (
                    Beyond("output_difference_eval", red_below=1e-3),
                    Beyond("output_difference_eval", per="output_difference", red_below=0.01),
                )
            ),
        ),
        message="outputs of two inputs differ by {value:.1g} but for noise",
        runbook="constant-output",
        for_amber=_PAIR,
        for_red=_PAIR,
        keep_firing_for=Span(1),
        grace=Grace(step=OUTPUTS_DIFFER_BY),
        quiet_under=("nonfinite", "explosion", "constant-output"),
    ),
    Rule(
        name="never-reset",
        title="gradients pile up",
        watch=OnProbe("structure"),
        conditions=(Beyond("never_reset", red_above=0.0),),
        message="gradients not reset since step {first_step:,}",
        runbook="never-reset",
        for_amber=_PAIR,
        for_red=_PAIR,
        keep_firing_for=_PAIR,
    ),
    Rule(
        name="same-batch",
        title="same batch again",
        watch=OnProbe("structure"),
        conditions=(Beyond("same_batch", amber_above=0.0),),
        message="a batch comes again and again since step {first_step:,}",
        runbook="same-batch",
        for_amber=Span(3),
        keep_firing_for=_PAIR,
        worst="amber",
    ),
    Rule(
        name="noisy-evaluation",
        title="noisy evaluation",
        watch=OnProbe("structure"),
        # Noise the model draws itself is how a VAE or a Gumbel sampler works; noise of a part is dropout that nobody switched off.
        conditions=(All((Beyond("eval_differs", amber_above=1e-3), NamesPersist(texts=("eval_differs",), but=("(model)",)))),),
        message="evaluation differs by {value:.2g} in {names}",
        runbook="noisy-evaluation",
        for_amber=_PAIR,
        keep_firing_for=Span(1),
        worst="amber",
        quiet_under=("nonfinite",),
    ),
)
