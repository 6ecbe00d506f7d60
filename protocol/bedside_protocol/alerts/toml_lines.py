"""On which line of a TOML text something stands: its reader gives values without places, and a person who slipped needs the place.

Statements are cut apart with the reader itself (a statement ends where what was read so far is whole), so nothing of TOML is known twice.
It knows no rule: a path is the keys and places that lead to a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_PLACE: Final = re.compile(r" \((?:at line (?P<line>\d+), column \d+|at end of document)\)$")
_LONGEST: Final = 1000
"""Lines of one statement that are tried: a longer one is known by its first line alone."""


class Lines:
    """The lines of a text that can be read as TOML."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {(): 1}
        self._tables: dict[Path, int] = {}
        """How many tables each list of tables has so far."""
        self._note(text.splitlines())

    def __repr__(self) -> str:
        return f"<Lines of {len(self._lines)} values>"

    def line(self, path: Path) -> int:
        """Where the value at `path` is written, from 1; where that is not known, what holds it."""
        return next(self._lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self._lines)

    def _note(self, lines: Sequence[str]) -> None:
        table: Path = ()
        for first, statement in _statements(lines):
            content = tomllib.loads("\n".join(statement))
            if statement[0].lstrip().startswith("["):
                table = self._opened(content)
                self._lines.setdefault(table, first)
                continue
            for path, value in _paths(content, table):
                self._lines.setdefault(path, first)
                if isinstance(value, list) and len(statement) > 1:
                    self._note_elements(path, first, statement)

    def _opened(self, header: Any) -> Path:
        """The path of a table from its header alone, which reads as empty tables in each other."""
        path: Path = ()
        while header:
            ((key, header),) = header.items()
            path = (*path, key)
            if isinstance(header, list):
                self._tables[path] = self._tables.get(path, 0) + 1
                header = header[0]
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _note_elements(self, path: Path, first: int, statement: Sequence[str]) -> None:
        """The elements of a list that is written over several lines: as many are there as can be read when it is closed early."""
        known = 0
        for length in range(1, len(statement) + 1):
            for element in range(known, known := max(known, _elements([*statement[:length], "]"]))):
                self._lines[(*path, element)] = first + length - 1


def complaint(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """The line and the sentence of a text that cannot be read."""
    said = str(error)
    found = _PLACE.search(said)
    if found is None:
        return 1, said
    return int(found["line"] or text.rstrip().count("\n") + 1), said[: found.start()]


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Each table header and each key with its value, and the line it begins on."""
    statement: list[str] = []
    for number, line in enumerate(lines, 1):
        if not statement and (not line.strip() or line.lstrip().startswith("#")):
            continue
        statement.append(line)
        if len(statement) > _LONGEST or _whole(statement):
            if len(statement) <= _LONGEST:
                yield number - len(statement) + 1, statement
            statement = []


def _whole(statement: Sequence[str]) -> bool:
    try:
        tomllib.loads("\n".join(statement))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _elements(statement: Sequence[str]) -> int:
    try:
        value: Any = tomllib.loads("\n".join(statement))
    except tomllib.TOMLDecodeError:
        return 0
    while isinstance(value, dict):
        value = next(iter(value.values()))
    return len(value) if isinstance(value, list) else 0


def _paths(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _paths(below, (*path, key))
