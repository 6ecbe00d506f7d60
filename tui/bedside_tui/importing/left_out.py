"""What a file holds and an import does not take, counted by what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class LeftOut:
    """Counts by the words for them, in the order in which they were met; 0 for what has no count."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<LeftOut {self.sentence() or 'nothing'}>"

    def add(self, what: str, count: int = 1) -> None:
        """`count` more of `what` ("rows without a step"); 0 is nothing to tell."""
        if count:
            self.counts[what] += count

    def note(self, what: str) -> None:
        """One thing that has a name ("the rest of a file") and needs no count."""
        self.counts[what] = 0

    def sentence(self) -> str:
        """All of it on one line."""
        return in_words(self.counts)


def in_words(counts: Mapping[str, int]) -> str:
    """`rows without a step (3), values that are no number (12)`."""
    return ", ".join(f"{what} ({count:,})" if count else what for what, count in counts.items())
