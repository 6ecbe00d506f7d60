"""Where the letters of curves stand, so that each line can be followed without its colour.

Every curve bears its letter at its newest point and at even distances before it; those of different curves stand apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SPACING = 20
"""Cells between two letters of one curve: near enough to follow it, far enough to see it."""

Cell = tuple[int, int]


def lettered(ways: Sequence[Mapping[int, int]], columns: int) -> dict[Cell, int]:
    """Which cell (column, row) bears the letter of which curve. `ways` gives, a curve, the row of the line in each column it is in.

    A cell is given once, to the first that wants it: a letter that would cover another moves to the next free column of its line.
    """
    taken: dict[Cell, int] = {}
    apart = max(SPACING, 2 * len(ways))
    for place, way in enumerate(ways):
        if not way:
            continue
        _give(taken, way, max(way), -1, place)
        for wanted in range(apart * (place + 1) // (len(ways) + 1), columns, apart):
            if wanted in way and max(way) - wanted >= 3:
                _give(taken, way, wanted, 1, place)
    return taken


def _give(taken: dict[Cell, int], way: Mapping[int, int], column: int, direction: int, place: int) -> None:
    while column in way:
        if (column, way[column]) not in taken:
            taken[column, way[column]] = place
            return
        column += direction
