"""What one output of a module tells: which units are alive, how much is saturated, mean and spread, and a sample for the rank.

Arithmetic on tensors, where they live: nothing here waits for the device, keeps a graph or changes what it is given. Torch is present
whenever this is called. When outputs are read, and over how many steps, is the probe's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedside.probes.effective_rank import sample
from bedside.probes.intake import Refused, is_tensor
from bedside.probes.subsample import thinned

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_MOST_NUMBERS = 1 << 20
"""Numbers of an output that are read: 4 MiB as float32, a few milliseconds of a core."""

_ZERO = 1e-8
"""A unit whose output never leaves this is dead: exactly 0 after a ReLU, and as good as that after a GELU far below."""

_EDGE = 0.01
"""Within this share of the half-width of its range an activation is saturated: tanh beyond 0.99, where its slope is below 2 %."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "Tanh": (-1.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "Hardsigmoid": (0.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "ReLU6": (-6.0, 6.0),  # its lower end, 0, is rest and not saturation
}

_SPATIAL = re.compile(r"^(?:Conv|ConvTranspose|(?:Max|Avg|LP|AdaptiveMax|AdaptiveAvg|FractionalMax)Pool|Dropout)([123])d$")
_SECOND = ("_NormBase", "GroupNorm")
_LAST = ("Linear", "LayerNorm", "RMSNorm", "Embedding", "RNNBase", "MultiheadAttention")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One output, read. Tensors are still where the module is.

    `totals` float32 (5): finite numbers, their mean, their variance, saturated ones, and those not finite. `alive` bool (units): which
    left zero. `rows` counts the samples of a unit; `sample` is at most 256 × 256 of (rows, units).
    """

    totals: Tensor
    alive: Tensor
    rows: int
    sample: Tensor


def look(module: Module, output: Tensor) -> Look:
    """Read what a module gave; refused where there are no floating-point numbers in it."""
    import torch

    if not output.is_floating_point() or output.numel() == 0:
        raise Refused("an output without floating-point numbers; it is not read")
    with torch.no_grad():
        rows = _rows(output.detach(), unit_axis(module, output.ndim)).float()
        size = rows.abs()
        finite = size < torch.inf
        count = finite.sum().float()
        values = rows.where(finite, 0.0)
        mean = values.sum() / count
        variance = (values - mean).where(finite, 0.0).square().sum() / count
        totals = torch.stack([count, mean, variance, _saturated(module, rows), rows.numel() - count])
        return Look(totals, ~(size.amax(0) <= _ZERO), rows.shape[0], sample(rows).clone())


def unit_axis(module: Module, dimensions: int) -> int:
    """Which axis of an output counts units (channels, features).

    By the module's type; for one that could be either, such as an activation, the second of four or more, else the last.
    """
    kinds = [kind.__name__ for kind in type(module).__mro__]
    if dimensions < 2:
        return dimensions - 1
    if any(kind in _LAST for kind in kinds):
        return dimensions - 1
    if any(kind in _SECOND for kind in kinds):
        return 1
    for kind in kinds:
        if spatial := _SPATIAL.match(kind):
            return max(0, dimensions - 1 - int(spatial[1]))
    return 1 if dimensions > 3 else dimensions - 1


def bounds(module: Module) -> tuple[float, float] | None:
    """The range an activation saturates at the ends of; None where it has none."""
    for kind in (kind.__name__ for kind in type(module).__mro__):
        if kind in _RANGES:
            return _RANGES[kind]
        if kind == "Hardtanh":
            return float(module.min_val), float(module.max_val)  # type: ignore[arg-type]
    return None


def _saturated(module: Module, rows: Tensor) -> Tensor:
    """How many numbers lie within 1 % of the half-width from an end of the module's range."""
    if (ends := bounds(module)) is None:
        return rows.new_zeros(())
    margin = _EDGE * (ends[1] - ends[0]) / 2
    return ((rows > ends[1] - margin) | (rows < ends[0] + margin)).sum().float()


def _rows(values: Tensor, axis: int) -> Tensor:
    """An output as (samples, units), with no more samples than are worth reading: evenly spread items, and positions of them."""
    values = values.reshape(-1) if values.ndim == 0 else values
    units = values.shape[axis]
    most = max(1, _MOST_NUMBERS // units)
    if 0 < axis < values.ndim - 1:  # few items first, so that a picture's channels are moved to the end in those alone
        values = thinned(values, max(1, _MOST_NUMBERS * 4 // max(1, values[0].numel())))
    rows: Tensor = thinned(values.movedim(axis, -1).reshape(-1, units), most)
    return rows


def first_tensor(output: Any) -> Tensor | None:
    """The tensor an output is, or the first in a tuple, a list or a mapping."""
    for _ in range(4):
        if is_tensor(output):
            return output
        inner = list(output.values()) if isinstance(output, Mapping) else output
        if not isinstance(inner, tuple | list) or not inner:
            return None
        output = inner[0]
    return None
