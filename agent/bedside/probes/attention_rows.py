"""What rows of attention amount to: entropy, largest weight and largest logit of each head, from a few evenly spread queries.

Arithmetic on tensors, where they live: nothing here waits for the device. Torch is present whenever this is called, and imported only
then. Layers, steps and sentences about numbers are the probe's business; here only a wrong form is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bedside.probes.intake import Refused
from bedside.probes.subsample import positions

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_MOST_QUERIES = 64
_MOST_BATCHES = 4
_MOST_WEIGHTS = 1 << 21
"""Weights looked at in one observation: 8 MiB as float32, some 15 ms of a core. Long contexts get fewer queries."""

_BLOCKED = -1e4
"""An additive mask at or below this blocks: exp(−10,000) is zero in every precision. ALiBi's steepest bias reaches it at 20,000 keys."""

_SUM_TOLERANCE = 1e-2  # weights in bfloat16 are rounded by up to 0.4 %, all in one direction where they are equal
_ENTROPY_TOLERANCE = 1e-3  # nats
_TINY = 1e-38  # 0 ln 0 is 0; torch.special.entr knows that too, and takes three times as long

TALLIES = ("rows", "entropy", "largest", "keys", "above", "unsummed", "nonfinite")
"""What `tally` sums over rows, in its order; the last line is the largest logit."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of one layer: `weights` float32 (batch, heads, queries, keys), which keys are `allowed`, and the `logits` where known."""

    weights: Tensor
    allowed: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Picked:
    """Which batch rows (one index for each leading dimension) and which queries of weights of a `shape` are looked at."""

    batches: tuple[Tensor, ...]
    queries: Tensor
    shape: tuple[int, ...]

    def batch_rows(self, values: Tensor) -> Tensor:
        """The picked batch rows of values (…, heads, n, m), as (batch, heads, n, m)."""
        return values[self.batches]

    def rows(self, values: Tensor) -> Tensor:
        """The picked queries of the picked batch rows of values (…, heads, queries, m), as (batch, heads, queries, m).

        Both at once: of a mask that is only broadcast no more than this is ever written out.
        """
        places: tuple[Tensor | slice, ...] = (*(one[:, None] for one in self.batches), slice(None), self.queries[None])
        return values[places].transpose(1, 2)


def rows_of_weights(weights: Tensor, mask: Tensor | None, causal: bool) -> Rows:
    """Some rows of attention weights (…, heads, queries, keys)."""
    weights = _four_dimensional(weights)
    picked = _pick(tuple(weights.shape), weights.device)
    allowed, _ = _masked(mask, picked, causal)
    return Rows(picked.rows(weights).float(), allowed)


