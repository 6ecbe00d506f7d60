"""What to do about alarms on what a model makes: codes, classes, pictures, rollouts, and things that should differ."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook

OUTPUT_RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType({
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
    "class-collapse": Runbook(
        title="class collapse",
        what="one class is predicted for nearly everything, or a class worth predicting never is; loss and accuracy do not show it",
        why=(
            "noise from modules that are not trained yet: the commonest class is the safest answer",
            "a bias or weight against the common class that overshoots, first one way, then the other",
            "the rare classes are too rare for the batch, or lost in sampling",
            "targets shifted by one: a class is predicted under another's name",
        ),
        look=(
            ("o", "predicted beside target classes: which are missing, since when?"),
            ("o", "contribution of modules that should still wait"),
            ("i", "samples: background everywhere?"),
        ),
        fixed=(
            "keep modules that wait an identity until their epoch",
            "remove the bias against the common class before adding another",
            "weights in the loss by inverse frequency; focal loss",
            "switch what was changed last on one at a time",
        ),
    ),
    "few-classes": Runbook(
        title="few classes",
        what="predictions spread over a quarter or less of the classes that the targets spread over",
        why=("a class collapse on its way, or early in training", "a loss dominated by a few common classes", "too low a temperature"),
        look=(("o", "predicted beside target classes, and whether the number still grows"), ("h", "accuracy beside it")),
        fixed=("wait, while it grows", "balanced sampling, or weights by class", "label smoothing"),
    ),
    "later-worse": Runbook(
        title="later is worse",
        what="the loss of the last third of frames, positions or timesteps is more than four times that of the first",
        why=(
            "trained on short pieces, asked for long ones",
            "errors feed on themselves: each frame is made from the last one made",
            "no signal of time or position at the far end",
            "noise levels of one end are rarely drawn",
        ),
        look=(
            ("o", "the profile: a steady rise is accumulation, a step is a length never trained"),
            ("i", "samples: from which frame on are they blurred?"),
        ),
        fixed=(
            "train on longer pieces, or several steps ahead",
            "scheduled sampling: some of its own frames among the given",
            "weights by index; draw the weak end more often",
        ),
    ),
    "poor-pictures": Runbook(
        title="poor pictures",
        what="samples are below 15 dB of their targets and no longer getting better",
        why=("the decoder does not use what it is given", "too strong a bottleneck or prior", "targets and outputs on different scales"),
        look=(("i", "sample beside target: blurred, shifted in colour, or something else altogether?"), ("h", "the loss: still falling?")),
        fixed=("same normalisation of targets and outputs", "a wider bottleneck, a smaller prior weight", "a perceptual loss beside it"),
    ),
    "rollout-collapse": Runbook(
        title="rollout collapse",
        what="left to itself the model loses most of its codes in its first own frame, however it samples; teacher-forced losses stay fine",
        why=(
            "it attends to real codes and not to its own: one wrong first prediction, no slow decay",
            "trained on soft codes, run on hard ones",
            "the memory of earlier frames is empty or padded at the first step",
            "the same fault in every checkpoint: then it is the architecture, not the last change",
        ),
        look=(
            ("o", "codes by frame: a cliff at frame 1, then flat"),
            ("o", "divergence and entropy of its logits: low entropy is confident and wrong"),
            ("b", "the codebook: are all codes in use when teacher-forced?"),
        ),
        fixed=(
            "scheduled sampling, or a head that predicts several steps",
            "hard codes in training as in the rollout",
            "fill the memory from real frames before the first own one",
            "look at inputs again only afterwards: with 30 codes left every one looks weak",
        ),
    ),
    "sampling-collapse": Runbook(
        title="sampling collapse",
        what="codes are lost under one way of sampling and kept under another: the logits are sound",
        why=("argmax, or a temperature too low, on logits of high entropy", "top-k or nucleus cut too tightly"),
        look=(("o", "codes by frame of every variant side by side"), ("i", "samples of the variant that keeps its codes")),
        fixed=("sample: temperature near 1, top-k 50, or nucleus 0.9",),
    ),
    "drifting-rollout": Runbook(
        title="drifts from its teacher",
        what="two predictions of one thing are more than a nat apart and not coming closer",
        why=(
            "free-running inputs differ from those it was trained on",
            "confident and wrong: the divergence rises while the entropy falls",
            "a policy leaves its reference faster than its penalty holds it",
        ),
        look=(("o", "divergence beside both entropies and the agreement"), ("o", "rollout: does the number of codes fall too?")),
        fixed=("scheduled sampling", "a larger weight on the divergence from the reference", "nothing, where they are meant to part"),
    ),
    "ignored-input": Runbook(
        title="ignored input",
        what="changing an input leaves the output as it was",
        why=(
            "it is not needed: another input says the same (a shortcut)",
            "its embedding is too small beside the others",
            "it is dropped, masked or detached on the way",
            "only in the rollout: then look for a collapse first, which makes every input look weak",
        ),
        look=(("o", "effect of each input, and their ratio"), ("o", "gradient of the layers that read it: zero?")),
        fixed=("scale its embedding like the others", "drop the shortcut for a part of the batch", "check the mask"),
    ),
    "equal-pair": Runbook(
        title="equal pair",
        what="two quantities that should differ are the same within 1 %; equal to the last digit, they are one quantity",
        why=(
            "the reference is the model itself: the same object, or weights that are shared",
            "the signal that should tell them apart dies on the way: too small for its projection, lost in a bias",
            "attention that averages over everything, so both passes see the same",
            "the task does not need the difference: even random queries give the same",
        ),
        look=(
            ("o", "follow the signal: std of the parameter, likeness of the vectors, entropy of the attention"),
            ("o", "parameters without gradient: where does the difference end?"),
            ("h", "both losses: one line or two?"),
        ),
        fixed=(
            "copy the reference before training, and freeze it",
            "initialise queries at std 1, drop the bias behind them",
            "nothing, where they ought to be equal (train against evaluation): switch the rule off",
        ),
    ),
    "alike-vectors": Runbook(
        title="vectors alike",
        what="vectors that should tell things apart all point the same way",
        why=("their own part is small beside a bias or mean they share", "a contrastive or self-distilled training that has collapsed"),
        look=(("o", "cosine and effective rank: since the first step, or sinking?"), ("o", "std of the parameter they come from")),
        fixed=("initialise at std 1; drop the bias", "a contrastive or diversity loss", "nothing, where the task needs no difference"),
    ),
    "uniform-attention": Runbook(
        title="uniform attention",
        what="attention spreads evenly over all it may see: it averages, and the query says nothing",
        why=(
            "queries or keys too small: logits near zero",
            "temperature too high, or divided twice by the root of the dimension",
            "the branch is not trained yet, or gets no gradient",
        ),
        look=(("o", "entropy and largest weight by layer and head: all, or one?"), ("o", "std of queries and keys")),
        fixed=("initialise the query at std 1", "a deeper query, a lower temperature", "nothing, for a head that is meant to average"),
    ),
    "invalid-attention": Runbook(
        title="invalid attention",
        what="rows of attention do not add up to 1, or look where the mask forbids",
        why=("weights taken after dropout or before the softmax", "the mask inverted: True where it may not attend", "all keys masked"),
        look=(("o", "how many rows, in which layer"), ("l", "what the probe said about them")),
        fixed=("give the probe weights after the softmax and before dropout", "a mask that is True where a query may attend"),
    ),
})  # fmt: skip
