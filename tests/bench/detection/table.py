"""A table as text for a terminal and as Markdown, and the place in a document that is made of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

BEGIN: Final = "<!-- detection -->"
END: Final = "<!-- /detection -->"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column is a name, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def text(table: Table) -> str:
    """For a terminal: the first column to the left, the others to the right."""
    lines = (table.header, *table.rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    cells = ([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))] for line in lines)
    return "\n".join((table.title, *("  ".join(line).rstrip() for line in cells)))


def markdown(table: Table) -> str:
    lines = (table.header, ("---", *("---:" for _ in table.header[1:])), *table.rows)
    return "\n".join((f"**{table.title}**", "", *(f"| {' | '.join(line)} |" for line in lines)))


def put(document: str, tables: Iterable[Table], remarks: Iterable[str]) -> str:
    """The document with what stands between its two marks made anew. Raises ValueError where it has no such marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no lines {BEGIN} and {END} to put the tables between")
    parts = (*(markdown(table) for table in tables), *remarks)
    return f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{after}"
