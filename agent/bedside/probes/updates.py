"""How far one optimizer step moves the weights, compared with how large they are.

A ratio near 1e-3 is a common aim; one of 1e-1 shakes the network, one of 1e-6 stands still (Karpathy, CS231n notes on training). Only a
sample of each tensor is copied, so that a scheduled step costs little memory however large the model is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedside.probes.tensor_norms import norms, sample

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Move:
    """What one step did to one parameter: 0-d tensors on its device, over the same sample of elements."""

    moved: Tensor
    """‖after − before‖"""
    weight: Tensor
    """‖before‖"""
    pushed: Tensor | None
    """‖gradient applied‖, None where there was none: a weight that was pushed and did not move is *unchanged*."""
    parts: float
    """Elements of the parameter for each one in the sample."""


class Updates:
    """Created before an optimizer's step, asked once after it."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        self._before = [sample(parameter).clone() for parameter in self._parameters]
        self._weights = norms(self._before)
        self._pushes: dict[int, Tensor] = {}
        self.see_gradients()

    def see_gradients(self) -> None:
        """Note the gradients about to be applied. Once more after the step where the step itself computes them (a closure)."""
        pushed = [p for p in self._parameters if p.grad is not None and p.grad.layout == p.layout]
        gradients = norms([sample(p.grad) for p in pushed if p.grad is not None])
        self._pushes = dict(zip(map(id, pushed), gradients, strict=True))

    def moves(self) -> dict[int, Move]:
        """Each parameter's move, by the parameter's id."""
        import torch

        if not self._parameters:
            return {}
        torch._foreach_sub_(self._before, [sample(parameter) for parameter in self._parameters])
        each = zip(self._parameters, self._before, norms(self._before), self._weights, strict=True)
        return {
            id(parameter): Move(moved, weight, self._pushes.get(id(parameter)), parameter.numel() / max(1, difference.numel()))
            for parameter, difference, moved, weight in each
        }
