"""Rows in aligned columns: texts to the left, numbers to the right, the widest cell decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bedside_tui.draw.cells import pad, width

Side = Literal["left", "right", "middle"]


def table(
    rows: Sequence[Sequence[str]],
    size: int,
    *,
    sides: Sequence[Side] = (),
    gap: int = 2,
    stretch: int = 0,
    ascii: bool = False,
) -> list[str]:
    """One line a row, each exactly `size` cells.

    `sides` aligns the columns (left where it ends). The column `stretch` takes what is left and gives way first when it gets
    narrow, down to 4 cells; beyond that lines are cut on the right.
    """
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    if stretch < columns:
        spare = size - sum(widths) - gap * (columns - 1)
        widths[stretch] = max(min(widths[stretch], 4), widths[stretch] + spare)
    lines = []
    for row in rows:
        cells = [
            pad(row[at] if at < len(row) else "", widths[at], sides[at] if at < len(sides) else "left", ascii=ascii)
            for at in range(columns)
        ]
        lines.append(pad((" " * gap).join(cells), size, ascii=ascii))
    return lines
