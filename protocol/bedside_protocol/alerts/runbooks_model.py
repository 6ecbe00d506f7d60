"""What to do about alarms on the model itself and on the loop that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook

MODEL_RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType({
    "dead-parameters": Runbook(
        title="dead parameters",
        what="parameters that should train get no gradient, or exactly zero, step after step",
        why=(
            "not reached by the loss: a branch unused, a detach, a no_grad",
            "reentrant gradient checkpointing of a function given None or a dict",
            "a unit that is off for every input (dead ReLU, closed gate)",
            "meant to be frozen, but requires_grad is still on",
        ),
        look=(("o", "which layers: one branch, or everything before one point?"), ("l", "since which phase or event?")),
        fixed=(
            "pass only tensors through checkpointing, or use_reentrant=False",
            "remove the detach; check that the branch's output is used",
            "requires_grad_(False) on what is meant to be frozen",
        ),
    ),
    "unowned-parameters": Runbook(
        title="unowned parameters",
        what="trainable parameters are in no optimizer that is watched: nothing will ever change them",
        why=(
            "a module added after the optimizer was made",
            "parameters collected from a list or dict that is no ModuleList or ModuleDict",
            "another optimizer holds them: pass it to watch() too",
        ),
        look=(("o", "their names: one module, or scattered?"),),
        fixed=("make the optimizer last", "ModuleList instead of list", "watch(model, optimizer_a, optimizer_b)"),
    ),
    "frozen-weights": Runbook(
        title="nothing moves",
        what="the optimizer steps, gradients arrive, and no weight of any layer changes",
        why=(
            "learning rate zero: a warm-up in the wrong unit, or a schedule that has run out",
            "the optimizer holds copies: it was made before the model was moved or compiled",
            "weights in half precision and steps too small to change them",
            "a scaler or a guard that skips every step",
        ),
        look=(("h", "lr: zero, or what you meant?"), ("o", "update ratio by layer, and the parameters called unchanged")),
        fixed=("step the scheduler in the unit it was made for", "make the optimizer last", "keep master weights in float32"),
    ),
    "nonfinite-weights": Runbook(
        title="weights not a number",
        what="a tensor that is watched holds NaN or infinity: every output that uses it is lost",
        why=(
            "a step with a gradient that was not finite: no scaler, or no check before the step",
            "a division by zero in what is written to it by hand: a moving average, a normalisation",
            "a checkpoint that was bad already",
        ),
        look=(("h", "the metric and the gradient norm of the step before"), ("l", "a resume, a checkpoint or a phase at that step")),
        fixed=("go back to the last checkpoint before it", "skip steps whose gradient is not finite", "an epsilon in the denominator"),
    ),
    "wrong-scale": Runbook(
        title="wrong scale",
        what="a tensor's standard deviation is far from the one you said it needs; below a tenth its signal drowns in the next bias",
        why=(
            "initialised with the std of a weight (0.02) where a signal of 1 is needed: queries, embeddings",
            "multiplied twice by a scale, or never",
            "weight decay on a tensor that should have none",
        ),
        look=(
            ("o", "std beside the norm of the bias that is added: which is larger?"),
            ("o", "similarity of what is made of it: near 1 proves the signal is lost"),
        ),
        fixed=("initialise at std 1", "drop the bias of the projection behind it", "take it out of weight decay"),
    ),
    "early-module": Runbook(
        title="awake too early",
        what="a module that was to wait changes what passes it: untrained, it adds noise to all that learns meanwhile",
        why=(
            "only its loss is delayed; the architecture is live from the first step",
            "its last layer is not initialised to zero",
            "the epoch at which it wakes is counted from 0 in one place and from 1 in another",
        ),
        look=(
            ("o", "its share of the input by step: constant from step 1 is architecture, a jump is the schedule"),
            ("h", "the loss: worse than without the module?"),
        ),
        fixed=(
            "multiply what it adds by a gate that is zero until its epoch",
            "zero the last layer, so that it begins as an identity",
            "scale and shift with gamma near 1 and beta near 0 in its place",
        ),
    ),
    "dead-units": Runbook(
        title="dead units",
        what="nearly all units of a module are zero for every sample: it passes nothing on, and no gradient back",
        why=("learning rate too high once: a large step below the kink of a ReLU", "biases far below zero", "inputs not normalised"),
        look=(("o", "which module, and its mean and std: from which step on?"), ("h", "a spike of the gradient norm before it")),
        fixed=("a lower learning rate or a warm-up", "LeakyReLU, GELU or SiLU", "a normalisation before the activation"),
    ),
    "saturated-units": Runbook(
        title="saturated units",
        what="a bounded activation (tanh, sigmoid) sits at its ends, where its gradient is nearly zero",
        why=("weights or inputs too large for it", "a gate that has closed, or opened, for good", "no normalisation before it"),
        look=(("o", "which module, and the norm of its layer's weights"), ("o", "whether layers before it still get gradient")),
        fixed=("normalise before the activation", "smaller initial weights", "nothing, for a gate that is meant to be decided"),
    ),
    "constant-output": Runbook(
        title="constant output",
        what="two different inputs give the same output: whatever the loss does, the model answers without looking",
        why=(
            "the output projection is not connected to what was computed",
            "the encoder's part of the output is multiplied by zero, detached or overwritten",
            "a mode collapse: the mean of all targets is the cheapest answer",
            "convention of time or tau reversed, so that the input carries nothing",
        ),
        look=(
            ("o", "parameters without gradient: everything before one point is the place where it is cut"),
            ("i", "samples: the same picture every time?"),
            ("h", "the loss: at the value of always predicting the mean?"),
        ),
        fixed=("connect it and check that outputs vary before training", "remove the detach", "a smaller weight on a VAE's prior"),
    ),
    "never-reset": Runbook(
        title="gradients pile up",
        what="gradients of earlier steps are still there when new ones are added: each step goes where all before it went",
        why=(
            "zero_grad is missing, or called on another optimizer",
            "zero_grad between backward and step, under another name",
            "accumulation without its end",
        ),
        look=(("o", "which parameters: all of them, or those of one optimizer?"), ("h", "gradient norm: growing step by step?")),
        fixed=("optimizer.zero_grad() once before each backward", "one zero_grad for each optimizer"),
    ),
    "same-batch": Runbook(
        title="same batch again",
        what="the model is given the tensors it was given before",
        why=(
            "next(iter(loader)) in the loop: a new iterator each step",
            "a loader's workers share one random seed",
            "a buffer that is filled once and read for ever",
            "one batch on purpose: overfitting a batch, or all data at once",
        ),
        look=(("o", "in the next step, or twice within one?"), ("h", "the loss: far too smooth, far too low")),
        fixed=("make the iterator outside the loop", "seed workers apart", "nothing, where it is meant"),
    ),
    "noisy-evaluation": Runbook(
        title="noisy evaluation",
        what="a part of the model gives two different outputs for one batch in evaluation: what is measured there wavers",
        why=(
            "dropout called as a function without training=self.training",
            "a module that was set back to train() inside the model",
            "noise added in forward whatever the mode; a sampler in a part of the model",
        ),
        look=(("o", "the module that is named: the innermost that differs"), ("h", "the evaluation loss: how much of its wobble is this?")),
        fixed=(
            "F.dropout(x, p, self.training), or nn.Dropout",
            "noise only while self.training",
            "nothing, where it samples by intention: switch the rule off",
        ),
    ),
})  # fmt: skip
