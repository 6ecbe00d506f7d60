"""Bars for usage: counts sorted from the most used to the least, in eighths of a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ASCII = " ..::||##"


def histogram(counts: ArrayLike, width: int, height: int, *, sort: bool = True, ascii: bool = False) -> list[str]:
    """`height` lines of `width` cells, the highest bar full. `counts` has any shape; NaN, infinities and negatives count as 0.

    More counts than cells are averaged, fewer are spread. A bar that is not empty shows at least an eighth of a cell: only what
    was never used is blank.
    """
    width, height = max(0, width), max(0, height)
    heights = _resampled(_clean(counts, sort), width)
    top = float(heights.max()) if len(heights) else 0.0
    eighths = np.zeros(width, np.int64)
    if top > 0:
        eighths = np.asarray(np.rint(heights / top * 8 * height), dtype=np.int64)
        eighths = np.where(heights > 0, np.maximum(eighths, 1), 0)
    steps = _ASCII if ascii else _EIGHTHS
    rows = [np.clip(eighths - 8 * (height - 1 - row), 0, 8) for row in range(height)]
    return ["".join(steps[level] for level in row.tolist()) for row in rows]


def _clean(counts: ArrayLike, sort: bool) -> NDArray[np.float64]:
    values = np.asarray(counts, dtype=np.float64).ravel()
    values = np.where(np.isfinite(values) & (values > 0), values, 0.0)
    if len(values) and (top := values.max()) > 0:
        values = values / top  # sums of 1e308 must not overflow
    return np.sort(values)[::-1] if sort else values


def _resampled(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means of `size` stretches of `values`, or values repeated where there are fewer."""
    if not len(values) or not size:
        return np.zeros(size)
    edges = np.arange(size + 1) * len(values) // size
    begins = np.minimum(edges[:-1], len(values) - 1)
    widths = np.maximum(edges[1:] - edges[:-1], 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.maximum(sums[begins + widths] - sums[begins], 0.0) / widths, dtype=np.float64)
