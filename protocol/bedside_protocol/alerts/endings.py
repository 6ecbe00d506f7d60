"""Whether a run ended badly: by an exception, killed, out of memory, or without a word.

What ended it is the training's own word where it said one, and else what the hub found out. Who stopped a run on purpose is asked
nowhere: that is another way of ending (`stopped`), which no rule needs to name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from bedside_protocol.alerts.conditions import Ends
from bedside_protocol.alerts.levels import OK, RED, Facts
from bedside_protocol.records import Ended, LifecycleChanged

_WIDTH: Final = 38
"""Of the reason in a message, which has 60 characters in all and tells the step besides."""


class Ending:
    """What the training said of its end, and the hub's verdict on it."""

    __slots__ = ("_made", "_reason", "_said", "ways")

    def __init__(self, ways: Sequence[Ends]) -> None:
        self.ways = tuple(ways)
        """Any of them is a finding."""
        self._said = self._reason = ""
        self._made = -1
        """Steps made, as the training said itself: what it logged of one more is no step."""

    def __repr__(self) -> str:
        return f"<Ending {self._reason or 'none'}>"

    def facts(self) -> Facts:
        return {"reason": _line(self._reason), "made": self._made}

    def restart(self) -> None:
        """The run goes on, in the same log."""
        self._said = self._reason = ""
        self._made = -1

    def hear(self, ended: Ended) -> None:
        """The training's own goodbye: the exception it ended by, if any. Of several ranks' the first is what brought the others down."""
        if ended.exception and not self._said:
            self._said = f"{ended.exception}: {ended.message}" if ended.message else ended.exception
            self._made = ended.step

    def see(self, body: LifecycleChanged) -> int:
        """The level after the hub's verdict; a run that lives, or ended another way, is no finding."""
        self._reason = self._said or body.reason
        self._made = self._made if self._said else body.step
        reason = self._reason.lower()
        return RED if any(body.state in way.how and _matches(reason, way.reasons, way.but) for way in self.ways) else OK


def _matches(reason: str, globs: Iterable[str], but: Iterable[str]) -> bool:
    return any(fnmatchcase(reason, glob) for glob in globs) and not any(fnmatchcase(reason, glob) for glob in but)


def _line(reason: str) -> str:
    """Its first line, cut to what a message has room for."""
    first = next(iter(reason.strip().splitlines()), "no reason is known")
    return first if len(first) <= _WIDTH else f"{first[: _WIDTH - 1].rstrip()}…"
