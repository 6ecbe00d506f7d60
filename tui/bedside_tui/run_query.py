"""Which runs of a list, and in what order: the small language of `bedside runs --filter` and of the list's own filter.

Words parted by blanks must all hold. A word is a text that the row contains, or `key=value`; `alert>=amber` is the one comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bedside_tui.run_row import ALIVE, RunRow

FILTERS: Final = "TEXT, name=, tag=, state= (also over, alive), verdict=, alert>=amber, alert>=red; with nothing after =: none"
_HEALTH: Final = {"none": 0, "pending": 0, "ok": 1, "amber": 2, "red": 3}

Holds = Callable[[RunRow], bool]


class BadQuery(ValueError):
    """Not understood; the text says what is."""


def _best(row: RunRow) -> tuple[str, float] | None:
    """The first best value, the better the smaller; runs with the same metric stand together."""
    if not row.best:
        return None
    first = row.best[0]
    return first.metric, first.value if first.direction == "down" else -first.value


KEYS: Final[Mapping[str, Callable[[RunRow], Any]]] = {
    "name": lambda row: row.title.lower(),
    "when": lambda row: row.heard,
    "state": lambda row: row.lifecycle,
    "step": lambda row: row.step,
    "loss": lambda row: row.loss,
    "best": _best,
    "verdict": lambda row: row.verdict.lower() or None,
    "tags": lambda row: row.tags or None,
    "notes": lambda row: row.notes,
    "alert": lambda row: _HEALTH[row.health],
}
"""What rows are sorted by, each from the lowest; `best` from the best. `-KEY` is the other way. A row that has None there comes last."""


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are sorted by: (key, whether the other way), the first counts most."""

    keys: tuple[tuple[str, bool], ...]

    def __str__(self) -> str:
        return ",".join(f"{'-' if backwards else ''}{key}" for key, backwards in self.keys)

    def sorted(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """The rows in this order; those that are equal in it stay as they stand."""
        ordered = list(rows)
        for key, backwards in reversed(self.keys):
            having = [row for row in ordered if KEYS[key](row) is not None]
            lacking = [row for row in ordered if KEYS[key](row) is None]
            ordered = sorted(having, key=KEYS[key], reverse=backwards) + lacking
        return ordered


AS_THEY_ARE: Final = Order(())


def read_order(text: str) -> Order:
    """`KEY[,-KEY]`; an empty text leaves the rows as they are. Raises `BadQuery`."""
    if not text.strip():
        return AS_THEY_ARE
    keys = [(word.strip().removeprefix("-"), word.strip().startswith("-")) for word in text.split(",")]
    for key, _ in keys:
        if key not in KEYS:
            raise BadQuery(f"cannot sort by {key[:100]!r}: {', '.join(KEYS)}, with - in front for the other way")
    return Order(tuple(keys))


def read_filter(text: str) -> Holds:
    """Whether a row is meant; an empty text means all. Raises `BadQuery`."""
    terms = [_term(word) for word in text.split()]
    return lambda row: all(term(row) for term in terms)


def _term(word: str) -> Holds:
    if word.startswith("alert"):
        return _alert(word)
    key, equals, value = word.lower().partition("=")
    if not equals or key not in _EQUALS:
        if equals and key.isalpha():
            raise BadQuery(f"cannot filter by {key[:100]!r}: {FILTERS}")
        return lambda row: _contains(row, word.lower())
    return lambda row: _EQUALS[key](row, value)


def _alert(word: str) -> Holds:
    least = word.removeprefix("alert>=")
    if least not in ("amber", "red") or least == word:
        raise BadQuery(f"{word[:100]!r} is not understood: alert>=amber or alert>=red")
    return lambda row: _HEALTH[row.health] >= _HEALTH[least]


_EQUALS: Final[Mapping[str, Callable[[RunRow, str], bool]]] = {
    "name": lambda row, value: value in row.title.lower(),
    "tag": lambda row, value: value in (tag.lower() for tag in row.tags) if value else not row.tags,
    "state": lambda row, value: value == row.lifecycle or value == ("alive" if row.lifecycle in ALIVE else "over"),
    "verdict": lambda row, value: row.verdict.lower().startswith(value) if value else not row.verdict,
}


def _contains(row: RunRow, text: str) -> bool:
    texts = (row.title, row.id, row.state, row.verdict, *row.tags, row.newest)
    return any(text in each.lower() for each in texts)
