"""A table as text for a terminal and as Markdown, and the place in a document that is made of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ALL: Final = "detection"
"""The place of every table there is."""
SUMMARY: Final = "detection, side by side"
"""The place of the one that says most."""


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


def begin(place: str) -> str:
    """The mark before a place."""
    return f"<!-- {place} -->"


def end(place: str) -> str:
    """The mark after a place."""
    return f"<!-- /{place} -->"


def put(document: str, places: Mapping[str, Iterable[str]]) -> str:
    """The document with what stands between the marks of each place made anew of paragraphs.

    Raises ValueError where it has no place at all, or one without an end.
    """
    there = [place for place in places if begin(place) in document]
    if not there:
        raise ValueError(f"no line {' or '.join(map(begin, places))} to put tables after")
    for place in there:
        before, _, rest = document.partition(begin(place))
        _, found, after = rest.partition(end(place))
        if not found:
            raise ValueError(f"{begin(place)} is not followed by {end(place)}")
        document = f"{before}{begin(place)}\n" + "\n\n".join(places[place]) + f"\n{end(place)}{after}"
    return document
