"""What a snapshot holds, taken with care: arrays of any shape, dtype and size come out as float vectors and matrices, or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Array
from bedside_tui.store.view import ProbeView

Floats = NDArray[np.float64]

MOST = 1_000_000
"""Numbers of an array that are looked at: a hostile log must not stop the drawing."""


def scalar(probe: ProbeView, name: str) -> float | None:
    """A scalar of the newest snapshot, None where it has none."""
    return probe.snapshot.scalars.get(name) if probe.snapshot is not None else None


def known(value: float | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


def texts(probe: ProbeView, name: str) -> Sequence[str]:
    """A list of texts of the newest snapshot, empty where it has none."""
    return probe.snapshot.texts.get(name, ()) if probe.snapshot is not None else ()


def array(probe: ProbeView, name: str) -> Array | None:
    """An array of the newest snapshot that holds numbers at all."""
    found = probe.snapshot.arrays.get(name) if probe.snapshot is not None else None
    return found if found is not None and is_numbers(found) else None


def is_numbers(given: Array) -> bool:
    """Whether there is at least one number in it, and all are real."""
    return bool(given.values.size) and given.values.dtype.kind in "biuf"


def flat(given: Array) -> Floats:
    """Its numbers in one row."""
    with np.errstate(all="ignore"):
        return given.values.reshape(-1)[:MOST].astype(np.float64)


def grid(given: Array) -> Floats:
    """Its numbers as [rows, columns]: one row where it is a vector, the leading axes folded into one where it has more than two."""
    values = given.values
    last = values.shape[-1] if values.ndim else 1
    with np.errstate(all="ignore"):
        return values.reshape(-1, last)[: max(1, MOST // last), :MOST].astype(np.float64)


def vector(probe: ProbeView, name: str) -> Floats | None:
    """An array of the newest snapshot in one row, None where there is none."""
    found = array(probe, name)
    return flat(found) if found is not None else None


def names(labels: Sequence[str], count: int, what: str = "") -> list[str]:
    """`count` names: the labels, and places where those end."""
    return [labels[at] if at < len(labels) else f"{what} {at}".strip() for at in range(count)]


def under(probe: ProbeView, first: str) -> Iterator[tuple[str, Array]]:
    """(rest of the name, array) of the arrays named `first/…`: small multiples of one thing."""
    arrays = probe.snapshot.arrays if probe.snapshot is not None else {}
    for name, found in arrays.items():
        head, slash, rest = name.partition("/")
        if slash and head == first and is_numbers(found):
            yield rest, found


def scalars_under(probe: ProbeView, first: str) -> dict[str, float]:
    """The scalars named `first/…` by the rest of their names."""
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    return {name[len(first) + 1 :]: value for name, value in scalars.items() if name.startswith(f"{first}/")}


def largest(values: Floats) -> int:
    """The place of the largest finite value, 0 where none is."""
    finite = np.isfinite(values)
    return int(np.argmax(np.where(finite, values, -np.inf))) if finite.any() else 0
