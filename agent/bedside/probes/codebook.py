"""How a codebook is used: which codes of a vector quantizer the data still reaches.

A batch says little: its perplexity is capped by its size. So the latest assignments are kept, at least 20 times the number of codes, and
a measurement counts them all. Between measurements nothing is counted, only copied: in a training loop one call costs what its cold
caches cost, and a copy touches the least. On an accelerator the copies stay there, and the one device sync is at the measurement.

The probe judges nothing: what usage is healthy is a rule's business.
"""

from __future__ import annotations

import operator
import sys
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import is_no_real_step
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import NEVER, Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

if TYPE_CHECKING:
    import torch

_ASSIGNMENTS_A_CODE = 20
"""Counting noise of a uniformly used code is then 22 %, and a code of a tenth of the mean share is missed in 13 % of windows."""


class Codebook(Probe):
    """Usage of the codebook `name` of `size` codes, fed with the chosen indices.

    `every`: steps between two measurements. `window`: assignments a measurement looks back on, at least; 20 × `size` unless given.
    Feed it outside of compiled regions: inside, `observe` returns at once. Indices seen while a checkpointed forward is recomputed in the
    backward pass are not counted again.

    A snapshot has the scalars `size`, `window` (assignments in it), `used` (codes with at least one), `usage` (`used / size`), `dead`
    (`size - used`), `perplexity` (exp of the entropy of the shares, in codes: 1 … `size`), `top1` and `top10` (share of the one and the
    ten most used codes), `ignored` (indices in the window outside the codebook), and the array `usage`: int64 (`size`),
    assignments of each code.
    """

    kind = "codebook"

    def __init__(self, name: str, size: int, *, every: int | Schedule = 50, window: int | None = None) -> None:
        super().__init__(name, schedule_of(every))
        self.size = _number_of_codes(size)
        self.window = max(1, int(window or _ASSIGNMENTS_A_CODE * self.size))
        self.lead = self.schedule.every or NEVER
        self._batches: deque[NDArray[np.int64] | torch.Tensor] = deque()
        """The latest assignments, flat, oldest first: as few batches as make a window."""
        self._lengths: deque[int] = deque()
        self._held = 0
        if size != self.size:
            self.say(f"a codebook has a whole number of codes, not {size!r}")

    def settings(self) -> dict[str, Scalar]:
        return {"size": self.size, "window": self.window}

    def observe(self, indices: object) -> None:
        """Take chosen codes: integers 0 … `size` − 1 as a tensor, an array or nested lists, of any shape. Never raises, never syncs."""
        if self.idle:
            return
        with self.taking("indices"):
            self._take(indices)

    def _take(self, indices: object) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(indices, torch.Tensor):
            if is_no_real_step(indices):
                return
            whole = not (indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool)
            if self._accepts(indices.numel(), whole, indices.dtype):
                self._slide(indices.detach().reshape(-1).to(torch.int64, copy=True), indices.numel())
            return
        array = np.asarray(indices)
        if self._accepts(array.size, array.dtype.kind in "iu", array.dtype):
            self._slide(array.reshape(-1).astype(np.int64), array.size)  # a copy: the script may write to its own

    def _accepts(self, count: int, whole: bool, dtype: object) -> bool:
        if count == 0:
            self.say("an empty batch of indices")
        elif not whole:
            self.say(f"indices must be integers, not {dtype}; they are not counted")
        return count > 0 and whole

    def _slide(self, batch: NDArray[np.int64] | torch.Tensor, length: int) -> None:
        self._batches.append(batch)
        self._lengths.append(length)
        self._held += length
        while self._held - self._lengths[0] >= self.window:
            self._held -= self._lengths.popleft()
            self._batches.popleft()

    def measure(self, step: int) -> Snapshot | None:
        if not self._batches:
            return None
        counts = count(list(self._batches), self.size)
        ignored = self._held - int(counts.sum())
        if ignored:
            self.say(f"indices outside 0 … {self.size - 1} are not counted")
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars={"size": float(self.size), "ignored": float(ignored), **usage(counts)},
            arrays={"usage": Array("histogram", counts)},
        )


def count(batches: Sequence[NDArray[np.int64] | torch.Tensor], size: int) -> NDArray[np.int64]:
    """How often each of `size` codes occurs; other indices are left out. Tensors are counted where they live: one sync a device."""
    total = np.zeros(size, np.int64)
    for place, group in groupby(sorted(batches, key=_place), key=_place):
        if place == "":
            total += _count_arrays([np.asarray(batch) for batch in group], size)
        else:
            total += count_on_device(list(group), size).cpu().numpy()  # type: ignore[arg-type]  # the only sync of this probe
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


def _number_of_codes(size: object) -> int:
    try:
        return max(1, operator.index(size))  # type: ignore[arg-type]
    except TypeError:
        return 1
