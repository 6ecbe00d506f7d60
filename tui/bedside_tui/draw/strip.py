"""Usage over time: a row a stretch of steps, a column a few codes, shades for how much of the window they took.

Rows stand still as columns of a chart do: each covers 2**k steps from a multiple of that on, the newest fills up, and when the height
is full two become one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bedside_protocol.series import column_shift

_SHADES = " ░▒▓█"
_ASCII = " .:+#"


def strip(steps: Sequence[int], usage: Sequence[ArrayLike], width: int, height: int, *, ascii: bool = False) -> list[tuple[int, str]]:
    """At most `height` rows (first step of the row, `width` cells), oldest first.

    `usage[i]` are the counts of all codes at `steps[i]`, in the codes' own order. A row shows the newest counts of its stretch, a
    cell the share of its codes: `▒` is an even share, `█` three times that, blank is never used. Steps that went back to a
    checkpoint are shown where they belong, the newest in place of the old.
    """
    if not steps or width < 1 or height < 1:
        return []
    shift = column_shift(min(steps), max(steps), min(height, len(steps)))
    newest = {step >> shift: place for place, step in enumerate(steps)}
    shades = _ASCII if ascii else _SHADES
    return [(row << shift, _shaded(usage[place], width, shades)) for row, place in sorted(newest.items())[-height:]]


def span_of(steps: Sequence[int], height: int) -> int:
    """Steps a row of the strip covers."""
    return 1 << column_shift(min(steps), max(steps), max(1, min(height, len(steps)))) if steps else 1


def _shaded(counts: ArrayLike, width: int, shades: str) -> str:
    values = np.asarray(counts, dtype=np.float64).ravel()
    values = np.where(np.isfinite(values) & (values > 0), values, 0.0)
    top = float(values.max()) if len(values) else 0.0
    if top <= 0:
        return shades[0] * width
    share = _by_cell(values / top, width)
    even = share.mean()
    level = np.where(share <= 0, 0, 1 + (share > 0.5 * even) + (share > 1.5 * even) + (share > 3 * even))
    return "".join(shades[at] for at in level.tolist())


def _by_cell(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The sum of the codes of each cell; a code is repeated where there are more cells than codes."""
    if len(values) <= width:
        return values[np.arange(width) * len(values) // width]
    return np.asarray(np.bincount(np.arange(len(values)) * width // len(values), values, width), dtype=np.float64)
