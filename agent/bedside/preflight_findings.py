"""What a hundred rehearsed steps showed: gradients, finiteness, a loss that falls, memory that does not grow.

Numbers in, a check out; nothing is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from .memory_trend import LEAST_READINGS, significant_slope
from .rehearsal import Check, State

if TYPE_CHECKING:
    from torch.nn import Module

_FALL: Final = 0.02
"""The share of its first value that a loss falls by within a hundred steps on the same few batches, at least."""
_WARM_UP: Final = 0.2
"""The share of the steps in which memory may still grow: caches fill, optimizers get their states."""
_LEAK: Final = 16384.0
"""Bytes a step: less cannot be told from an allocator that settles."""
_LONG_RUN: Final = 100_000
"""Steps: a growth that lasts as long as that is worth a word, one that does not ends the run."""
_NAMES: Final = 3


def gradients(model: Module) -> Check:
    """After one backward: which trainable parameters have no gradient."""
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    without = [name for name, parameter in trainable if parameter.grad is None]
    if without:
        more = f" and {len(without) - _NAMES} more" if len(without) > _NAMES else ""
        return Check("gradients", "warn", f"none reaches {', '.join(without[:_NAMES])}{more}")
    return Check("gradients", "ok", f"reach all {len(trainable)} trainable parameters")


def finite(model: Module, losses: Sequence[float]) -> Check:
    """Whether the last loss and the weights are numbers. Training is left at the first loss that is none."""
    if losses and not np.isfinite(losses[-1]):
        return Check("finite", "fail", f"the loss is {losses[-1]} at step {len(losses)}")
    odd = [name for name, parameter in model.named_parameters() if not bool(parameter.detach().isfinite().all())]
    if odd:
        return Check("finite", "fail", f"weights that are NaN or infinite after {len(losses)} steps: {', '.join(odd[:_NAMES])}")
    return Check("finite", "ok", f"loss and weights over {len(losses)} steps")


def falls(losses: Sequence[float], batches: int, remark: str) -> Check:
    """Each batch's first fifth of values against its last: lengths and tasks are never pooled. The worst batch decides.

    `losses` are those of the batches in turn; `remark` goes with the words.
    """
    measured: list[tuple[float, float, float]] = []
    for number in range(batches):
        values = np.array(losses[number::batches])
        few = max(1, len(values) // 5)
        if len(values) >= 4:
            first, last = float(values[:few].mean()), float(values[-few:].mean())
            measured.append(((first - last) / max(abs(first), 1e-12), first, last))
    if not measured or not np.isfinite(losses).all():
        return Check("loss", "not checked", f"too few steps with a finite loss{remark}")
    fall, first, last = min(measured)
    words = f"{first:.4g} → {last:.4g}{remark}"
    if first == last and len(set(losses)) <= batches:
        return Check("loss", "fail", f"stays at {first:.6g}: a learning rate of 0, or weights no optimizer has{remark}")
    if fall <= 0:
        return Check("loss", "fail", f"does not fall: {words}")
    return Check("loss", "ok" if fall >= _FALL else "warn", f"{'falls' if fall >= _FALL else 'hardly falls'}: {words}")


def flat(memory: Sequence[float], free: float) -> Check:
    """Bytes in use after each step, against the bytes that are free: how long a steady growth would last."""
    later = np.array(memory[int(_WARM_UP * len(memory)) :])
    if len(later) < LEAST_READINGS:
        return Check("memory over time", "not checked", "too few steps to tell a leak")
    growth = significant_slope(np.arange(len(later), dtype=np.float64), later)
    if growth < _LEAK:
        return Check("memory over time", "ok", f"flat over {len(later)} steps")
    steps = free / growth
    state: State = "fail" if steps < _LONG_RUN else "warn"
    return Check("memory over time", state, f"grows by {size_of(growth)} a step: what is free lasts {steps:,.0f} steps")


def size_of(count: float) -> str:
    """Bytes as a person reads them: `1.2 GB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"
