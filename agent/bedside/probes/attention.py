"""Where attention goes: how even it is, and how large its logits are, for every layer and head.

Read on scheduled steps only, from a few rows of each layer. It knows no module: the script feeds it, from wherever weights or
projections are at hand. What a row amounts to is `attention_rows`; it judges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bedside.probes.attention_rows import TALLIES, Rows, merged, rows_of_projections, rows_of_weights, tally
from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Snapshot

if TYPE_CHECKING:
    from torch import Tensor

_UNIFORM = 0.98
"""Of 257 keys, a failed run's heads attended with 0.9996 of the largest entropy, a healthy one's with 0.951."""

_MOST_LAYERS = 1024  # a name that grows with the step must not fill the memory

_WRONG = {
    "above": "attention above the entropy of its allowed keys, or on keys the mask forbids: a bool mask is True where a query may attend",
    "unsummed": "attention weights that do not sum to 1: they are expected after the softmax and before dropout",
    "nonfinite": "NaN or infinity in attention: those rows are left out",
}
"""What is said of rows that cannot be measured."""


class Attention(Probe):
    """Entropy, largest weight and largest logit of attention, by layer and head.

    The entropy of a row is H = −Σ w ln w divided by ln N, N being the keys the row may attend: 1 is uniform over them, 0 is one key. A
    row with one allowed key is left out. Low entropy with growing logits precedes divergence (Zhai et al. 2023, arXiv 2303.06296);
    entropy near 1 is a head that averages. At most 64 queries of 4 batch rows are read of each observation, evenly spread, and fewer
    where heads × keys × rows would pass 2 million.

    A snapshot has the scalars `entropy` (mean over rows, 0 … 1), `entropy_min` and `entropy_max` (of the heads' means), `keys` (mean
    of N), `largest` (mean over rows of the largest weight), `uniform` (share of heads with an entropy above 0.98), `rows` (measured),
    `invalid` (rows not summing to 1, with H > ln N, or with weight on keys that are not allowed) and `nonfinite` (rows with a NaN),
    both left out of the rest; and where q and k are given `logit`, the largest of q·k·scale over allowed keys, before a mask is added.
    The matrices `entropy`, `largest` and `logit` have a row for each layer and a column for each head, NaN where there is none.
    Several observations of a layer in one step are averaged over their rows.
    """

    kind = "attention"
    lead = 1

    def __init__(self, name: str, *, every: int | Schedule = 50) -> None:
        super().__init__(name, schedule_of(every))
        self._layers: dict[str, Tensor] = {}
        """The tally (8, heads) of each layer since the last measurement, where the layer lives."""

    def observe(
        self,
        weights: object = None,
        mask: object = None,
        *,
        q: object = None,
        k: object = None,
        layer: str | int | None = None,
        causal: bool = False,
        scale: float | None = None,
    ) -> None:
        """Take the `weights` (…, heads, queries, keys) of a layer, after the softmax; or its `q` (…, heads, n, d) and `k` (…, heads, m, d).

        Without a dimension of heads there is one head; `k` may have fewer heads than `q` (grouped-query attention). `mask` broadcasts to
        the weights: bool, True where a query may attend, or floating-point, added to the logits, as scaled_dot_product_attention has
        it. `causal`: a query sees keys up to its own place, the last query all of them. `scale` is 1/√d unless given. Pass the mask with
        weights too: without it every key counts as allowed. Never raises, never waits for the device; returns at once on steps
        that are not scheduled.
        """
        if self.idle:
            return
        with self.taking("attention"):
            if is_no_real_step(q if weights is None else weights):
                return
            self._take("0" if layer is None else str(layer), _rows(weights, q, k, mask, causal, scale))

    def _take(self, layer: str, rows: Rows) -> None:
        found = tally(rows)
        before = self._layers.get(layer)
        if before is None and len(self._layers) >= _MOST_LAYERS:
            raise Refused("more layers than any model has: a layer's name must not change from step to step")
        if before is not None and before.shape != found.shape:
            raise Refused("a layer with another number of heads than before in the same step; give each its own `layer`")
        self._layers[layer] = found if before is None else merged(before, found)

    def measure(self, step: int) -> Snapshot | None:
        if not self._layers:
            return None
        layers, self._layers = self._layers, {}
        tallies = {layer: found.cpu().numpy().astype(np.float64) for layer, found in layers.items()}  # the only wait for the device
        table = _by_layer_and_head(list(tallies.values()))
        for name, sentence in _WRONG.items():
            if np.nansum(table[name]):
                self.say(sentence)
        arrays = {
            name: Array("matrix", values, tuple(map(str, range(values.shape[1]))), tuple(tallies))
            for name, values in _matrices(table).items()
            if np.isfinite(values).any()
        }
        return Snapshot(self.name, self.kind, step, _scalars(table), arrays)


def _rows(weights: object, q: object, k: object, mask: object, causal: bool, scale: float | None) -> Rows:
    import torch

    if (weights is None) == (q is None) or (q is None) != (k is None):
        raise Refused("either attention weights, or q and k, were expected")
    allowed = mask if mask is None or is_tensor(mask) else torch.as_tensor(mask)
    allowed = None if allowed is None else allowed.detach()
    with torch.no_grad():
        if weights is not None:
            return rows_of_weights(_tensor(weights), allowed, causal)
        return rows_of_projections(_tensor(q), _tensor(k), allowed, causal, scale)


def _tensor(given: object) -> Tensor:
    import torch

    tensor = given.detach() if is_tensor(given) else torch.from_numpy(numbers(given))
    if not tensor.is_floating_point():
        raise Refused("attention is made of floating-point numbers")
    if tensor.ndim < 2:
        raise Refused("attention has the dimensions (…, heads, queries, keys), and q and k (…, heads, n, d)")
    if tensor.numel() == 0:
        raise Refused("an attention without rows")
    return tensor


def _by_layer_and_head(tallies: list[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Each tally as (layers, most heads), NaN where a layer has fewer heads."""
    heads = max(found.shape[1] for found in tallies)
    padded = np.stack([np.pad(found, ((0, 0), (0, heads - found.shape[1])), constant_values=np.nan) for found in tallies], axis=1)
    return dict(zip((*TALLIES, "logit"), padded, strict=True))


def _matrices(table: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The mean over rows of entropy and largest weight, and the largest logit, of each layer and head; NaN where nothing was measured."""
    measured = np.nan_to_num(table["rows"]) > 0
    means = {
        name: np.divide(table[name], table["rows"], out=np.full(measured.shape, np.nan), where=measured) for name in ("entropy", "largest")
    }
    return {**means, "logit": np.where(np.isfinite(table["logit"]), table["logit"], np.nan)}


def _scalars(table: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    sums = {name: float(np.nansum(values)) for name, values in table.items() if name in TALLIES}
    matrices = _matrices(table)
    found = {"rows": sums["rows"], "invalid": sums["above"] + sums["unsummed"], "nonfinite": sums["nonfinite"]}
    if sums["rows"]:
        heads = matrices["entropy"][np.isfinite(matrices["entropy"])]
        found |= {name: sums[name] / sums["rows"] for name in ("entropy", "largest", "keys")}
        found |= {"entropy_min": float(heads.min()), "entropy_max": float(heads.max()), "uniform": float(np.mean(heads > _UNIFORM))}
    logits = matrices["logit"][np.isfinite(matrices["logit"])]
    return {**found, "logit": float(logits.max())} if logits.size else found
