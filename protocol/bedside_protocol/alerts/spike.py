"""Whether a value stands out from those just before it, alone (a spike) or with others (a loss that breaks away).

It is measured against the level of the values before it, in their own noise: neither needs a beginning, so both hold after a resume.
What lasts is another rule's business.
"""

from __future__ import annotations

from collections import deque
from math import inf, nan

from bedside_protocol.alerts.conditions import Explodes, Spikes
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED, Facts
from bedside_protocol.alerts.surroundings import Surroundings


def _told(value: float, reference: float) -> Facts:
    """Of a value that stood out, and the level it stood out from."""
    return {"value": value, "reference": reference, "times": value / reference if reference else inf}


class Spike:
    """Amber at a value that stands out and at the next if that does not: two points of evidence, then. Beside others that stand out it
    is no spike but the beginning of something."""

    __slots__ = ("_before", "_lone", "_reference", "_value", "around", "limits")

    def __init__(self, limits: Spikes, around: Surroundings) -> None:
        self.limits = limits
        self.around = around
        self._before = (False, False)
        self._lone = False
        self._value = self._reference = nan

    def __repr__(self) -> str:
        return f"<Spike {self._value:.4g} in {self.around!r}>"

    @property
    def waiting(self) -> str:
        return self.around.waiting

    def facts(self) -> Facts:
        return _told(self._value, self._reference)

    def see(self, step: int, value: float) -> int:
        around = self.around
        if not around.known_before:
            return UNCHECKED
        out = around.x > around.before and around.stands_out(self.limits.factor, self.limits.noise)
        if out:
            self._value, self._reference = value, around.unit(around.before)
        one, two = self._before
        alone = self._lone and not out
        self._lone = out and not (one or two)
        self._before = (two, out)
        return AMBER if self._lone or alone else OK


class BreakAway:
    """Amber where two in three of the last values stand out, until the level is back: the explosion of a loss that has no beginning to be
    compared with. Healthy trainings have bursts of up to a dozen values, and are back at once."""

    __slots__ = ("_from", "_recent", "_reference", "_value", "around", "limits", "most")

    def __init__(self, limits: Explodes, around: Surroundings) -> None:
        self.limits = limits
        self.most = around.windows.burst
        self.around = around
        self._recent: deque[bool] = deque(maxlen=self.most + self.most // 2)
        self._value = self._reference = nan
        self._from = inf
        """The level it broke away from, until it is back."""

    def __repr__(self) -> str:
        return f"<BreakAway {sum(self._recent)} of {len(self._recent)}, {self.around!r}>"

    @property
    def waiting(self) -> str:
        return self.around.waiting

    def facts(self) -> Facts:
        return {**_told(self._value, self._reference), "above": f"which was {self._reference:.4g}"}

    def see(self, step: int, value: float) -> int:
        around = self.around
        if not around.known_before:
            return UNCHECKED
        out = around.x > around.before and around.stands_out(self.limits.factor, self.limits.noise)
        if out:
            self._value, self._reference = value, around.unit(around.before)
        self._recent.append(out)
        if sum(self._recent) >= self.most:
            self._from = min(self._from, self._reference)
            return AMBER
        if self._from < inf and around.unit(around.level) <= self.limits.factor * self._from:
            self._from = inf
        return AMBER if self._from < inf else OK
