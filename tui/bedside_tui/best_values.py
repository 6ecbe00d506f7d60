"""The best a run reached: of each metric whose better side is known, the best value and its step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.metrics import is_system
from bedside_protocol.records import Direction, MetricDefined, Metrics

MOST: Final = 8
"""Metrics told of a run."""
LOSSES: Final = ("loss", "train/loss", "train_loss", "loss/total")
"""Names that a person would call the loss, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a metric, and the step at which it was first reached. `direction`: which way is better."""

    metric: str
    value: float
    step: int
    direction: Direction


def main_loss(names: Sequence[str]) -> str | None:
    """The metric that a person would call the loss, None where there is none."""
    return next((name for name in LOSSES if name in names), None) or next((name for name in names if "loss" in name), None)


class BestValues:
    """What the blocks so far have as their best. Values that are no finite numbers are never best."""

    def __init__(self) -> None:
        self._said: Definitions = NOTHING_SAID
        self._directions: dict[tuple[str, ...], list[tuple[int, str, Direction]]] = {}
        self._best: dict[str, Best] = {}

    def __repr__(self) -> str:
        return f"<BestValues of {len(self._best)} metrics>"

    def define(self, said: MetricDefined) -> None:
        """What the script says holds for values that come after it."""
        self._said = self._said.having(said)
        self._directions.clear()

    def take(self, block: Metrics) -> None:
        """A block of values, in the order of the log."""
        known = self._directions.get(block.names)
        if known is None:
            known = self._directions[block.names] = self._known(block.names)
        for row, name, direction in known:
            values = block.values[row]
            finite = np.where(np.isfinite(values), values, np.inf if direction == "down" else -np.inf)
            at = int(finite.argmin() if direction == "down" else finite.argmax())
            value, best = float(finite[at]), self._best.get(name)
            if np.isfinite(value) and (best is None or (value < best.value if direction == "down" else value > best.value)):
                self._best[name] = Best(name, value, int(block.steps[at]), direction)

    def _known(self, names: tuple[str, ...]) -> list[tuple[int, str, Direction]]:
        directions = ((row, name, self._said.direction_of(name)) for row, name in enumerate(names) if not is_system(name))
        return [(row, name, direction) for row, name, direction in directions if direction is not None]

    @property
    def all(self) -> tuple[Best, ...]:
        """The best of every metric, in the order in which they had one."""
        return tuple(self._best.values())

    def told(self) -> tuple[Best, ...]:
        """What the script gave a direction first, then the main loss, then the others as they came; at most `MOST`."""
        declared = [one.pattern for one in self._said.said if one.direction is not None]
        loss = main_loss(list(self._best))
        ordered = sorted(self._best.values(), key=lambda best: (best.metric not in declared, best.metric != loss))
        return tuple(ordered[:MOST])
