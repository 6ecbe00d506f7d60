"""A loss as a curve, and the records it makes: how a detector of curves and whoever varies a curve read and write a log.

It knows nothing of where curves come from, nor what is true of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.alerts.roles import trained_on
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.records import MetricDefined, Metrics, Record, RunStarted

ROWS = 50
SECONDS_A_STEP = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """`steps` int64 (n,) and `values` float64 (n,), non-finite ones included."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, rows: slice) -> Curve:
        return Curve(self.steps[rows], self.values[rows])


def started(name: str, project: str, continues: str = "") -> Record:
    return Record(0.0, RunStarted(name, name, project, 0.0, continues=continues))


def blocks(curve: Curve, metric: str = "loss") -> Iterator[Record]:
    """The values as a log has them: in blocks, a hundred steps a second."""
    times = np.asarray(curve.steps * SECONDS_A_STEP, np.float64)
    for at in range(0, len(curve), ROWS):
        rows = slice(at, at + ROWS)
        yield Record(float(times[rows][-1]), Metrics((metric,), curve.steps[rows], times[rows], curve.values[rows].reshape(1, -1)))


def curves(records: Sequence[Record]) -> dict[str, Curve]:
    """The losses the training follows, by name, of the first rank that logs them; evaluations and parts of a total are none."""
    columns: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    kinds = NOTHING_SAID
    for record in records:
        body = record.body
        if isinstance(body, MetricDefined):
            kinds = kinds.having(body)
        elif isinstance(body, Metrics) and record.rank <= 0 and len(body.steps):
            for row, name in enumerate(body.names):
                columns.setdefault(name, []).append((body.steps, body.values[row]))
    followed = trained_on({name: kinds.kind_of(name) for name in columns}, kinds)
    return {
        name: Curve(np.concatenate([steps for steps, _ in parts]), np.concatenate([values for _, values in parts]))
        for name, parts in columns.items()
        if name in followed
    }
