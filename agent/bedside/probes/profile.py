"""A mean by bins of an index, and whether it grows along it. Pure: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused

Bins: TypeAlias = int | NDArray[np.float64] | None
"""A number of equal bins, or ascending edges; None: as many as suit the index."""

_DEFAULT_BINS = 10
_MOST_VALUES = 256
"""Bins of a profile that has one for each value; beyond, values share."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The mean of each bin (NaN where nothing fell), what the bin is called, and the losses it holds."""

    labels: tuple[str, ...]
    means: NDArray[np.float64]
    counts: NDArray[np.float64]
    outside: float


def bins_of(given: int | Sequence[float] | None) -> Bins:
    """Checked bins. Raises `Refused`."""
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= _MOST_VALUES):
        return given
    edges = np.array([], np.float64)
    if not isinstance(given, int):
        edges = np.array(given, np.float64)
    if edges.ndim != 1 or not 2 <= edges.size <= _MOST_VALUES + 1 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise Refused(f"bins are a number from 1 to {_MOST_VALUES}, or ascending edges")
    return edges


def profile_of(
    index: NDArray[np.float64], sums: NDArray[np.float64], counts: NDArray[np.float64], bins: Bins, *, whole: bool, every_value: bool
) -> Profile:
    """The means of `sums` / `counts` by bins of `index`, all (n).

    `whole`: indices are whole numbers, and bins begin and end between them. `every_value`: without `bins`, each has its own.
    As with `numpy.histogram`, a bin has its lower edge and not its upper one, but for the last, which has both.
    """
    edges = bins if isinstance(bins, np.ndarray) else _equal_edges(index, bins, whole, every_value)
    place = np.searchsorted(edges, index, side="right") - 1
    place[index == edges[-1]] = edges.size - 2
    inside = (place >= 0) & (place <= edges.size - 2)
    total, held = np.zeros((2, edges.size - 1))
    np.add.at(total, place[inside], sums[inside])
    np.add.at(held, place[inside], counts[inside])
    means = np.full(held.shape, np.nan)
    np.divide(total, held, out=means, where=held > 0)
    of_whole = whole and not isinstance(bins, np.ndarray)
    return Profile(_labels(edges, of_whole), means, held, float(counts[~inside].sum()))


def _equal_edges(index: NDArray[np.float64], bins: int | None, whole: bool, every_value: bool) -> NDArray[np.float64]:
    lowest, highest = (float(index.min()), float(index.max())) if index.size else (0.0, 0.0)
    wanted = bins or (_MOST_VALUES if every_value else _DEFAULT_BINS)
    if not whole:
        return np.linspace(lowest, highest if highest > lowest else np.nextafter(lowest, np.inf), (wanted if highest > lowest else 1) + 1)
    values = highest - lowest + 1
    return lowest + np.ceil(np.linspace(0.0, values, int(min(wanted, values)) + 1) - 1e-9)


def _labels(edges: NDArray[np.float64], whole: bool) -> tuple[str, ...]:
    pairs = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    if whole:
        return tuple(f"{low:.0f}" if high - low <= 1 else f"{low:.0f}–{high - 1:.0f}" for low, high in pairs)
    return tuple(f"{low:.3g}–{high:.3g}" for low, high in pairs)


def figures(profile: Profile) -> dict[str, float]:
    """What a profile amounts to; see `PerIndex`."""
    known = np.flatnonzero(profile.counts > 0)
    means, third = profile.means[known], known.size // 3
    enough = known.size > 1
    first = float(means[: max(1, third)].mean()) if enough else float("nan")
    last = float(means[-max(1, third) :].mean()) if enough else float("nan")
    return {
        "first": first,
        "last": last,
        "later_worse": last / first if first > 0 else float("nan"),
        "trend": spearman(known.astype(np.float64), means),
        "count": float(profile.counts.sum()),
        "outside": profile.outside,
    }


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank; 0 where either is constant, NaN for fewer than 3 pairs."""
    if one.size < 3:
        return float("nan")
    first, second = (_ranks(values) - (values.size - 1) / 2 for values in (one, other))
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts + 1) / 2)[place]
    return ranks
