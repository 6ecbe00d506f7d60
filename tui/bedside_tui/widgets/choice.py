"""Which row is under the cursor, in a list that changes while one looks at it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Choice(Generic[K]):
    """A cursor that stays with its row, not with its place: an alarm that sorts first does not move it to another metric."""

    def __init__(self) -> None:
        self._keys: Sequence[K] = ()
        self._chosen: K | None = None
        self._place = 0

    def __repr__(self) -> str:
        return f"<Choice {self._chosen!r}, {self._place} of {len(self._keys)}>"

    def offer(self, keys: Sequence[K]) -> K | None:
        """The rows there are now, in order. Where the chosen one has gone, the one in its place is chosen; None when there is none."""
        self._keys = keys
        if self._chosen is not None and self._chosen in keys:
            self._place = keys.index(self._chosen)
        self._settle(self._place)
        return self._chosen

    def _settle(self, place: int) -> None:
        self._place = max(0, min(place, len(self._keys) - 1))
        self._chosen = self._keys[self._place] if self._keys else None

    @property
    def keys(self) -> Sequence[K]:
        """The rows offered last."""
        return self._keys

    @property
    def chosen(self) -> K | None:
        return self._chosen

    @property
    def place(self) -> int:
        """Index of the chosen row among those offered last."""
        return self._place

    def choose(self, key: K) -> None:
        """Put the cursor on a row, now or as soon as it is offered."""
        self._chosen = key
        if key in self._keys:
            self._place = self._keys.index(key)

    def move(self, rows: int) -> None:
        """So many rows on, ending at the first and last."""
        self._settle(self._place + rows)

    def last(self) -> None:
        self._settle(len(self._keys) - 1)


def window(count: int, place: int, height: int) -> int:
    """The first row to show of `count` so that row `place` is among the `height` shown, standing still for as long as possible."""
    if height <= 0 or count <= height:
        return 0
    return max(0, min(count - height, place - height + 1 + min(2, height // 4)))
