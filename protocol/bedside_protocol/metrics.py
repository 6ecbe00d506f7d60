"""What a metric probably is, judged by its name alone: its kind, its unit, and the group its series belongs to.

Rules need the kind: a level that is lost means something for a loss and nothing for a reward. A guess must err on the quiet side, so
a name that only resembles a loss is `other`. Values are never looked at; what a script says of its metrics itself is `definitions`'.

Series of one metric that must not be pooled (sequence lengths, tasks) are kept apart by name: `loss [T=64]`. Kind and unit are those of
the metric in front of the group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "loss", "adversarial", "reward", "ratio", "norm", "count", "entropy", "time", "memory", "rate", "accuracy", "other"
]  # fmt: skip
"""`adversarial` is every loss whose level says nothing, because its target moves: both players of a GAN, and the actor, critic and
surrogate losses of reinforcement learning. `rate` is a learning rate; `entropy` includes perplexity, which is its exponential."""

SYSTEM_PREFIX = "system/"

_LOSS = {"loss", "losses", "nll", "bce", "mse", "mae", "rmse", "ce", "xent", "crossentropy", "objective", "cost", "bpc", "bpb", "bpd"}
_NOT_THE_LOSS = {"scale", "scaler", "weight", "weights", "coef", "coeff", "coefficient", "ratio", "std", "var", "variance", "count"}
_PLAYERS = {
    "adv", "adversarial", "gan", "gen", "generator", "disc", "dis", "discriminator", "critic", "actor", "policy", "pg", "surrogate",
    "vf", "qf", "qf1", "qf2", "td", "d", "g", "errd", "errg", "lossd", "lossg", "wgan",
}  # fmt: skip

# First match wins: (kind, words of which one must be there).
_BY_WORD: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("rate", frozenset({"lr", "lrs", "learningrate"})),
    ("norm", frozenset({"norm", "norms", "gnorm", "gradnorm"})),
    ("entropy", frozenset({"entropy", "perplexity", "ppl"})),
    ("reward", frozenset({"reward", "rewards", "rew", "return", "returns"})),
    ("accuracy", frozenset({
        "acc", "accuracy", "top1", "top5", "f1", "auc", "auroc", "precision", "recall", "iou", "miou", "dice", "bleu", "rouge",
        "psnr", "ssim", "r2",
    })),
    ("memory", frozenset({"memory", "mem", "rss", "vram", "bytes", "gb", "mb", "gib", "mib"})),
    ("ratio", frozenset({
        "ratio", "share", "fraction", "frac", "percent", "pct", "usage", "util", "utilization", "utilisation", "rate", "cpu",
    })),
    ("time", frozenset({"time", "seconds", "sec", "secs", "ms", "duration", "latency", "elapsed", "eta", "wait"})),
    ("count", frozenset({
        "count", "num", "step", "steps", "epoch", "epochs", "tokens", "samples", "examples", "iter", "iteration", "dead", "used",
        "skipped", "threads", "processes",
    })),
)  # fmt: skip

_UNITS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"ms"}), "ms"),
    (frozenset({"sec", "secs", "seconds"}), "s"),
    (frozenset({"gb", "gib"}), "GB"),
    (frozenset({"mb", "mib"}), "MB"),
    (frozenset({"rss", "bytes", "vram", "memory", "mem"}), "B"),
    (frozenset({"percent", "pct", "cpu"}), "%"),
    (frozenset({"psnr"}), "dB"),
)

_SEPARATORS = re.compile(r"[^0-9A-Za-z]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GROUP = re.compile(r" \[([^\s=\[\]]+=[^\s\[\]]*(?: [^\s=\[\]]+=[^\s\[\]]*)*)\]$")
_NOT_IN_A_GROUP = re.compile(r"[\s\[\]]+")
_NOT_IN_A_KEY = re.compile(r"[\s=\[\]]+")


def grouped(name: str, group: Mapping[str, object]) -> str:
    """The name of the series of `name` in a group: `loss [T=64 task=arc]`, keys in order; `name` itself where the group is empty.

    Spaces and brackets in keys and values become `_`, so that `split_group` finds the same group again.
    """
    if not group:
        return name
    texts = sorted((_NOT_IN_A_KEY.sub("_", str(key)) or "_", _NOT_IN_A_GROUP.sub("_", str(value))) for key, value in group.items())
    return f"{name} [{' '.join(f'{key}={value}' for key, value in texts)}]"


def split_group(name: str) -> tuple[str, dict[str, str]]:
    """The metric and the group of a series: `loss [T=64]` is `loss` of `{"T": "64"}`. Without a group, the name and nothing."""
    found = _GROUP.search(name)
    if found is None:
        return name, {}
    pairs = (pair.partition("=") for pair in found[1].split(" "))
    return name[: found.start()], {key: value for key, _, value in pairs}


def words_of(name: str) -> tuple[str, ...]:
    """The lower-case words of a metric's name: `trainLoss/recon_x [T=64]` is train, loss, recon, x. A group says nothing of the metric."""
    base, _ = split_group(name)
    return tuple(word.lower() for part in _SEPARATORS.split(base) if part for word in _CAMEL.split(part))


def is_system(name: str) -> bool:
    """Whether the agent measured it on the machine, not the script on the model."""
    return name.startswith(SYSTEM_PREFIX)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind:
    """The probable kind of a metric; `other` where the name does not say."""
    words = words_of(name)
    there = frozenset(words)
    if "per" in there:  # samples_per_second, seconds_per_step: a throughput, whichever way up
        return "other"
    if _is_loss(words, there):
        return "adversarial" if _has_moving_target(words, there) else "loss"
    if there >= {"learning", "rate"}:
        return "rate"
    if there & {"loss", "losses"}:  # loss_scale, loss_weight: knobs and statistics of a loss
        return "other"
    return next((kind for kind, known in _BY_WORD if there & known), "other")


@lru_cache(maxsize=4096)
def unit_of(name: str) -> str:
    """The unit to print after a value, empty where the name does not say."""
    words = words_of(name)
    if "per" in words:
        return "/s" if set(words[words.index("per") :]) & {"s", "sec", "second", "seconds"} else ""
    there = frozenset(words)
    return next((unit for known, unit in _UNITS if there & known), "")


def _is_loss(words: tuple[str, ...], there: frozenset[str]) -> bool:
    if there & _NOT_THE_LOSS or there & {"norm", "lr", "time"}:
        return False
    pairs = set(pairwise(words))
    return bool(there & _LOSS) or ("cross", "entropy") in pairs or bool(there & {"errd", "errg", "lossd", "lossg"})


def _has_moving_target(words: tuple[str, ...], there: frozenset[str]) -> bool:
    # "value_loss" and "entropy_loss" are reinforcement learning's; "loss_value" is anybody's.
    pairs = set(pairwise(words))
    return bool(there & _PLAYERS) or ("value", "loss") in pairs or (("entropy", "loss") in pairs and "cross" not in there)
