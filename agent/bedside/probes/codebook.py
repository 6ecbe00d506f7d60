"""How a codebook is used: which codes of a vector quantizer the data still reaches.

A batch says little: its perplexity is capped by its size. So the latest assignments are kept, at least 20 times the number of codes, and
a measurement counts them all. Between measurements nothing is counted, only copied: in a training loop one call costs what its cold
caches cost, and a copy touches the least. On an accelerator the copies stay there, and the one device sync is at the measurement.

This file decides the window and what a snapshot holds; what the counts amount to is `codebook_usage`. It judges nothing: what usage is
healthy is a rule's business.
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.codebook_usage import count_heads, geometry, overlap, usage
from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import NEVER, Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

if TYPE_CHECKING:
    import torch

_ASSIGNMENTS_A_CODE = 20
"""Counting noise of a uniformly used code is then 22 %, and a code of a tenth of the mean share is missed in 13 % of windows."""


class Codebook(Probe):
    """Usage of the codebook `name` of `size` codes, fed with the chosen indices.

    `every`: steps between two measurements. `window`: assignments of a head a measurement looks back on, at least; 20 × `size` unless
    given. `embedding`: the codes' vectors (`size`, d), or (`heads`, `size`, d), as a tensor, a module with such a `weight`, or a function
    that returns one (for a buffer that is replaced, say, or a list to be stacked); it is read at measurements only. `heads`: codebooks
    of a residual or multi-head quantizer, the first dimension of what is observed; that of a three-dimensional `embedding` unless given.
    Feed it outside of compiled regions: inside, `observe` returns at once. Indices seen while a checkpointed forward is recomputed in the
    backward pass are not counted again.

    A snapshot has the scalars `size`, `window` (assignments in it), `used` (codes with at least one), `usage` (`used / size`), `dead`
    (`size - used`), `perplexity` (exp of the entropy of the shares, in codes: 1 … `size`), `top1` and `top10` (share of the one and the
    ten most used codes), `ignored` (indices in the window outside the codebook), `overlap` (Jaccard index of the used codes with those of
    the previous snapshot, from the second on), and the array `usage`: int64 (`size`), assignments of each code. With an embedding also
    those of `codebook_usage.geometry`, and the table `near`: for up to 64 codes, the most used first, the Euclidean distance to
    the nearest other used code, labelled with their numbers. With several heads all of these are of the worst, that of least usage (its
    number is `head`), and the tables `used_by_head` and `perplexity_by_head` tell of each.
    """

    kind = "codebook"

    def __init__(
        self,
        name: str,
        size: int,
        embedding: torch.Tensor | torch.nn.Module | Callable[[], torch.Tensor] | None = None,
        *,
        heads: int | None = None,
        every: int | Schedule = 50,
        window: int | None = None,
    ) -> None:
        super().__init__(name, schedule_of(every))
        self.size = _at_least_one(size)
        self.window = max(1, int(window or _ASSIGNMENTS_A_CODE * self.size))
        self.lead = self.schedule.every or NEVER
        self._embedding = _source(embedding)
        self.heads = _at_least_one(heads if heads is not None else self._heads_of_embedding())
        self._batches: deque[NDArray[np.int64] | torch.Tensor] = deque()
        """The latest assignments, flat, or (heads, n) where there are several; oldest first: as few batches as make a window."""
        self._lengths: deque[int] = deque()
        self._held = 0
        self._before: NDArray[np.int64] | None = None
        """The counts (heads, size) of the previous snapshot."""
        if size != self.size:
            self.say(f"a codebook has a whole number of codes, not {size!r}")
        if heads is not None and heads != self.heads:
            self.say(f"a quantizer has a whole number of heads, not {heads!r}")

    def settings(self) -> dict[str, Scalar]:
        several: dict[str, Scalar] = {"heads": self.heads} if self.heads > 1 else {}
        return {"size": self.size, "window": self.window, **several}

    def observe(self, indices: object) -> None:
        """Take chosen codes: integers 0 … `size` − 1 as a tensor, an array or nested lists, of any shape; with several heads, (heads, …).

        Never raises, never syncs.
        """
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
            self._check(indices.shape, whole, indices.dtype)
            self._slide(indices.detach().reshape(self._form).to(torch.int64, copy=True), indices.numel())
            return
        array = np.asarray(indices)
        self._check(array.shape, array.dtype.kind in "iu", array.dtype)
        self._slide(array.reshape(self._form).astype(np.int64), array.size)  # a copy: the script may write to its own

    @property
    def _form(self) -> tuple[int, ...]:
        return (-1,) if self.heads == 1 else (self.heads, -1)

    def _check(self, shape: tuple[int, ...], whole: bool, dtype: object) -> None:
        if 0 in shape:
            raise Refused("an empty batch of indices")
        if not whole:
            raise Refused(f"indices must be integers, not {dtype}; they are not counted")
        if self.heads > 1 and (not shape or shape[0] != self.heads):
            raise Refused(f"indices of {self.heads} heads have the heads as their first dimension; they are not counted")

    def _slide(self, batch: NDArray[np.int64] | torch.Tensor, length: int) -> None:
        self._batches.append(batch)
        self._lengths.append(length)
        self._held += length
        while self._held - self._lengths[0] >= self.window * self.heads:
            self._held -= self._lengths.popleft()
            self._batches.popleft()

    def measure(self, step: int) -> Snapshot | None:
        if not self._batches:
            return None
        counts = count_heads(list(self._batches), self.size, self.heads)
        each = [usage(head) for head in counts]
        worst = min(range(self.heads), key=lambda head: (each[head]["usage"], each[head]["perplexity"]))
        ignored = self._held - int(counts.sum())
        if ignored:
            self.say(f"indices outside 0 … {self.size - 1} are not counted")
        scalars = {"size": float(self.size), "ignored": float(ignored), **each[worst]}
        arrays = {"usage": Array("histogram", counts[worst])}
        if self.heads > 1:
            scalars["head"] = float(worst)
            arrays |= {f"{field}_by_head": _table(dict(enumerate(one[field] for one in each))) for field in ("used", "perplexity")}
        if self._before is not None:
            scalars["overlap"] = overlap(self._before[worst], counts[worst])
        self._before = counts
        if (vectors := self._vectors(worst)) is not None:
            distances, near = geometry(counts[worst], vectors)
            scalars |= distances
            arrays |= {"near": _table(near)} if near else {}
        return Snapshot(self.name, self.kind, step, scalars, arrays)

    def _heads_of_embedding(self) -> int:
        try:
            shape = tuple(getattr(self._embedding(), "shape", ()))
        except Exception:  # a function that cannot answer yet: it is asked again, and heard, at each measurement
            return 1
        return int(shape[0]) if len(shape) == 3 else 1

    def _vectors(self, head: int) -> NDArray[np.float64] | None:
        """The codes' vectors (size, d) of a head; None where there are none, and a sentence where they have another form."""
        try:
            embedding = self._embedding()
            if embedding is None:
                return None
            shape = tuple(embedding.shape)
            if shape[:-1] not in ((self.size,), (self.heads, self.size)):
                raise Refused("an embedding has a vector for each code: (size, d), or (heads, size, d)")
            return numbers(embedding[head] if len(shape) == 3 else embedding)
        except Refused as refused:
            self.say(str(refused))
        except Exception as error:  # a function of the script's
            self.say(f"an embedding that cannot be read ({type(error).__name__})")
        return None


def _source(embedding: Any) -> Callable[[], Any]:
    """A function that gives the codes' vectors as they are now.

    A module is held weakly: with it the distances end. A tensor that has a graph is cut from it, and shares its memory.
    """
    if is_tensor(embedding):
        tensor = embedding if embedding.is_leaf else embedding.detach()
        return lambda: tensor
    if hasattr(embedding, "weight"):
        module = weakref.ref(embedding)
        return lambda: getattr(module(), "weight", None)
    return embedding if callable(embedding) else lambda: embedding


def _table(values: dict[int, float]) -> Array:
    return Array("table", np.array(list(values.values()), np.float64), tuple(map(str, values)))


def _at_least_one(size: object) -> int:
    try:
        return max(1, operator.index(size))  # type: ignore[arg-type]
    except TypeError:
        return 1
