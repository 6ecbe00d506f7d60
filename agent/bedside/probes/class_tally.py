"""Counting predictions beside their targets: out of whatever form they have, where they live, without a device sync until the end.

This file knows shapes and places; what the counts mean is `class_balance`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.codebook_usage import count_on_device
from bedside.probes.intake import Refused, is_tensor

if TYPE_CHECKING:
    import torch

_MOST_LABELS = 1 << 16
_MOST_LOGITS = 1 << 18
_MOST_SCATTERED = 1 << 16
"""Of one batch: the argmax of so many logits takes a tenth to a quarter of a millisecond of one core; where the classes are not the last
axis, a thinned picture is a cache miss a logit."""
_STRIDES = (1, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521)
"""Primes: thinning a picture by a divisor of its width would look at the same few columns of every row."""
_LEFT_OUT = -1
_NOT_A_NUMBER = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Predicted and target labels of a batch, flat int64, in one place. Labels that are no class are still in it;
    `_NOT_A_NUMBER` is a prediction from logits with NaN."""

    predicted: Any
    target: Any

    def __len__(self) -> int:
        return int(self.predicted.shape[0])


@dataclass(frozen=True, slots=True)
class Tally:
    """What a window holds. `predicted` and `target` are int64 (classes)."""

    predicted: NDArray[np.int64]
    target: NDArray[np.int64]
    observed: int
    """Valid targets with a prediction made of numbers."""
    correct: int
    ignored: int
    outside: int
    nonfinite: int


def pairs(predictions: object, targets: object, classes: int) -> Pairs:
    """A batch as it is kept: a copy, beside the predictions, thinned where it is large. Raises `Refused` for other forms. No sync."""
    made, meant = _as_values(predictions), _as_values(targets)
    if is_tensor(made) or is_tensor(meant):
        made, meant = _on_one_device(made, meant)
    if isinstance(made, np.ndarray) and made.dtype.kind not in "iubf":
        raise Refused(f"predictions must be labels or logits, not {made.dtype}")
    if not _is_whole(meant):
        raise Refused(f"targets must be whole numbers, not {meant.dtype}")
    if 0 in made.shape or 0 in meant.shape:
        raise Refused("an empty batch of predictions or targets")
    if tuple(made.shape) == tuple(meant.shape):
        if not _is_whole(made):
            raise Refused("predictions of the targets' shape must be labels: whole numbers, as of an argmax")
        stride = _stride(made.size if isinstance(made, np.ndarray) else made.numel(), _MOST_LABELS)
        return Pairs(_kept(made.reshape(-1)[::stride]), _kept(meant.reshape(-1)[::stride]))
    return _labels_of_logits(made, meant, classes)


def _labels_of_logits(logits: Any, targets: Any, classes: int) -> Pairs:
    """The class of the largest logit, where the classes are one more axis than the targets have."""
    shape, kept = tuple(logits.shape), tuple(targets.shape)
    if shape == (*kept, classes):
        rows, flat = logits.reshape(-1, classes), targets.reshape(-1)
        stride = _stride(rows.shape[0], max(1, _MOST_LOGITS // classes))
        rows, flat = rows[::stride], flat[::stride]
    elif kept and shape == (kept[0], classes, *kept[1:]):
        rows, flat = logits.reshape(kept[0], classes, -1), targets.reshape(kept[0], -1)
        stride = _stride(rows.shape[2], max(1, _MOST_SCATTERED // (classes * kept[0])))
        rows, flat = rows[:, :, ::stride], flat[:, ::stride].reshape(-1)
    else:
        raise Refused(f"predictions must have the targets' shape, or one more axis of {classes} classes: the last, or axis 1")
    if isinstance(rows, np.ndarray):
        largest, label = rows.max(1), rows.argmax(1)
        label[largest != largest] = _NOT_A_NUMBER  # only NaN differs from itself, and it is the largest of whatever holds it
    else:
        largest, label = rows.max(1)
        label = label.masked_fill(largest.isnan(), _NOT_A_NUMBER)
    return Pairs(label.reshape(-1), _kept(flat))


def tally(batches: Sequence[Pairs], classes: int) -> Tally:
    """Count a window. Tensors are counted where they live: one sync a device."""
    total = np.zeros(2 * classes + 5, np.int64)
    for place, group in groupby(sorted(batches, key=_place), key=_place):
        these = list(group)
        if place == "":
            total += _count_arrays([np.asarray(one.predicted) for one in these], [np.asarray(one.target) for one in these], classes)
        else:
            counted = count_pairs_on_device([one.predicted for one in these], [one.target for one in these], classes)
            total += counted.cpu().numpy()  # the only sync of this probe
    observed, correct, ignored, outside, nonfinite = total[2 * classes :].tolist()
    return Tally(total[:classes], total[classes : 2 * classes], observed, correct, ignored, outside, nonfinite)


def count_pairs_on_device(predicted: list[torch.Tensor], target: list[torch.Tensor], classes: int) -> torch.Tensor:
    """int64 (2 × classes + 5) beside the batches, without a sync: predicted, target, and the rest of a `Tally` in its order."""
    import torch

    made, meant = torch.cat(predicted), torch.cat(target)
    valid, broken = (meant >= 0) & (meant < classes), made == _NOT_A_NUMBER
    kept = valid & ~broken
    sums = [kept, kept & (made == meant), ~valid, kept & ((made < 0) | (made >= classes)), valid & broken]
    return torch.cat(
        [
            count_on_device([torch.where(kept, made, _LEFT_OUT)], classes),
            count_on_device([torch.where(kept, meant, _LEFT_OUT)], classes),
            torch.stack([each.sum() for each in sums]),
        ]
    )


def _count_arrays(predicted: list[NDArray[np.int64]], target: list[NDArray[np.int64]], classes: int) -> NDArray[np.int64]:
    """As `count_pairs_on_device`, in memory that numpy reads."""
    made, meant = np.concatenate(predicted), np.concatenate(target)
    valid, broken = (meant >= 0) & (meant < classes), made == _NOT_A_NUMBER
    kept, outside = valid & ~broken, (made < 0) | (made >= classes)
    sums = [kept, kept & (made == meant), ~valid, kept & outside, valid & broken]
    return np.concatenate(
        [
            np.bincount(made[kept & ~outside], minlength=classes),
            np.bincount(meant[kept], minlength=classes),
            np.array([each.sum() for each in sums]),
        ]
    )


def _as_values(values: object) -> Any:
    return values.detach() if is_tensor(values) else np.asarray(values)


def _on_one_device(made: Any, meant: Any) -> tuple[Any, Any]:
    """Both as tensors, on the accelerator where either is: in that direction a copy waits for nothing."""
    import torch

    made, meant = (one if is_tensor(one) else torch.as_tensor(one) for one in (made, meant))
    device = meant.device if made.device.type == "cpu" else made.device
    return made.to(device, non_blocking=True), meant.to(device, non_blocking=True)


def _is_whole(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "iub"
    return not (values.is_floating_point() or values.is_complex())


def _kept(flat: Any) -> Any:
    """A copy as int64: the script may write to its own."""
    if isinstance(flat, np.ndarray):
        return flat.astype(np.int64)
    import torch

    return flat.to(torch.int64, copy=True)


def _stride(count: int, most: int) -> int:
    return next((stride for stride in _STRIDES if count <= most * stride), _STRIDES[-1])


def _place(batch: Pairs) -> str:
    """The accelerator a batch is on; empty for memory that numpy reads."""
    if isinstance(batch.predicted, np.ndarray) or batch.predicted.device.type == "cpu":
        return ""
    return str(batch.predicted.device)
