"""What to do about an alarm: for each rule what it means, what usually causes it, where to look next and what fixed it for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Runbook:
    """`look` pairs a key of the viewer with what it shows; causes and fixes come most likely first."""

    title: str
    what: str
    why: tuple[str, ...]
    look: tuple[tuple[str, str], ...]
    fixed: tuple[str, ...]


RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType({
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
    "codebook-collapse": Runbook(
        title="codebook collapse",
        what="few codes carry all assignments; the others are no longer reached by any input",
        why=(
            "codes updated by gradient, without a moving average",
            "commitment and codebook coefficients swapped: compare with your paper",
            "codes re-initialised at every step instead of about every 100",
            "codes not initialised on the scale of the encoder's outputs (unit sphere)",
        ),
        look=(
            ("b", "usage over time: since when, all at once or code by code?"),
            ("h", "the commitment loss: rising from the same step?"),
            ("l", "re-initialisations: do they coincide with spikes?"),
        ),
        fixed=(
            "codes as moving averages, decay 0.99",
            "coefficients as in the paper (VQ-VAE: commitment 0.25, codebook 1)",
            "re-initialise dead codes from encoder outputs, each ~100 steps",
            "normalise codes and encoder outputs",
        ),
    ),
    "codebook-perplexity": Runbook(
        title="low perplexity",
        what="assignments gather on few codes, though more of them are still in use",
        why=(
            "a collapse on its way: usage follows",
            "the data is skewed: a few patterns make most of it, which is healthy",
            "dead codes come back by re-initialisation but attract nothing",
        ),
        look=(("b", "the sorted usage: a cliff is a collapse, a slope is skewed data"), ("h", "reconstruction loss: does it still fall?")),
        fixed=("nothing, if usage holds and the data is skewed", "otherwise as for a collapse: moving averages, coefficients"),
    ),
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
    "stall": Runbook(
        title="stalled",
        what="the process lives and makes no steps: ten times its usual step and a minute at least",
        why=(
            "the data loader waits: a worker died, the network or the disk is slow",
            "another rank waits in a collective, or is gone",
            "an evaluation or a save that is not marked as a phase",
            "the machine is out of memory and swaps",
        ),
        look=(
            ("v", "cpu near zero: it waits; near a hundred: it works on something else"),
            ("l", "the last event before the silence"),
            ("P", "a pause that is never confirmed says the loop is not reached"),
        ),
        fixed=(
            "with run.phase('eval'): around long work between steps",
            "fewer loader workers, a timeout on them",
            "restart from the last checkpoint",
        ),
    ),
})  # fmt: skip
