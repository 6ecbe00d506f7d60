"""What a snapshot of gradients says, worked out from one row a parameter.

The numbers come from the device here, all at once; everything after that is arithmetic on small arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bedside.probes.parameters import layer
from bedside.probes.tensor_norms import read
from bedside.probes.updates import Move
from bedside_protocol.records import Array

if TYPE_CHECKING:
    from torch import Tensor

_NAMES_SHOWN = 50
"""Names in each text of a snapshot: whoever has more of one kind needs the count, not the list."""

_ROUNDING = 1e-6
"""A gradient of less than this share of the whole is rounding (a bias before a normalisation has no other): it need not move anything."""


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter at one step: the norm of its gradient (None: it had none), and how far the step moved it, where that is known."""

    name: str
    norm: Tensor | None
    move: Move | None


@dataclass(frozen=True, slots=True)
class Table:
    scalars: dict[str, float]
    arrays: dict[str, Array]
    texts: dict[str, tuple[str, ...]]


def summary(rows: Sequence[Row], unowned: Sequence[str]) -> Table:
    """The snapshot of the parameters the optimizers stepped.

    Scalars: `norm` (2-norm over all finite gradients), `tensors` (parameters stepped), `nonfinite` (those with a NaN or infinity in their
    gradient), `none` and `zero` (those whose gradient is None, or zero everywhere), `unowned` (trainable parameters in no optimizer),
    `unchanged` (pushed by more than rounding, yet exactly where they were), `update_ratio_median` and `update_ratio_max`
    (over layers: ‖change‖ / ‖weight‖). Arrays over layers, in the order of the parameters: `layer_norm`, `layer_update_ratio` (NaN where
    the weights were all zero). Texts: the names behind `none`, `zero`, `unowned`, `unchanged` and `nonfinite`, at most 50 each.

    Waits for the device: the one sync of this probe.
    """
    values = _values(rows)
    layers = list(dict.fromkeys(layer(row.name) for row in rows))
    norm = _by_layer(rows, layers, np.where(np.isfinite(values.norm), values.norm, 0.0))
    moved = _by_layer(rows, layers, values.moved)
    weight = _by_layer(rows, layers, values.weight)
    ratio = np.divide(moved, weight, out=np.full(len(layers), np.nan), where=weight > 0)
    least_push = _ROUNDING * float(np.nansum(values.pushed**2)) ** 0.5
    said = {
        "none": [row.name for row in rows if row.norm is None],
        "zero": [row.name for row, value in zip(rows, values.norm, strict=True) if value == 0.0],
        "unowned": list(unowned),
        "unchanged": [row.name for row, stuck in zip(rows, (values.moved == 0.0) & (values.pushed > least_push), strict=True) if stuck],
        "nonfinite": [row.name for row, value in zip(rows, values.norm, strict=True) if row.norm is not None and not np.isfinite(value)],
    }
    scalars = {"norm": float(np.sqrt(np.sum(norm**2))), "tensors": float(len(rows)), **_ratios(ratio)}
    return Table(
        scalars={**scalars, **{name: float(len(names)) for name, names in said.items()}},
        arrays={
            "layer_norm": Array("table", norm, tuple(layers)),
            "layer_update_ratio": Array("table", ratio, tuple(layers)),
        },
        texts={name: tuple(names[:_NAMES_SHOWN]) for name, names in said.items() if names},
    )


@dataclass(frozen=True, slots=True)
class _Values:
    """A number a row, NaN where the row has none."""

    norm: NDArray[np.float64]
    moved: NDArray[np.float64]
    weight: NDArray[np.float64]
    pushed: NDArray[np.float64]


def _values(rows: Sequence[Row]) -> _Values:
    columns: list[list[Tensor | None]] = [
        [row.norm for row in rows],
        [row.move.moved if row.move else None for row in rows],
        [row.move.weight if row.move else None for row in rows],
        [row.move.pushed if row.move else None for row in rows],
    ]
    there = [scalar for column in columns for scalar in column if scalar is not None]
    numbers = iter(read(there))
    norm, moved, weight, pushed = (
        np.array([np.nan if scalar is None else next(numbers) for scalar in column], np.float64) for column in columns
    )
    parts = np.sqrt([row.move.parts if row.move else 1.0 for row in rows])
    return _Values(norm, moved * parts, weight * parts, pushed)


def _by_layer(rows: Sequence[Row], layers: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 2-norm over each layer's parameters."""
    places = {name: place for place, name in enumerate(layers)}
    squares = np.zeros(len(layers))
    np.add.at(squares, [places[layer(row.name)] for row in rows], np.nan_to_num(values) ** 2)
    return np.sqrt(squares)


def _ratios(ratio: NDArray[np.float64]) -> dict[str, float]:
    known = ratio[np.isfinite(ratio)]
    if known.size == 0:
        return {}
    return {"update_ratio_median": float(np.median(known)), "update_ratio_max": float(known.max())}
