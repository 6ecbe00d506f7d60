"""Which of many rows are looked at where looking at all would cost too much.

The choice is a function of the two numbers alone: no random number is drawn, and the same shape is always thinned the same way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import is_tensor

_GOLDEN = (math.sqrt(5) - 1) / 2


def positions(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the places 0 … `count` − 1, ascending, spread evenly.

    Multiples of a step near `count` · 0.618 that shares no divisor with `count`, modulo `count`: a plain stride over (batch × frames)
    flattened would pick the same frame of every video, this one meets every residue of every period equally often.
    """
    if count <= most:
        return np.arange(count)
    step = round(count * _GOLDEN)
    while math.gcd(step, count) != 1:
        step += 1
    return np.sort(np.arange(most, dtype=np.int64) * step % count)


def thinned(values: Any, most: int, axis: int = 0) -> Any:
    """A tensor or an array with at most `most` entries along `axis`; itself where it has no more. Never waits for the device to compute."""
    if values.shape[axis] <= most:
        return values
    chosen = positions(values.shape[axis], most)
    if is_tensor(values):
        import torch

        return values.detach().index_select(axis, torch.from_numpy(chosen).to(values.device))
    return np.take(values, chosen, axis)
