"""A series of values in one line, as rules are tested with: `1+2x3 _ 5` is 1, 3, 5, 7, nothing, 5.

The notation is that of Prometheus' rule tests. It knows no rule and no step: what a place in the series means is its reader's business.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 1_000_000
"""Values one line may stand for: more are a slip of the finger."""

_NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|inf)"
_PIECE: Final = re.compile(rf"(?P<first>{_NUMBER}|_)(?:(?P<step>[+-](?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+))?x(?P<times>\d+))?", re.IGNORECASE)


class NotationError(ValueError):
    """A piece of a series that means nothing; the text names it."""


def series(text: str) -> list[float | None]:
    """The values of a line, None where one is missing.

    `3` a value; `_` none; `nan`, `inf`, `-inf` as such; `ax4` the value a and the same again four times; `a+bx4` a and four values, each b
    more than the one before; `a-bx4` each b less; `_x4` four missing. Raises `NotationError`.
    """
    values: list[float | None] = []
    for piece in text.split():
        found = _PIECE.fullmatch(piece)
        if found is None:
            raise NotationError(f"{piece!r} is no value: write 5, _, 5x3, 1+2x3 or 1-2x3")
        times = int(found["times"] or 0)
        if len(values) + times >= LONGEST:
            raise NotationError(f"{piece!r} makes more than {LONGEST:,} values")
        if found["first"] == "_":
            if found["step"]:
                raise NotationError(f"{piece!r} counts up from nothing")
            values += [None] * max(1, times)
        else:
            first, step = float(found["first"]), float(found["step"] or 0)
            values += [first + step * place for place in range(times + 1)]
    return values
