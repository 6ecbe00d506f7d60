"""Rules about curves: losses and whatever else is logged. Numbers are relative; those of one training are nobody else's."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.conditions import (
    Beyond,
    DoesNotFall,
    Explodes,
    Grows,
    LostLevel,
    Memorises,
    NonFinite,
    Recurs,
    Spikes,
)
from bedside_protocol.alerts.rules import Grace, OnMetric, OnProbe, Rule, Span
from bedside_protocol.records import Severity

_NOT_LOSS_NOR_NORM: Final = ("reward", "ratio", "count", "entropy", "time", "memory", "rate", "accuracy", "other")

_OVERFITTING: Final[tuple[tuple[LostLevel | Memorises, Span, Severity], ...]] = (
    (Memorises(), Span(10), "amber"),  # what was learnt by then is in a checkpoint
    (Memorises(gap=100.0, rise=1.05), Span(10), "amber"),
    (Memorises(gap=100.0, red_after=3.0), Span(10), "red"),  # three quarters of the training only made it worse
    (LostLevel(), Span(), "amber"),
    (LostLevel(share=1.0), Span(), "red"),  # nothing of it is left
)

_SCALER_SETTLES: Final = 20
"""Steps within which a gradient scaler has found its scale, by overflowing."""

_EVALUATIONS: Final = ("*val*", "test[_/ .-]*", "*[_/ .-]test")
"""Losses of data that is not trained on: val, valid, eval, validation, evaluation; test, where it is a word of its own."""

CURVE_RULES: Final[tuple[Rule, ...]] = (
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
        watch=OnMetric(kinds=("norm",)),
        conditions=(NonFinite(),),
        message="{value} since step {first_step:,}",
        runbook="nonfinite",
        # A gradient norm is infinite in the steps a gradient scaler skips: now and then, and some running while it looks for its scale.
        for_amber=Span(5),
        for_red=Span(5),
        keep_firing_for=Span(50),
        grace=Grace(step=_SCALER_SETTLES),
        quiet_under=("nonfinite",),
    ),
    Rule(
        name="nonfinite",
        title="not a number",
        watch=OnMetric(kinds=_NOT_LOSS_NOR_NORM),
        conditions=(NonFinite(),),
        message="{value} since step {first_step:,}",
        runbook="nonfinite",
        for_red=Span(5),  # an accuracy of nothing is NaN
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
        for_amber=Span(2),
        for_red=Span(2),
        keep_firing_for=Span(3),
        grace=Grace(step=_SCALER_SETTLES),
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
        horizon="hour",
        for_amber=Span(2),
        keep_firing_for=Span(200, "steps"),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "loss-level", "periodic-spikes"),
    ),
    Rule(
        name="periodic-spikes",
        title="periodic spikes",
        watch=OnMetric(kinds=("loss",)),  # parts too: what an event does to one of them the total may hide
        conditions=(Recurs(),),
        message="{why}, {times:.3g}×",
        runbook="periodic-spikes",
        keep_firing_for=Span(1000, "steps"),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "loss-level", "periodic-spikes"),
    ),
    Rule(
        name="loss-level",
        title="lost level",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(LostLevel(),),
        message="level {level:.4g}, was {best:.4g}, since step {first_step:,}",
        runbook="loss-level",
        horizon="hour",
        keep_firing_for=Span(1000, "steps"),
        quiet_under=("nonfinite", "explosion"),
        assures="ok",
    ),
    Rule(
        name="never-learns",
        title="never learns",
        watch=OnMetric(kinds=("loss",), trained_on=True),
        conditions=(DoesNotFall(),),
        message="{level:.4g}, began at {reference:.4g}{cause}",
        runbook="never-learns",
        quiet_under=("nonfinite", "explosion", "loss-level", "frozen-weights"),
    ),
    Rule(
        name="gradient-growth",
        title="gradients grow",
        watch=OnMetric(kinds=("norm",)),
        conditions=(Grows(),),
        message="{before:.3g} to {value:.3g} in {steps:,.0f} steps, doubling",
        runbook="gradient-growth",
        keep_firing_for=Span(200, "steps"),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "gradient-growth"),
        targets=("*[gG]rad*", "*gnorm*"),
    ),
    Rule(
        name="gradient-growth",
        title="gradients grow",
        watch=OnProbe("gradients"),
        conditions=(Grows("norm"),),
        message="{before:.3g} to {value:.3g} in {steps:,.0f} steps, doubling",
        runbook="gradient-growth",
        keep_firing_for=Span(3),
        worst="amber",
        quiet_under=("nonfinite", "explosion", "gradient-growth"),
    ),
    *(
        Rule(
            name="overfitting",
            title="overfitting",
            watch=OnMetric(kinds=("loss",), glob=evaluation),
            conditions=(limits,),
            message="level {level:.4g}, was {best:.4g}, since step {first_step:,}",
            runbook="overfitting",
            horizon="hour",
            for_amber=lasting,
            for_red=lasting,
            keep_firing_for=Span(1000, "steps"),
            worst=worst,
            quiet_under=("nonfinite", "explosion", "loss-level", "overfitting"),
        )
        for evaluation in _EVALUATIONS
        for limits, lasting, worst in _OVERFITTING
    ),
)
