"""What a batch looks like in a few numbers: whether two are the same, and whether outputs differ where inputs do.

Nothing here waits for a device, writes to what it is given, or copies a batch: values are read from views that are thinned by a stride
along every axis. Equal numbers mean equal batches up to what lies between the strides.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from bedside.probes.intake import is_tensor

if TYPE_CHECKING:
    from torch import Tensor

_LOOKED_AT: Final = 1 << 14
"""Elements of a tensor."""
_MOST_TENSORS: Final = 16
_OTHER_ROWS: Final = 7
"""Rows compared with the first: among eight samples two that differ are found."""
_DEEPEST: Final = 8


def tensors_in(value: object) -> list[Tensor]:
    """The dense tensors with elements in nested tuples, lists, mappings and dataclasses, in their order; the first 16."""
    return list(islice((one for one in _walk(value, _DEEPEST) if _is_readable(one)), _MOST_TENSORS))


def _walk(value: object, depth: int) -> Iterator[Tensor]:
    if is_tensor(value):
        yield value
    elif depth and isinstance(value, (Mapping, list, tuple)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _walk(part, depth - 1)
    elif depth and dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _walk(getattr(value, field.name), depth - 1)


def _is_readable(tensor: Tensor) -> bool:
    import torch

    plain = tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type != "meta"
    return plain and tensor.numel() > 0 and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def thin_view(tensor: Tensor, most: int = _LOOKED_AT, first_axis: int = 0) -> Tensor:
    """A view with at most `most` elements in each entry of the axes before `first_axis`: every further axis thinned by a stride."""
    extents = sorted(tensor.shape[first_axis:])
    left = float(most)
    cap = most
    for place, extent in enumerate(extents):  # a short axis leaves its room to the longer ones
        cap = max(1, int(left ** (1 / (len(extents) - place)) + 1e-9))
        left /= min(extent, cap)
    strides = tuple(slice(None, None, -(-extent // cap)) for extent in tensor.shape[first_axis:])
    return tensor.detach()[(slice(None),) * first_axis + strides]


def _as_float(tensor: Tensor) -> Tensor:
    import torch

    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).float()


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One batch: the shapes of its tensors, and for each the sum of its values and their sum weighted by place, on one device."""

    shapes: tuple[tuple[int, ...], ...]
    sums: Tensor

    def same(self, other: Look) -> Tensor | None:
        """Whether two batches are the same, as a 0-d tensor; None where their shapes tell already that they are not.

        NaN is like nothing: batches with NaN in them are never the same.
        """
        if self.shapes != other.shapes or self.sums.device != other.sums.device:
            return None
        return (self.sums == other.sums).all()


def look_at(tensors: Sequence[Tensor]) -> Look:
    """Look at a batch of at least one tensor."""
    import torch

    home = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), tensors[0].device)
    sums = []
    for tensor in tensors:
        values = _as_float(thin_view(tensor)).reshape(-1)
        weights = torch.arange(1, values.numel() + 1, dtype=torch.float32, device=values.device) / values.numel()
        sums += [values.sum(dtype=torch.float32).to(home), (values * weights).sum(dtype=torch.float32).to(home)]
    return Look(tuple(tuple(tensor.shape) for tensor in tensors), torch.stack(sums))


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """How far the outputs of a batch's rows lie from that of its first, where its inputs differ from the first's: (rows − 1) each."""

    inputs_differ: Tensor
    distances: Tensor
    magnitude: Tensor
    """Mean |output| over the rows, 0-d."""

    def read(self) -> tuple[float, float] | None:
        """Mean |difference| of the outputs of the first two rows with different inputs, and that over mean |output|.

        Waits for the device. None where all rows have the same input, or an output is not a number.
        """
        magnitude = float(self.magnitude)
        for differs, distance in zip(self.inputs_differ.tolist(), self.distances.tolist(), strict=True):
            if differs:
                return (distance, distance / magnitude if magnitude > 0 else 0.0) if math.isfinite(distance) else None
        return None


def rows_apart(inputs: Sequence[Tensor], output: object) -> Apart | None:
    """Compare the first rows of a batch, rows being the first axis of the output and of the inputs that have as many.

    The output is the first tensor in it of real numbers with two rows or more. None where there is none, or no input has its rows.
    """
    import torch

    made = next((one for one in tensors_in(output) if one.is_floating_point() and one.dim() and one.shape[0] > 1), None)
    given = [] if made is None else [one for one in inputs if one.dim() and one.shape[0] == made.shape[0]]
    if made is None or not given:
        return None
    rows = _rows(made)
    differ = torch.stack([_differing(one).to(made.device) for one in given]).any(0)
    return Apart(differ, (rows[1:] - rows[0]).abs().mean(1), rows.abs().mean())


def _differing(given: Tensor) -> Any:
    rows = _rows(given)
    return (rows[1:] != rows[0]).any(1)


def _rows(tensor: Tensor) -> Any:
    """The first rows, thinned, one dimension each."""
    rows = tensor.detach()[: _OTHER_ROWS + 1]
    return _as_float(thin_view(rows, first_axis=1)).reshape(rows.shape[0], -1)
