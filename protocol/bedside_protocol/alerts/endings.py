"""Whether a run ended badly: by an exception, killed, out of memory, or without a word."""

from __future__ import annotations

from fnmatch import fnmatchcase

from bedside_protocol.alerts.conditions import Ends
from bedside_protocol.alerts.levels import OK, RED, Facts
from bedside_protocol.records import Ended, LifecycleChanged


class Ending:
    """What the training said of its end, and the hub's verdict on it."""

    __slots__ = ("_reason", "limits")

    def __init__(self, limits: Ends) -> None:
        self.limits = limits
        self._reason = ""

    def __repr__(self) -> str:
        return f"<Ending {self._reason or 'none'}>"

    def facts(self) -> Facts:
        return {"reason": self._reason}

    def hear(self, ended: Ended) -> None:
        """The training's own goodbye: the exception it ended by, if any."""
        if ended.exception:
            self._reason = f"{ended.exception}: {ended.message}" if ended.message else ended.exception

    def see(self, body: LifecycleChanged) -> int:
        """The level after the hub's verdict; a run that lives, or ended another way, is no finding."""
        reason = self._reason = self._reason or body.reason
        said = reason.lower()
        limits = self.limits
        ends_so = body.state in limits.how and fnmatchcase(said, limits.reason) and not (limits.but and fnmatchcase(said, limits.but))
        return RED if ends_so else OK
