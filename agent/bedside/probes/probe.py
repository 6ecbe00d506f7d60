"""What every probe is: a named handle the script feeds, measured by the run between two steps.

A probe never raises into training: what it cannot take it says in one sentence through `say`. It knows nothing of the run, the log or
the clock; when it is measured is its `ProbeSet`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bedside.schedule import Schedule
from bedside_protocol.records import Scalar, Snapshot


class Gone(Exception):
    """What the probe looked at no longer exists: it will not be measured again."""


class Probe:
    """A quantity with a name and a schedule.

    It deep-copies as itself (an exponential-average copy of a model must not bring a second probe to life) and unpickles as a
    `SilentProbe` (a checkpoint of a model that holds a probe loads anywhere).
    """

    kind = "probe"
    """The quantity: `codebook`, `gradients`. Screens and rules go by it."""

    lead: int = 0
    """How many steps before a measurement the probe must be fed."""

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name = name
        self.schedule = schedule
        self.armed = True
        """Whether feeding is wanted now: the run clears it between measurements where a schedule leaves steps unwatched."""
        self.feeding = 0.0
        """Seconds the training thread spent feeding the probe since the last measurement."""
        self._unsaid: list[str] = []
        self._say: Callable[[str], None] = self._unsaid.append

    def settings(self) -> Mapping[str, Scalar]:
        """The sizes a screen needs before the first measurement."""
        return {}

    def measure(self, step: int) -> Snapshot | None:
        """The quantity after `step` steps; None while there is nothing to tell. Called by the training thread between two steps."""
        raise NotImplementedError(f"{type(self).__name__} says nothing of how it is measured")

    def attach(self, say: Callable[[str], None]) -> None:
        """Give the probe its voice, and let it say what it had to keep to itself so far."""
        self._say = say
        while self._unsaid:
            say(self._unsaid.pop(0))

    def close(self) -> None:
        """Let go of whatever the probe hooked into: the run is over."""

    def say(self, problem: str) -> None:
        """Report something that could not be taken. The sentence must hold no number that varies: it is counted by its text."""
        self._say(f"probe {self.name}: {problem}")

    def __copy__(self) -> Probe:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Probe:
        return self

    def __reduce__(self) -> tuple[type[SilentProbe], tuple[str]]:
        return SilentProbe, (self.name,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}, every {self.schedule.every}>"


class SilentProbe:
    """What a probe is after unpickling, in another process or in a later run: it takes every call and does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.armed = False

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing

    def __reduce__(self) -> tuple[type[SilentProbe], tuple[str]]:
        return SilentProbe, (self.name,)

    def __repr__(self) -> str:
        return f"<SilentProbe {self.name}>"


def _nothing(*_: object, **__: object) -> None:
    """Takes anything."""
