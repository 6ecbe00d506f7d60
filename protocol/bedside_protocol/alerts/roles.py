"""Which losses the training minimises, judged by their names: the total, or what there is in its place.

A part of a total is judged with the total. A part that balances another (commitment, KL, an auxiliary loss) rises from nothing in
healthy trainings and is never judged alone. Losses of an evaluation answer another question: whether the model generalises.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.metrics import Kind, kind_of, words_of

Role: TypeAlias = Literal["total", "part", "balance", "evaluation", "none"]

_EVALUATION: Final = frozenset({"val", "valid", "validation", "eval", "evaluation", "test", "dev", "holdout"})
_BALANCE: Final = frozenset({
    "commit", "commitment", "vq", "codebook", "quant", "quantization", "quantizer", "embedding", "kl", "kld", "aux", "auxiliary",
    "balance", "balancing", "router", "z", "reg", "regularization", "regulariser", "regularizer", "penalty", "decay", "sparsity",
    "entropy", "consistency", "diversity", "l1", "l2",
})  # fmt: skip
_SAID_OF_A_TOTAL: Final = frozenset({
    "loss", "losses", "objective", "cost", "total", "train", "training", "trainer", "step", "steps", "epoch", "batch", "minibatch",
    "avg", "average", "mean", "ema", "running", "smooth", "smoothed", "overall", "sum", "all", "model", "iter", "metrics",
})  # fmt: skip
_TOTALS_NOUN: Final = frozenset({"loss", "losses", "objective", "cost"})


@lru_cache(maxsize=4096)
def role_of(name: str, kind: Kind | None = None) -> Role:
    """What a metric of this name is among the losses of a run; `none` for no loss. `kind`: as the script defined it, else by its name."""
    if (kind or kind_of(name)) != "loss":
        return "none"
    words = frozenset(words_of(name))
    if words & _EVALUATION:
        return "evaluation"
    if words & _TOTALS_NOUN and words <= _SAID_OF_A_TOTAL:
        return "total"
    return "balance" if words & _BALANCE and not words >= {"cross", "entropy"} else "part"


def totals_of(part: str, totals: Iterable[str]) -> frozenset[str]:
    """The totals a part is a term of: the one it is named under, or failing any all of them. None where it is no part."""
    if role_of(part, "loss") not in ("part", "balance"):
        return frozenset()
    totals = frozenset(total for total in totals if role_of(total, "loss") == "total")
    return frozenset(total for total in totals if part.startswith(total + "/")) or totals


def names_an_evaluation(name: str) -> bool:
    """Whether a phase, or a metric, of this name is a look at the model, whatever steps are logged in it."""
    return not _EVALUATION.isdisjoint(words_of(name))


def trained_on(names: Iterable[str], definitions: Definitions = NOTHING_SAID) -> frozenset[str]:
    """Those of a run's metrics by whose level the training is judged: its totals, or failing any its parts."""
    roles = {name: role_of(name, definitions.kind_of(name)) for name in names}
    totals = frozenset(name for name, role in roles.items() if role == "total")
    return totals or frozenset(name for name, role in roles.items() if role == "part")
