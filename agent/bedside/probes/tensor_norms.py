"""Norms of many tensors at once, without a device sync until somebody reads the numbers.

Everything here looks; nothing writes to what it is given. Torch is present whenever this is called, and imported only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_SAMPLE = 1 << 16
"""Elements of a tensor that are enough to tell how far it moved: the ratio of two norms over them is good to a per cent or so."""


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each tensor as a 0-d float32 tensor beside it, in the order given.

    One fused call for each device and dtype. 16-bit tensors are summed in float32: a norm above 65,504 is no overflow. A sparse gradient
    counts with its values.
    """
    import torch

    found: dict[int, Tensor] = {}
    fused: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for index, tensor in enumerate(tensors):
        if tensor.layout == torch.strided and tensor.dtype in (torch.float32, torch.float64):
            fused.setdefault((tensor.device, tensor.dtype), []).append(index)
        else:
            dense = tensor if tensor.layout == torch.strided else tensor.coalesce().values()
            found[index] = torch.linalg.vector_norm(dense.detach(), dtype=torch.float32)
    for indices in fused.values():
        group = torch._foreach_norm([tensors[index].detach() for index in indices])
        found.update(zip(indices, (norm.float() for norm in group), strict=True))
    return [found[index] for index in range(len(tensors))]


def sample(tensor: Tensor) -> Tensor:
    """The tensor as one dimension, thinned evenly to at most 65,536 elements; a view of it where its layout allows."""
    flat = tensor.detach().flatten()
    stride = -(-flat.numel() // _SAMPLE)
    return flat[:: max(1, stride)]


def read(scalars: Sequence[Tensor]) -> NDArray[np.float64]:
    """The values of many 0-d tensors. Waits for the device: once a device, however many tensors."""
    import torch

    values = np.empty(len(scalars), np.float64)
    places: dict[torch.device, list[int]] = {}
    for index, scalar in enumerate(scalars):
        places.setdefault(scalar.device, []).append(index)
    for indices in places.values():
        values[indices] = torch.stack([scalars[index] for index in indices]).cpu().numpy()
    return values
