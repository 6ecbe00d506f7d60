"""Values in their own order as upright bars, all equally wide: frames, bins, classes. Numbers in, text out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ASCII = " ..::||##"
_WIDEST = 4
"""Cells of a bar at most: wider ones say no more."""


def cells_of(count: int, width: int) -> int:
    """Cells that a profile of so many values takes of `width`: a multiple of their number, where there is room for all."""
    if count < 1 or width < 1:
        return 0
    return count * min(_WIDEST, width // count) if count <= width else -(-count // -(-count // width))


def profile(values: NDArray[np.float64], width: int, height: int, *, top: float | None = None, ascii: bool = False) -> list[str]:
    """`height` lines of `cells_of(len(values), width)` cells; a bar of `top` is full, by default that of the largest finite value.

    Bars begin at zero. A value above zero shows at least an eighth of a cell; one below is blank; NaN and infinities are a `╳` (`x`) on
    the lowest line. Where there are more values than cells, a bar is the largest of its neighbours.
    """
    cells = cells_of(values.size, width)
    if not cells or height < 1:
        return [""] * max(0, height)
    each = -(-values.size // width)
    shown = np.maximum.reduceat(values, np.arange(0, values.size, each))
    finite = np.isfinite(shown)
    most = top if top is not None and math.isfinite(top) else float(shown[finite].max()) if finite.any() else 0.0
    shares = np.where(finite & (shown > 0), np.minimum(shown, most), 0.0) / most if most > 0 else np.zeros(shown.size)
    eighths = np.rint(shares * 8 * height).astype(np.int64)
    eighths = np.where(shares > 0, np.maximum(eighths, 1), 0)
    steps, wide = _ASCII if ascii else _EIGHTHS, cells // shown.size
    rows = [[steps[level] for level in np.clip(eighths - 8 * (height - 1 - row), 0, 8).tolist()] for row in range(height)]
    rows[-1] = [mark if ok else "x" if ascii else "╳" for mark, ok in zip(rows[-1], finite.tolist(), strict=True)]
    return ["".join(mark * wide for mark in row) for row in rows]
