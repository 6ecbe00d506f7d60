"""How a codebook is used: which codes of a vector quantizer the data still reaches.

A batch says little: its perplexity is capped by its size. So assignments are counted over a sliding window of at least 20 times the
number of codes, and one snapshot tells the whole window. Counting happens where the indices live; on an accelerator the counts stay
there, and the one device sync is at the measurement.

The probe judges nothing: what usage is healthy is a rule's business.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from functools import reduce
from itertools import groupby
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from bedside_protocol.records import Array, Scalar, Snapshot
from numpy.typing import NDArray

from bedside.probes.probe import Probe
from bedside.schedule import NEVER, Schedule
from bedside.schedule import every as every_steps

if TYPE_CHECKING:
    import torch

Counts: TypeAlias = "NDArray[np.int64] | torch.Tensor"
"""int64 (size + 1): the assignments of each code, and last those of no code."""

_ASSIGNMENTS_A_CODE = 20
"""Counting noise of a uniformly used code is then 22 %, and a code of a tenth of the mean share is missed in 13 % of windows."""

_BLOCKS = 10
"""The window slides by a tenth of itself."""


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
        super().__init__(name, every if not isinstance(every, int) else every_steps(every))
        self.size = max(1, int(size))
        self.window = max(1, int(window or _ASSIGNMENTS_A_CODE * self.size))
        self.lead = self.schedule.every or NEVER
        self._blocks: deque[tuple[int, Counts]] = deque()
        """Finished blocks, oldest first, each with its number of assignments."""
        self._block: Counts | None = None
        self._in_block = 0
        self._in_window = 0
        if size != self.size:
            self.say(f"a codebook has a whole number of codes, not {size!r}; {self.size} is taken")

    def settings(self) -> dict[str, Scalar]:
        return {"size": self.size, "window": self.window}

    def observe(self, indices: object) -> None:
        """Count chosen codes: integers 0 … `size` − 1 as a tensor, an array or nested lists, of any shape. Never raises, never syncs."""
        if _is_compiling() or not self.armed:  # in this order: a traced region must not depend on whether the probe is fed
            return
        began = time.perf_counter()
        try:
            self._count(indices)
        except Exception as error:
            self.say(f"indices that cannot be counted ({type(error).__name__})")
        self.feeding += time.perf_counter() - began

    def _count(self, indices: object) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(indices, torch.Tensor):
            if _is_no_real_step(torch, indices):
                return
            if indices.device.type != "cpu":
                self._count_on_device(torch, indices)
                return
            indices = indices.detach().numpy()
        self._count_here(np.asarray(indices))

    def _count_here(self, indices: NDArray[Any]) -> None:
        if not self._takes(indices.size, indices.dtype.kind in "iu", str(indices.dtype)):
            return
        flat = indices.reshape(-1)
        outside = 0
        if flat.min() < 0 or flat.max() >= self.size:
            inside = flat[(flat >= 0) & (flat < self.size)]
            outside = flat.size - inside.size
            flat = inside
            self._say_outside()
        counts = np.empty(self.size + 1, np.int64)
        counts[:-1] = np.bincount(flat.astype(np.int64, copy=False), minlength=self.size)
        counts[-1] = outside
        self._add(indices.size, counts)

    def _count_on_device(self, torch: Any, indices: torch.Tensor) -> None:
        """Without a sync: neither `bincount`, which must know the largest index, nor a look at the values."""
        whole = not (indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool)
        if not self._takes(indices.numel(), whole, str(indices.dtype)):
            return
        with torch.inference_mode(False):  # counts begun in an evaluation must take additions in training
            flat = indices.detach().reshape(-1).long()
            flat = torch.where((flat >= 0) & (flat < self.size), flat, self.size)
            counts = torch.zeros(self.size + 1, dtype=torch.int64, device=flat.device)
            self._add(flat.numel(), counts.scatter_add_(0, flat, torch.ones_like(flat)))

    def _takes(self, count: int, whole: bool, dtype: str) -> bool:
        if count == 0:
            self.say("an empty batch of indices")
        elif not whole:
            self.say(f"indices must be integers, not {dtype}; they are not counted")
        return count > 0 and whole

    def _add(self, assignments: int, counts: Counts) -> None:
        """Slide the window: append to the newest block, and drop the oldest while what remains is still a full window."""
        if self._block is None or _place(self._block) != _place(counts):
            self._close_block()
            self._block = counts
        else:
            self._block += counts
        self._in_block += assignments
        self._in_window += assignments
        if self._in_block * _BLOCKS >= self.window:
            self._close_block()
        while self._blocks and self._in_window - self._blocks[0][0] >= self.window:
            self._in_window -= self._blocks.popleft()[0]

    def _close_block(self) -> None:
        if self._block is not None:
            self._blocks.append((self._in_block, self._block))
            self._block, self._in_block = None, 0

    def measure(self, step: int) -> Snapshot | None:
        blocks = [counts for _, counts in self._blocks]
        if self._block is not None:
            blocks.append(self._block)
        if not blocks:
            return None
        total = _read(blocks)
        counts, ignored = total[:-1], int(total[-1])
        if ignored:
            self._say_outside()
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars={"size": float(self.size), "ignored": float(ignored), **usage(counts)},
            arrays={"usage": Array("histogram", counts)},
        )

    def _say_outside(self) -> None:
        self.say(f"indices outside 0 … {self.size - 1} are not counted")


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


def _read(blocks: list[Counts]) -> NDArray[np.int64]:
    """The sum of the blocks. Those on a device are summed there and cross once: the only sync of this probe."""
    total = np.zeros(blocks[0].shape[0], np.int64)
    for _, group in groupby(blocks, key=_place):
        counted = reduce(add, group)
        total += counted if isinstance(counted, np.ndarray) else counted.cpu().numpy()
    return total


def _place(counts: Counts) -> str:
    return "" if isinstance(counts, np.ndarray) else str(counts.device)


def _is_compiling() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_compiling())


def _is_no_real_step(torch: Any, indices: torch.Tensor) -> bool:
    """Whether these indices are a recomputation in the backward pass, a shape without values, or a CUDA graph being captured."""
    if torch._C._current_graph_task_id() != -1 or indices.device.type == "meta":
        return True
    return bool(indices.is_cuda and torch.cuda.is_current_stream_capturing())
