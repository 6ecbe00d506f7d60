"""Why a loss that does not fall cannot: what else the run has logged that leaves nothing to learn with.

Only what held throughout is a cause: a learning rate is zero at the first step of a warm-up, an update at the first of a scaler's. It
judges no loss.
"""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.conditions import All, Beyond
from bedside_protocol.alerts.levels import RED, UNCHECKED
from bedside_protocol.alerts.sight import Together
from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.records import Metrics, Snapshot

_ENOUGH: Final = 3
"""Values, or snapshots, from which "throughout" is said."""
_MOST: Final = 0.5
"""Above this share of the tensors without a gradient, the output is not connected: one unused head is no reason for a flat loss."""

SAME_OUTPUTS: Final = All((Beyond("output_difference", red_below=1e-3), Beyond("output_difference_relative", red_below=0.01)))
"""Outputs for two inputs that are one. A deep model begins with differences of 5e-5, and of 2e-3 of its output, a vector quantizer with
1e-8 until its codes part: it is asked from step `OUTPUTS_DIFFER_BY` on, and both must stay small."""
OUTPUTS_DIFFER_BY: Final = 100


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
    """The learning rates, the gradients and the outputs of one run."""

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
        if self._no_change:
            return "no weight changes"
        if self._few_gradients:
            return self._how_few
        return "output ignores the input" if self._same_outputs else ""

    def define(self, definitions: Definitions) -> None:
        """From now on metrics are what these definitions say."""
        self._definitions = definitions
        self._is_rate: dict[str, bool] = {}

    def restart(self) -> None:
        """What was logged before a resume says nothing of what comes."""
        self._no_rate, self._no_gradient, self._no_change = Throughout(), Throughout(), Throughout()
        self._few_gradients, self._how_few = Throughout(), ""
        self._same_outputs, self._outputs = Throughout(), Together(SAME_OUTPUTS)

    def take(self, block: Metrics) -> None:
        """All learning rates must be zero: a frozen group beside a trained one is no cause."""
        for column, name in enumerate(block.names):
            if name not in self._is_rate:
                self._is_rate[name] = self._definitions.kind_of(name) == "rate"
            if self._is_rate[name]:
                self._no_rate.note(not block.values[column].any(), len(block.steps))

    def see(self, snapshot: Snapshot) -> None:
        """A snapshot of gradients or of the training loop: a number it lacks was not zero."""
        match snapshot.kind:
            case "gradients":
                self._see_gradients(snapshot)
            case "structure" if snapshot.step >= OUTPUTS_DIFFER_BY:
                level = self._outputs.see(snapshot)
                if level != UNCHECKED:
                    self._same_outputs.note(level == RED)

    def _see_gradients(self, snapshot: Snapshot) -> None:
        """Its tensors are those an optimizer trains: what is frozen is none of them."""
        scalars = snapshot.scalars
        tensors = scalars.get("tensors", 0.0)
        without = scalars.get("none", 0.0) + scalars.get("zero", 0.0)
        self._no_gradient.note(0.0 < tensors <= without)
        self._few_gradients.note(without > _MOST * tensors > 0.0)
        self._how_few = f"{without:.0f} of {tensors:.0f} without gradient"
        self._no_change.note(scalars.get("update_ratio_max", 1.0) == 0.0 or 0.0 < tensors <= scalars.get("unchanged", 0.0))
