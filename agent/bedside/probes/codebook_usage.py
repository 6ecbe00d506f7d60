"""What assignments say of a codebook: how many codes live, how evenly, how far from each other, and which were there before.

Arithmetic only: no window, no schedule, no step. Counting happens where the assignments live, with one wait for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bedside.probes.subsample import thinned

if TYPE_CHECKING:
    import torch

_CODES_COMPARED = 256
"""Codes whose distances to all used ones are taken: the mean of 256 is good to a per cent, and all of 8,192 would take a second."""

NEAREST_SHOWN = 64
"""Codes of the table `near`: the most used ones."""


def count_heads(batches: Sequence[NDArray[np.int64] | torch.Tensor], size: int, heads: int) -> NDArray[np.int64]:
    """How often each code of each head occurs (heads, size) in batches of shape (heads, n); see `count`."""
    if heads == 1:
        return count([batch.reshape(-1) for batch in batches], size)[None]
    return count([_numbered_apart(batch, size) for batch in batches], heads * size).reshape(heads, size)


def _numbered_apart(batch: NDArray[np.int64] | torch.Tensor, size: int) -> NDArray[np.int64] | torch.Tensor:
    """Indices (heads, n) as those of one codebook of heads · size codes, flat; those outside their own become −1."""
    if isinstance(batch, np.ndarray):
        first = size * np.arange(batch.shape[0])[:, None]
        return np.asarray(np.where((batch >= 0) & (batch < size), batch + first, -1).reshape(-1))
    import torch

    offsets = size * torch.arange(batch.shape[0], device=batch.device)[:, None]
    return torch.where((batch >= 0) & (batch < size), batch + offsets, -1).reshape(-1)


def count(batches: Sequence[NDArray[np.int64] | torch.Tensor], size: int) -> NDArray[np.int64]:
    """How often each of `size` codes occurs; other indices are left out. Tensors are counted where they live: one sync a device."""
    total = np.zeros(size, np.int64)
    for place, group in groupby(sorted(batches, key=_place), key=_place):
        if place == "":
            total += _count_arrays([np.asarray(batch) for batch in group], size)
        else:
            total += count_on_device(list(group), size).cpu().numpy()  # type: ignore[arg-type]  # the only sync of the counting
    return total


def count_on_device(batches: list[torch.Tensor], size: int) -> torch.Tensor:
    """The counts (`size`) beside the batches, without a sync: neither `bincount`, which must know the largest index, nor a look."""
    import torch

    flat = torch.cat(batches)
    flat = torch.where((flat >= 0) & (flat < size), flat, size)
    return torch.zeros(size + 1, dtype=torch.int64, device=flat.device).scatter_add_(0, flat, torch.ones_like(flat))[:size]


def _count_arrays(batches: list[NDArray[np.int64]], size: int) -> NDArray[np.int64]:
    flat = np.concatenate(batches)
    if flat.min() < 0 or flat.max() >= size:
        flat = flat[(flat >= 0) & (flat < size)]
    return np.bincount(flat, minlength=size)


def _place(batch: NDArray[np.int64] | torch.Tensor) -> str:
    """The accelerator a batch is on; empty for memory that numpy reads."""
    if isinstance(batch, np.ndarray) or batch.device.type == "cpu":
        return ""
    return str(batch.device)


def usage(counts: NDArray[np.int64]) -> dict[str, float]:
    """What the assignments of each code amount to; see `Codebook`.

    Perplexity is exp(−Σ p ln p) over the codes in use, as van den Oord et al. report it for VQ-VAE (arXiv 1711.00937).
    """
    assignments = int(counts.sum())
    shares = counts[counts > 0] / max(1, assignments)
    used = shares.size
    largest = np.sort(shares)[::-1]
    return {
        "window": float(assignments),
        "used": float(used),
        "usage": used / counts.size,
        "dead": float(counts.size - used),
        "perplexity": float(np.exp(-np.sum(shares * np.log(shares)))) if used else 0.0,
        "top1": float(largest[:1].sum()),
        "top10": float(largest[:10].sum()),
    }


def overlap(before: NDArray[np.int64], now: NDArray[np.int64]) -> float:
    """Jaccard index of two sets of used codes, given by their counts: shared codes divided by codes in either. 1 for two empty sets."""
    either = np.count_nonzero((before > 0) | (now > 0))
    return float(np.count_nonzero((before > 0) & (now > 0)) / either) if either else 1.0


def geometry(counts: NDArray[np.int64], vectors: NDArray[np.float64]) -> tuple[dict[str, float], dict[int, float]]:
    """How far the used codes lie apart, for `vectors` (size, d): scalars, and for the most used codes the distance to the nearest other.

    Euclidean. `distance` is the mean over pairs of used codes, `nearest` the mean distance of a used code to its nearest other used one;
    with more than 256 used codes, of 256 spread evenly over their ranks to all. Codes whose vector is not finite are counted in
    `nonfinite` and left out; with fewer than two others there is no distance to tell.
    """
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
    ranked = np.argsort(-counts, kind="stable")
    used = ranked[(counts[ranked] > 0) & finite[ranked]]
    scalars = {"nonfinite": float(np.count_nonzero(~finite))}
    if used.size < 2:
        return scalars, {}
    top = np.arange(min(NEAREST_SHOWN, used.size))
    rows = thinned(np.arange(used.size), _CODES_COMPARED)
    among = vectors[used] - vectors[used].mean(axis=0)  # centred: a common offset would drown the distances in rounding
    apart, near = _distances(among, rows)
    scalars |= {"distance": apart, "nearest": float(near.mean())}
    _, near_top = _distances(among, top)
    return scalars, {int(used[place]): float(distance) for place, distance in zip(top, near_top, strict=True)}


def _distances(vectors: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """The mean distance of the vectors at `rows` to all others, and of each of them to its nearest."""
    squares = np.sum(vectors**2, axis=1)
    apart = np.sqrt(np.maximum(squares[rows, None] + squares[None] - 2.0 * vectors[rows] @ vectors.T, 0.0))
    apart[np.arange(rows.size), rows] = 0.0
    mean = float(apart.sum() / (rows.size * (len(vectors) - 1)))
    apart[np.arange(rows.size), rows] = np.inf
    return mean, apart.min(axis=1)
