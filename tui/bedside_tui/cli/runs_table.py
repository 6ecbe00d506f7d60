"""The lab book as text: a table for a terminal or a pipe, or one in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bedside_protocol.lifecycle import OVER
from bedside_tui.draw import number
from bedside_tui.draw.cells import pad, width
from bedside_tui.run_row import RunRow

NONE_YET: Final = "no runs yet: start one with `bedside demo`, or add bedside.init() to a script"
HEAD: Final = ("run", "name", "when", "state", "steps", "best", "health", "verdict", "tags", "notes")
_HEALTH: Final = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "pending": "◌ pending", "none": "unknown"}
_RIGHT: Final = ("steps",)
_WHERE_ANY: Final = ("best", "verdict", "tags", "notes")
"""Columns that are left out of the table while nothing stands in them."""
_LONGEST_NOTE: Final = 60
"""Characters of the newest note in the table; Markdown has all of it."""
_ESCAPED: Final = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|~&$"})
"""What Markdown would obey in the cell of a table."""


def runs_table(rows: Sequence[RunRow]) -> str:
    """One line a run, in columns as wide as they must be."""
    if not rows:
        return NONE_YET
    cells = [_cells(row, _LONGEST_NOTE) for row in rows]
    shown = [place for place, name in enumerate(HEAD) if name not in _WHERE_ANY or any(line[place] for line in cells)]
    table = [[line[place] for place in shown] for line in (HEAD, *cells)]
    widths = [max(width(line[column]) for line in table) for column in range(len(shown))]
    return "\n".join("  ".join(_padded(line, widths, shown)).rstrip() for line in table)


def _padded(line: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> list[str]:
    return [pad(cell, size, "right" if HEAD[place] in _RIGHT else "left") for cell, size, place in zip(line, widths, shown, strict=True)]


def runs_markdown(rows: Sequence[RunRow]) -> str:
    """The same as a Markdown table, with all columns. What Markdown would obey is escaped."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "|".join("---:" if name in _RIGHT else "---" for name in HEAD) + "|"]
    lines += ["| " + " | ".join(cell.translate(_ESCAPED) for cell in _cells(row, 0)) + " |" for row in rows]
    return "\n".join(lines)


def _cells(row: RunRow, longest: int) -> tuple[str, ...]:
    newest = f"{row.newest[: longest - 1]}…" if longest and len(row.newest) > longest else row.newest
    return (
        row.id,
        row.title,
        f"{row.when} ago" if row.lifecycle in OVER else row.when,
        row.state,
        number.count(row.step),
        f"{row.best_said} @ {number.count(row.best[0].step)}" if row.best else "",
        _HEALTH[row.health],
        row.verdict,
        " ".join(row.tags),
        f"{row.notes}: {newest}" if row.notes else "",
    )