def rows_of_projections(q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None) -> Rows:
    """Some rows of softmax(scale · q kᵀ + mask) for q (…, heads, queries, d) and k (…, heads, keys, d), `scale` 1/√d unless given.

    Keys may have fewer heads, each serving as many neighbouring heads of the queries (grouped-query attention).
    """
    import torch

    q, k = _four_dimensional(q), _four_dimensional(k)
    if q.shape[-1] != k.shape[-1] or q.ndim != k.ndim or q.shape[:-3] != k.shape[:-3] or q.shape[-3] % k.shape[-3]:
        raise Refused("queries and keys do not fit: q (…, heads, n, d) and k (…, heads, m, d) were expected")
    picked = _pick((*q.shape[:-1], k.shape[-2]), q.device)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    allowed, added = _masked(mask, picked, causal)
    with torch.autocast(q.device.type, enabled=False):  # it would turn float32 back into 16 bits
        keys = picked.batch_rows(k).float().repeat_interleave(q.shape[-3] // k.shape[-3], dim=1)
        logits = picked.rows(q).float() @ keys.transpose(-1, -2) * scale
        weights = (logits if added is None else logits + added).masked_fill(~allowed, -torch.inf).softmax(-1)
    return Rows(weights, allowed, logits)


def tally(rows: Rows) -> Tensor:
    """Sums over rows for each head, float32 (8, heads): see `TALLIES`, and the largest logit of any allowed key (−inf where unknown).

    A row has entropy H = −Σ w ln w over its weights, divided by ln N for its N allowed keys. Rows with one allowed key or none say
    nothing and are left out; so are those counted as `nonfinite`, `unsummed` (weights below zero, or not adding up to 1) and `above`
    (H above ln N, or weight on keys that are not allowed).
    """
    import torch

    weights, allowed = rows.weights, rows.allowed
    keys = allowed.sum(-1)
    total = weights.sum(-1)
    finite = total.isfinite()
    summed = ((total - 1).abs() <= _SUM_TOLERANCE) & (weights.amin(-1) >= 0)
    shares = weights / total[..., None]
    entropy = -(shares * shares.clamp(min=_TINY).log()).sum(-1)
    most = keys.clamp(min=2).float().log()
    astray = weights.masked_fill(allowed, 0.0).sum(-1) > _SUM_TOLERANCE
    above = (entropy > most + _ENTROPY_TOLERANCE) | astray
    judged = keys > 1
    valid = judged & finite & summed & ~above

    def over_rows(values: Tensor, where: Tensor) -> Tensor:
        return torch.where(where, values, 0.0).sum((0, 2), dtype=torch.float32)

    one = torch.ones((), device=weights.device)
    return torch.stack(
        [
            over_rows(one, valid),
            over_rows((entropy / most).clamp(max=1.0), valid),
            over_rows(weights.amax(-1), valid),
            over_rows(keys.float(), valid),
            over_rows(one, judged & finite & summed & above),
            over_rows(one, judged & finite & ~summed),
            over_rows(one, judged & ~finite),
            _largest_logit(rows),
        ]
    )


def merged(first: Tensor, second: Tensor) -> Tensor:
    """The tally of the rows of both."""
    import torch

    return torch.cat([first[:-1] + second[:-1], torch.maximum(first[-1:], second[-1:])])


def _largest_logit(rows: Rows) -> Tensor:
    import torch

    if rows.logits is None:
        return torch.full(rows.weights.shape[1:2], -torch.inf, device=rows.weights.device)
    readable = rows.allowed & rows.logits.isfinite()
    return rows.logits.masked_fill(~readable, -torch.inf).amax((0, 2, 3))


def _four_dimensional(values: Tensor) -> Tensor:
    """(heads, n, m) or (n, m) as the one batch row, or the one head, that they are."""
    while values.ndim < 4:
        values = values[None]
    return values


def _pick(shape: tuple[int, ...], device: torch.device) -> _Picked:
    """Of weights (…, heads, queries, keys) at most 4 batch rows and 64 queries, fewer where there are many heads and keys."""
    import torch

    *leading, heads, queries, keys = shape
    affordable = max(1, _MOST_WEIGHTS // (heads * keys))
    some = min(queries, _MOST_QUERIES, affordable)
    batches = positions(math.prod(leading), min(_MOST_BATCHES, max(1, affordable // some)))
    places = tuple(torch.tensor(one, device=device) for one in np.unravel_index(batches, leading))
    return _Picked(places, torch.tensor(positions(queries, some), device=device), shape)


def _masked(mask: Tensor | None, picked: _Picked, causal: bool) -> tuple[Tensor, Tensor | None]:
    """Which keys the picked rows may attend, and what a float mask adds to their logits."""
    import torch

    heads, queries, keys = picked.shape[-3:]
    device = picked.queries.device
    allowed = torch.ones((), dtype=torch.bool, device=device)
    added = None
    if mask is not None:
        part = picked.rows(_broadcast(mask.to(device), picked.shape))
        added = None if part.dtype == torch.bool else part.float()
        allowed = part if added is None else added > _BLOCKED
    if causal:  # with fewer queries than keys they are the latest ones, as when decoding with a cache
        allowed = allowed & (torch.arange(keys, device=device) <= picked.queries[:, None] + (keys - queries))
    return allowed.expand(len(picked.batches[0]), heads, len(picked.queries), keys), added


def _broadcast(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    import torch

    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise Refused("a mask is bool (True where a query may attend) or floating-point (added to the logits)")
    try:
        return mask.expand(shape)
    except RuntimeError as error:
        raise Refused("a mask must broadcast to (…, heads, queries, keys)") from error
