"""The parameters a model and its optimizers share: their names, their layers, and who updates whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_WRAPPERS = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile put before every name."""

_SHARDED = ("FullyShardedDataParallel", "DTensor", "FlatParameter")


def stepping(optimizers: Iterable[Optimizer]) -> list[Optimizer]:
    """The optimizers whose `step` moves the weights: accelerate's is a wrapper of the real one."""
    return [getattr(optimizer, "optimizer", optimizer) for optimizer in optimizers]


def owned(optimizer: Optimizer) -> list[Tensor]:
    """The trainable parameters this optimizer updates."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"] if parameter.requires_grad]


def names(model: Module, optimizers: Sequence[Optimizer]) -> dict[int, str]:
    """The name of each trainable parameter of the model by its id, in the model's order; then what only an optimizer knows."""
    found = {id(parameter): _bare(name) for name, parameter in model.named_parameters() if parameter.requires_grad}
    for number, optimizer in enumerate(optimizers, 1):
        for place, parameter in enumerate(owned(optimizer)):
            found.setdefault(id(parameter), f"(optimizer {number}).{place}")
    return found


def unowned(model: Module, optimizers: Iterable[Optimizer]) -> list[str]:
    """Names of trainable parameters no optimizer updates: they stay what they were at initialisation."""
    updated = {id(parameter) for optimizer in optimizers for parameter in owned(optimizer)}
    return [_bare(name) for name, parameter in model.named_parameters() if parameter.requires_grad and id(parameter) not in updated]


def layer(name: str) -> str:
    """The module a parameter belongs to: `decoder.0.weight` → `decoder.0`; the model itself is `(model)`."""
    return name.rpartition(".")[0] or "(model)"


def is_sharded(model: Module) -> bool:
    """Whether each rank sees only its part of a parameter, so that a norm taken here would be a part of the norm."""
    kinds = {type(part).__name__ for part in (*model.modules(), *model.parameters())}
    return not kinds.isdisjoint(_SHARDED)


def _bare(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name
