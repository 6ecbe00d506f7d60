"""What to do about alarms on curves: losses and whatever else is logged."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook

CURVE_RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType({
    "nonfinite": Runbook(
        title="not a number",
        what="a value became NaN or infinite; whatever it touches from here on is lost",
        why=(
            "learning rate too high",
            "division by something that reaches zero: a temperature, a variance, a time embedding",
            "logarithm or square root at or below zero",
            "half precision overflowed without a gradient scaler",
            "a bad batch: empty, or not finite itself",
        ),
        look=(
            ("h", "the metric just before: a rise says learning rate, a jump says batch or division"),
            ("o", "which layer's gradient was not finite first"),
            ("l", "what happened at that step: a schedule, a phase, a new loss part"),
        ),
        fixed=(
            "go back to the last checkpoint before it",
            "learning rate a tenth to a hundredth (1e-4 to 1e-5)",
            "an epsilon in the denominator; clamp before the logarithm",
            "clip the gradient norm",
        ),
    ),
    "explosion": Runbook(
        title="explosion",
        what="the loss jumps far above its level and above where the training began",
        why=("learning rate too high", "no warm-up", "gradients not clipped", "targets or inputs not normalised"),
        look=(
            ("h", "gradient norm: does it grow step by step before the loss does?"),
            ("h", "lr: is it still warming up?"),
            ("C", "a checkpoint now is suspect; the last good one is on the first line"),
        ),
        fixed=("a lower learning rate or a longer warm-up", "clip the gradient norm at 1", "start again from the last good checkpoint"),
    ),
    "spike": Runbook(
        title="spike",
        what="one value far above its level; the loss came back at once, and so will the alarm",
        why=(
            "a bad batch: mislabelled, empty, of another length or source",
            "a step too large once: a gradient that was not clipped",
            "a periodic event: re-initialisation, a new shard, a new epoch",
        ),
        look=(
            ("h", "gradient norm at that step; do spikes come at equal distances?"),
            ("l", "an event, epoch or phase at that step"),
        ),
        fixed=("nothing, where it stays alone", "clip the gradient norm at 1", "find and drop the batch"),
    ),
    "periodic-spikes": Runbook(
        title="periodic spikes",
        what="the loss jumps again and again, each time soon after the same event, or at equal distances, and has to be learnt down again",
        why=(
            "what the event does: a whole codebook re-initialised, a buffer emptied, weights swapped",
            "done too often: dead codes brought back every step instead of every hundred",
            "an epoch without shuffling: the same bad batch comes at the same place",
            "optimizer state reset, or a schedule that restarts",
        ),
        look=(
            ("l", "what was marked just before each spike?"),
            ("h", "the parts of the loss: which one jumps first, and how long does it take to come back?"),
            ("b", "codes in use before and after each re-initialisation"),
        ),
        fixed=("do it less often", "re-initialise only what is dead, among the data", "shuffle the data", "keep the optimizer's state"),
    ),
    "gradient-growth": Runbook(
        title="gradients grow",
        what="the gradient norm has grown eightfold in three to six even rises and is where it has not been before: some steps of warning",
        why=(
            "learning rate too high for where the training now is",
            "something that divides or scales runs away: a temperature, a variance, a logit scale",
            "bad data, step after step",
            "half precision near its limit",
        ),
        look=(
            ("C", "a checkpoint now, before the loss follows"),
            ("o", "which layer's gradient grows first"),
            ("h", "the norm on a logarithmic axis (y), the loss, lr and temperature beside it"),
        ),
        fixed=(
            "clip the gradient norm at 1",
            "a lower learning rate, or skip the batches that do it",
            "a floor under the temperature or the variance",
            "go back to the last good checkpoint",
        ),
    ),
    "loss-level": Runbook(
        title="lost level",
        what="the loss has risen from its best level and stays there; single spikes do not count",
        why=(
            "learning rate too high for where the training now is",
            "an optimizer state lost or a schedule restarted on resume",
            "the data changed: another split, another mixture, a broken shard",
            "a new term in the loss: then the level is new, not lost",
        ),
        look=(
            ("h", "the loss from its best on, with lr beside it"),
            ("o", "gradient norm and update ratio: larger than before?"),
            ("l", "resume, epoch or phase at that step"),
        ),
        fixed=("go back to the last good checkpoint with a lower learning rate", "clip the gradient norm", "skip the data that did it"),
    ),
    "never-learns": Runbook(
        title="never learns",
        what="after 1,000 steps the loss is not 2 % below where it began",
        why=(
            "learning rate far too low, or zero",
            "the output is not connected to what is optimised",
            "parameters missing from the optimizer",
            "target or time convention reversed",
            "learning rate so high that it never settles",
        ),
        look=(
            ("o", "parameters without gradient or in no optimizer; update ratio near 0"),
            ("h", "lr: is it what you declared?"),
            ("h", "the loss on a logarithmic axis (y): falling slowly, or flat?"),
        ),
        fixed=("connect the output projection", "overfit one batch first: it must reach zero", "learning rate ten times up, or down"),
    ),
    "overfitting": Runbook(
        title="overfitting",
        what="the evaluation loss has lost half of what it had gained, while the training goes on",
        why=(
            "too little data, or too many epochs of it",
            "too little regularisation for the size of the model",
            "evaluation data of another kind, or evaluated in training mode",
        ),
        look=(("h", "training and evaluation loss together (t keeps one): where do they part?"), ("i", "samples of the evaluation split")),
        fixed=("the checkpoint with the lowest evaluation loss", "more data, augmentation, dropout, weight decay", "a smaller model"),
    ),
})  # fmt: skip
