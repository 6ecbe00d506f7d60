"""What the hub has to say against itself: what it lost or left out, a disk that does not confirm, a way in that is gone.

Decides and returns, each thing once, or once in a while; the hub records it.
"""

from __future__ import annotations

from typing import Final

from bedside.spawn import HubPlan
from bedside_protocol.records import Body, Lost, Problem

from .doorstep import is_laid_out, put_back
from .gate import Gate
from .journal import Journal
from .recorder import Recorder

OMISSION_EVERY: Final = 60.0
"""Seconds between two records of what the size cap left out."""


class Troubles:
    """What has been said already, so that only news is said."""

    def __init__(self, plan: HubPlan, recorder: Recorder, journal: Journal, gate: Gate) -> None:
        self._plan = plan
        self._recorder = recorder
        self._journal = journal
        self._gate = gate
        self._lost = 0
        self._unsafe = 0
        self._way_in = ""
        self._omission_due = 0.0

    def __repr__(self) -> str:
        return f"<Troubles {self._lost} records lost>"

    def news(self, now: float) -> list[Body]:
        """What has gone wrong since last asked, at the time `now`. What can be mended is: viewers find their way in again."""
        return [*self.losses(now), *self._unsafe_disk(), *self._closed_way_in()]

    def losses(self, now: float, last: bool = False) -> list[Body]:
        """What could not be recorded, and what the size cap left out; the latter once in a while, and at the `last`."""
        said: list[Body] = []
        written = self._recorder.written
        if written.lost > self._lost and not written.trouble:
            said.append(Lost(written.lost - self._lost, "the recording could not be written for a while"))
            self._lost = written.lost
        if self._journal.omitted and (last or now >= self._omission_due):
            self._omission_due = now + OMISSION_EVERY
            said.append(Lost(self._journal.omitted, f"the recording has reached its size cap of {self._plan.size_cap / 1e9:.1f} GB"))
            self._journal.omitted = 0
        return said

    def _unsafe_disk(self) -> list[Body]:
        unsafe = self._recorder.unsafe
        if unsafe == self._unsafe:
            return []
        count, self._unsafe = unsafe - self._unsafe, unsafe
        return [Problem("the recording would not survive a power failure: the disk does not confirm it", count, "hub")]

    def _closed_way_in(self) -> list[Body]:
        before, self._way_in = self._way_in, "" if is_laid_out(self._plan) else put_back(self._plan, self._gate)
        return [Problem(self._way_in, 1, "hub")] if self._way_in and self._way_in != before else []
