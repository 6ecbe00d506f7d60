"""Whether a loss has fallen at all by the time it should have.

From scratch only. It is red where something else in the run says why it cannot fall: that is asked for, not known here. Once the loss
has fallen the question is answered for good; a level lost later is another rule's business.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Final

from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED, Facts
from bedside_protocol.alerts.median import RollingMedian

_BEGINNING: Final = 50
"""Steps that are the beginning. In points instead of steps, a loss logged every 50 steps has learnt before it has begun."""
_ENOUGH: Final = 11


def no_cause() -> str:
    """What is said where nothing else is known of the run."""
    return ""


class NeverLearns:
    """Amber, red with a `cause`, from step `by` while the level is not `share` below the beginning: the lower of the first value and the
    median of the first 50 steps. The level is the median since `since`, of at most `window` values."""

    __slots__ = ("_answered", "_beginning", "_cause", "_first", "_first_step", "_recent", "by", "share", "since")

    def __init__(
        self, by: int = 1000, share: float = 0.02, since: int = 900, window: int = 101, cause: Callable[[], str] = no_cause
    ) -> None:
        self._cause = cause
        self.by = by
        self.share = share
        self.since = since
        self._first = nan
        self._first_step = 0
        self._beginning = RollingMedian(_BEGINNING)
        self._recent = RollingMedian(window)
        self._answered = False

    def __repr__(self) -> str:
        return f"<NeverLearns {'learnt' if self._answered else 'waiting'} {self._recent.value:.4g} of {self.reference:.4g}>"

    @property
    def waiting(self) -> str:
        return f"before step {self.by:,}"

    @property
    def reference(self) -> float:
        """What the level is compared with: the first value alone where the median would be one of few."""
        return min(self._first, self._beginning.value) if len(self._beginning) >= _ENOUGH else self._first

    def facts(self) -> Facts:
        cause = self._cause()
        known = {"value": self._recent.value, "level": self._recent.value, "reference": self.reference, "first": self._first}
        return {**known, "cause": f": {cause}" if cause else ""}

    def see(self, step: int, value: float) -> int:
        if self._answered:
            return OK
        if self._first != self._first:
            self._first, self._first_step = value, step
        if step < self.since:
            if step - self._first_step < _BEGINNING:
                self._beginning.push(value)
            return UNCHECKED
        level = self._recent.push(value)
        if step < self.by:
            return UNCHECKED
        reference = self.reference
        if level < reference - self.share * abs(reference):
            self._answered = True
            return OK
        return RED if self._cause() else AMBER
