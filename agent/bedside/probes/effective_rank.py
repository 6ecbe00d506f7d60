"""Effective rank: how many directions a set of vectors really uses.

It knows one formula and how large a sample is enough for it; whose vectors they are is the caller's business.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.subsample import thinned

_LARGEST_SIDE = 256
"""Singular values of 256 × 256 take 4 ms of a core; of 1024 × 1024, 200 ms."""


def sample(rows: Any) -> Any:
    """Of vectors (n, d), as a tensor or an array, evenly spread ones and features of them: at most 256 × 256. May be a view."""
    return thinned(thinned(rows, _LARGEST_SIDE), _LARGEST_SIDE, axis=1)


def effective_rank(rows: NDArray[np.float64]) -> float:
    """exp(−Σ p ln p) with p the singular values of `rows` (n, d) divided by their sum (Roy & Vetterli, EUSIPCO 2007).

    1 where all rows are multiples of one, min(n, d) where all directions are equally strong, 0 where every entry is zero. Rows are
    not centred. Entries must be finite.
    """
    if rows.size == 0:
        return 0.0
    values = np.linalg.svd(rows, compute_uv=False)
    total = float(values.sum())
    if total == 0.0:
        return 0.0
    shares = values[values > 0] / total
    return float(np.exp(-np.sum(shares * np.log(shares))))


def share_of_width(rows: NDArray[np.float64]) -> float:
    """The effective rank divided by the largest the sample can have, min(n, d): 0 … 1. NaN for fewer than two rows or features."""
    return effective_rank(rows) / min(rows.shape) if min(rows.shape) > 1 else float("nan")
