"""Why a loss that does not fall cannot: what else the run has logged that leaves nothing to learn with.

Only what held throughout is a cause: a learning rate is zero at the first step of a warm-up, an update at the first of a scaler's. It
judges no loss.
"""

from __future__ import annotations

from typing import Final

from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.records import Metrics, Snapshot

_ENOUGH: Final = 3
"""Values, or snapshots, from which "throughout" is said."""


class Throughout:
    """Whether something was so each time it was looked at, and often enough."""

    __slots__ = ("_always", "_times")

    def __init__(self) -> None:
        self._times = 0
        self._always = True

    def __bool__(self) -> bool:
        return self._always and self._times >= _ENOUGH

    def __repr__(self) -> str:
        return f"<Throughout {'always' if self._always else 'not'} of {self._times}>"

    def note(self, so: bool, times: int = 1) -> None:
        self._times += times
        self._always = self._always and so


class Causes:
    """The learning rates and the gradients of one run."""

    def __init__(self, definitions: Definitions = NOTHING_SAID) -> None:
        self.define(definitions)
        self.restart()

    def __repr__(self) -> str:
        return f"<Causes {self.found or 'none'}>"

    @property
    def found(self) -> str:
        """The cause in a few words, the first in the chain from rate to weights; empty where there is none."""
        if self._no_rate:
            return "the learning rate is 0"
        if self._no_gradient:
            return "no gradient anywhere"
        return "no weight changes" if self._no_change else ""

    def define(self, definitions: Definitions) -> None:
        """From now on metrics are what these definitions say."""
        self._definitions = definitions
        self._is_rate: dict[str, bool] = {}

    def restart(self) -> None:
        """What was logged before a resume says nothing of what comes."""
        self._no_rate, self._no_gradient, self._no_change = Throughout(), Throughout(), Throughout()

    def take(self, block: Metrics) -> None:
        """All learning rates must be zero: a frozen group beside a trained one is no cause."""
        for column, name in enumerate(block.names):
            if name not in self._is_rate:
                self._is_rate[name] = self._definitions.kind_of(name) == "rate"
            if self._is_rate[name]:
                self._no_rate.note(not block.values[column].any(), len(block.steps))

    def see(self, snapshot: Snapshot) -> None:
        """A snapshot of gradients: a number it lacks was not zero."""
        if snapshot.kind != "gradients":
            return
        scalars = snapshot.scalars
        tensors = scalars.get("tensors", 0.0)
        without = scalars.get("none", 0.0) + scalars.get("zero", 0.0)
        self._no_gradient.note(0.0 < tensors <= without)
        self._no_change.note(scalars.get("update_ratio_max", 1.0) == 0.0 or 0.0 < tensors <= scalars.get("unchanged", 0.0))
