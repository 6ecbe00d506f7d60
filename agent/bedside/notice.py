"""What bedside says to the person, on stderr, and how it counts what it could not take.

One line a distinct problem, however often it happens; never `warnings` (under `-W error` they would raise into training). The counts go
into the log, so the screen shows them too.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

MAX_DISTINCT: Final = 100
"""Distinct problem sentences kept; later ones are counted together."""
_REST: Final = "further problems of other kinds"


class Problems:
    """Counts problems by their sentence."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._counts: dict[str, int] = {}
        self._changed: set[str] = set()

    def __repr__(self) -> str:
        return f"<Problems {len(self._counts)} kinds, {sum(self._counts.values())} in all>"

    def __call__(self, text: str) -> None:
        """Count this sentence; say it the first time."""
        text = text[:500]
        if text not in self._counts:
            if len(self._counts) >= MAX_DISTINCT:
                text = _REST
            elif not self.quiet:
                say(text)
        self._counts[text] = self._counts.get(text, 0) + 1
        self._changed.add(text)

    def news(self) -> list[tuple[str, int]]:
        """Sentences whose count changed since last asked."""
        changed, self._changed = self._changed, set()
        return [(text, self._counts[text]) for text in changed]


def say(text: str) -> None:
    """One line on stderr. A stderr that is closed, or gone, is no reason to disturb a training."""
    line = text.encode("ascii", "backslashreplace").decode() if _is_ascii_only() else text
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"bedside: {line.translate(_VISIBLE)}", file=sys.stderr, flush=True)


def _is_ascii_only() -> bool:
    encoding = (getattr(sys.stderr, "encoding", None) or "ascii").lower()
    return not encoding.startswith("utf")


_VISIBLE: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
