"""Shares as bars in eighths of a cell."""

from __future__ import annotations

import math

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, *, ascii: bool = False) -> str:
    """`width` cells filled from the left to `share` of 1; more is full, NaN is empty, anything above zero shows."""
    width = max(0, width)
    share = 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)
    eighths = max(round(share * width * 8), 1 if share > 0 and width else 0)
    if ascii:
        return ("#" * -(-eighths // 8)).ljust(width)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")).ljust(width)
