"""Which of many rows are looked at where looking at all would cost too much.

The choice is a function of the two numbers alone: no random number is drawn, and the same shape is always thinned the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import is_tensor

_GOLDEN = (math.sqrt(5) - 1) / 2
_NEAR = 16
"""Steps tried on either side."""


def positions(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the places 0 … `count` − 1, ascending, spread evenly.

    Multiples of a step near `count` · 0.618 that shares no divisor with `count`, modulo `count`: a plain stride over (batch × frames)
    flattened would pick the same frame of every video, this one meets every residue of every period equally often.
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.arange(most, dtype=np.int64) * _step(count) % count)


@lru_cache(maxsize=1024)
def _step(count: int) -> int:
    """Of the steps near `count` · 0.618 that share no divisor with it, the one whose multiples gather least: that with the smallest
    largest term in the continued fraction of step / count."""
    ideal = round(count * _GOLDEN)
    near = [step for step in range(max(1, ideal - _NEAR), ideal + _NEAR + 1) if math.gcd(step, count) == 1]
    return min(near, key=lambda step: (max(_terms(step, count)), abs(step - ideal)))


def _terms(part: int, whole: int) -> Iterator[int]:
    """The terms of the continued fraction of part / whole."""
    while part:
        yield whole // part
        whole, part = part, whole % part


def thinned(values: Any, most: int, axis: int = 0) -> Any:
    """A tensor or an array with at most `most` entries along `axis`; itself where it has no more. Never waits for the device to compute."""
    if values.shape[axis] <= most:
        return values
    chosen = positions(values.shape[axis], most)
    if is_tensor(values):
        import torch

        return values.detach().index_select(axis, torch.from_numpy(chosen).to(values.device))
    return np.take(values, chosen, axis)
