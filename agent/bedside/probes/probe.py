"""What every probe is: a named handle the script feeds, measured by the run between two steps.

A probe never raises into training: what it cannot take it says in one sentence through `say`. It knows nothing of the run, the log or
the clock; when it is measured is its `ProbeSet`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bedside.probes.intake import Refused, is_compiling
from bedside.probes.untouched import is_rehearsal
from bedside.schedule import Schedule
from bedside.schedule import every as every_steps
from bedside_protocol.records import Scalar, Snapshot

if TYPE_CHECKING:
    from torch.nn import Module


class Gone(Exception):
    """What the probe looked at no longer exists: it will not be measured again."""


def schedule_of(every: int | Schedule) -> Schedule:
    """What a probe's `every` means: a number of steps, at least one, or a schedule as it is."""
    return every_steps(max(1, every)) if isinstance(every, int) else every


class Probe:
    """A quantity with a name and a schedule.

    It deep-copies as itself (an exponential-average copy of a model must not bring a second probe to life) and unpickles as a
    `SilentProbe` (a checkpoint of a model that holds a probe loads anywhere).
    """

    kind = "probe"
    """The quantity: `codebook`, `gradients`. Screens and rules go by it."""

    lead: int = 0
    """How many steps before a measurement the probe must be fed: 1 for the measured step alone, `schedule.every` for a window."""

    reads: tuple[str, ...] = ()
    """Names of the logged metrics the probe is told of through `logged`."""

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name = name
        self.schedule = schedule
        self.armed = True
        """Whether feeding is wanted now: the run clears it between measurements where a schedule leaves steps unwatched."""
        self.feeding = 0.0
        """Seconds the training thread spent feeding the probe since the last measurement."""
        self.models: Callable[[], Sequence[Module]] = tuple
        """The models the run watches and that still exist. Known once the probe is registered."""
        self.siblings: Callable[[], Sequence[Probe]] = tuple
        """The run's probes, this one among them. Known once the probe is registered."""
        self._unsaid: list[str] = []
        self._say: Callable[[str], None] = self._unsaid.append

    def settings(self) -> Mapping[str, Scalar]:
        """The sizes a screen needs before the first measurement."""
        return {}

    def measure(self, step: int) -> Snapshot | None:
        """The quantity after `step` steps; None while there is nothing to tell. Called by the training thread between two steps."""
        raise NotImplementedError(f"{type(self).__name__} says nothing of how it is measured")

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        """Metrics logged at a step, at least one of `reads` among them. Called by the training thread; must be cheap."""

    def epoch(self, number: int) -> None:
        """The script says that an epoch begins."""

    @property
    def idle(self) -> bool:
        """Whether feeding is pointless now: between measurements, while another probe runs the model for its own measurement, or while
        a region is traced, which must not depend on either."""
        return is_compiling() or not self.armed or is_rehearsal()

    @contextmanager
    def taking(self, what: str) -> Iterator[None]:
        """Around the body of `observe`: its time is counted as feeding, and nothing leaves it but a sentence about `what` was given."""
        began = time.perf_counter()
        try:
            yield
        except Refused as refused:
            self.say(str(refused))
        except Exception as error:  # whatever was passed, the training goes on
            self.say(f"{what} that cannot be read ({type(error).__name__})")
        finally:
            self.feeding += time.perf_counter() - began

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
