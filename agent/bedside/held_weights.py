"""Keeping a model at the weights of a checkpoint while its training loop runs: what every forward meets is the checkpoint.

Learning is not forbidden, it is taken back: after each step of an optimizer what that one moved, and between two steps all parameters and
buffers. So the loop, its schedules and its optimizers run as they are. Values are kept on the host. It knows no file and no run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from .as_it_was import write_back
from .probes.batch_look import tensors_in
from .probes.intake import is_compiling
from .probes.parameters import owned

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_NEAR: Final = 1e-3
"""Relative change of a parameter that is no training: a script may normalise its weights before each step."""


class HeldWeights:
    """Parameters and buffers of `model` as they are now."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.data = ""
        """A digest of what the first forward was given; empty until then."""
        self._values = {name: tensor.detach().to("cpu", copy=True) for name, tensor in _tensors(model)}
        self._names = {id(tensor): name for name, tensor in _tensors(model)}
        self._hook = model.register_forward_pre_hook(self._see, with_kwargs=True)

    def __repr__(self) -> str:
        return f"<HeldWeights of {type(self.model).__name__}, {len(self._values)} tensors>"

    def write_back(self) -> list[str]:
        """Put every tensor back, whatever became of it; the names of those that are no longer there, or have another shape."""
        now = dict(_tensors(self.model))
        lost = [name for name, value in self._values.items() if name not in now or now[name].shape != value.shape]
        for name, tensor in now.items():
            if name in self._values and name not in lost:
                write_back(tensor, self._values[name])
        return lost

    def after_step(self, optimizer: Optimizer) -> None:
        """Put back what this optimizer has moved, and nothing else: a backward pass may still need the rest of the graph."""
        for parameter in owned(optimizer):
            if (name := self._names.get(id(parameter))) is not None:
                write_back(parameter, self._values[name])

    def moved(self, optimizer: Optimizer) -> list[str]:
        """The parameters of this optimizer that are not what they were."""
        return [
            name
            for parameter in owned(optimizer)
            if (name := self._names.get(id(parameter))) is not None and _differ(parameter, self._values[name])
        ]

    def _see(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if is_compiling() or module is not self.model:  # a copy of the model has a copy of its hooks
            return
        self._hook.remove()
        self.data = _digest(tensors_in((args, kwargs)))


def _tensors(model: Module) -> Iterator[tuple[str, Tensor]]:
    return chain(model.named_parameters(), model.named_buffers())


def _differ(parameter: Tensor, value: Tensor) -> bool:
    now = parameter.detach().to("cpu").double()
    before = value.double()
    return now.shape != before.shape or bool((now - before).norm() > _NEAR * before.norm())


def _digest(tensors: list[Tensor]) -> str:
    """Names the values: equal for equal ones, of whatever device. Waits for it."""
    import torch

    found = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        found.update(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest() if tensors else ""
