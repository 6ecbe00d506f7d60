"""The four levels every test speaks in, ordered so that the worst is the largest, and the shapes of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from bedside_protocol.records import Snapshot

UNCHECKED: Final = -1
OK: Final = 0
AMBER: Final = 1
RED: Final = 2

Facts: TypeAlias = Mapping[str, float | str]
"""Numbers and names for a message, by the words its template uses."""


class PointTest(Protocol):
    """A test of one metric, fed point by point in the order of steps. It sees finite values only."""

    def see(self, step: int, value: float) -> int:
        """The level after this point."""

    @property
    def waiting(self) -> str:
        """Why it cannot judge yet, in words; it has no other reason to say UNCHECKED."""

    def facts(self) -> Facts:
        """What is known now."""


class SnapshotTest(Protocol):
    """A test of one probe, fed with its snapshots in the order of steps."""

    def see(self, snapshot: Snapshot) -> int:
        """The level after this snapshot; UNCHECKED when it lacks what the test looks at."""

    def facts(self) -> Facts:
        """What is known now."""
