"""Sums over one tensor or over two: what mean, deviation, norm, distance and cosine are made of.

Taken in pieces and in float64 where the tensors live; nothing waits for a device until all sums are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_tensor

_PIECE = 1 << 20
"""Elements widened to float64 at a time: 8 MiB."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over the elements at which all given tensors are finite."""

    count: float
    total: float
    squares: float
    other_squares: float
    difference_squares: float
    product: float
    nonfinite: float


def moments(pairs: Sequence[tuple[Any, Any]]) -> Moments:
    """The sums over all elements of pairs (tensor, other), of equal or broadcasting shapes; without other where that is None.

    One sync a device. Raises `Refused` where there are none, and where shapes do not fit.
    """
    if not pairs:
        raise Refused("there are no parameters")
    totals: dict[str, Any] = {}
    for pair in pairs:
        for piece in _pieces(*pair):
            sums = _sums(*piece)
            place = str(sums.device) if is_tensor(sums) else ""
            totals[place] = totals[place] + sums if place in totals else sums
    read = [total.cpu().numpy() if is_tensor(total) else total for total in totals.values()]  # the sync of this measurement
    return Moments(*np.sum(read, axis=0).tolist())


def _pieces(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """Two tensors, or two arrays, flat and of equal length, a piece at a time."""
    one, other = _alike(one, other)
    if other is not None and one.shape != other.shape:
        one, other = _broadcast(one, other)
    one, other = one.reshape(-1), other if other is None else other.reshape(-1)
    for start in range(0, len(one), _PIECE):
        piece = slice(start, start + _PIECE)
        yield one[piece], None if other is None else other[piece]


def _alike(one: Any, other: Any) -> tuple[Any, Any]:
    """Both tensors on one device where either is a tensor; a device without float64 is left for the CPU."""
    if not (is_tensor(one) or is_tensor(other)):
        return one, other
    import torch

    one, other = (values if values is None or is_tensor(values) else torch.from_numpy(values) for values in (one, other))
    device = "cpu" if one.device.type == "mps" else one.device
    return one.detach().to(device), other if other is None else other.detach().to(device)


def _broadcast(one: Any, other: Any) -> tuple[Any, Any]:
    try:
        shape = np.broadcast_shapes(tuple(one.shape), tuple(other.shape))
    except ValueError as error:
        raise Refused("the tensor and what it is held against have different shapes") from error
    if isinstance(one, np.ndarray):
        return np.broadcast_to(one, shape), np.broadcast_to(other, shape)
    return one.expand(shape), other.expand(shape)


def _sums(one: Any, other: Any) -> Any:
    """The seven sums of `Moments` over a piece: a tensor on the piece's device, or an array."""
    if isinstance(one, np.ndarray):
        return _sums_of_arrays(one, other)
    import torch

    one, other = one.double(), None if other is None else other.double()
    if one.device.type == "cpu" and bool(torch.isfinite(sums := _sums_of_finite(one, other)).all()):  # no sync here
        return sums
    finite = torch.isfinite(one) if other is None else torch.isfinite(one) & torch.isfinite(other)
    one, other = torch.where(finite, one, 0.0), None if other is None else torch.where(finite, other, 0.0)
    sums = _sums_of_finite(one, other)
    sums[0], sums[6] = finite.sum(), (~finite).sum()
    return sums


def _sums_of_finite(one: Any, other: Any) -> Any:
    """The seven sums, none left out: not finite where an element is not."""
    import torch

    count = torch.full((), float(len(one)), dtype=torch.float64, device=one.device)
    nothing = torch.zeros_like(count)
    if other is None:
        return torch.stack([count, one.sum(), one.dot(one), nothing, nothing, nothing, nothing])
    difference = one - other
    return torch.stack([count, one.sum(), one.dot(one), other.dot(other), difference.dot(difference), one.dot(other), nothing])


def _sums_of_arrays(one: NDArray[np.float64], other: NDArray[np.float64] | None) -> NDArray[np.float64]:
    finite = np.isfinite(one) if other is None else np.isfinite(one) & np.isfinite(other)
    one = one[finite]
    other = np.zeros_like(one) if other is None else other[finite]
    difference = one - other
    sums = [one.size, one.sum(), one @ one, other @ other, difference @ difference, one @ other, finite.size - one.size]
    return np.array(sums, np.float64)
