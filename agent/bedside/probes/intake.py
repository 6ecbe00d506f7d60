"""How values the script feeds come into a probe: what counts as a real observation, and numbers out of tensors.

Torch is looked up among what the script has loaded, never imported: a probe can be fed with arrays where there is no torch.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class Refused(ValueError):
    """What was fed has not the form the probe documents; the text is the sentence to say, without numbers that vary."""


def is_tensor(value: object) -> TypeGuard[torch.Tensor]:
    """Whether this is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_compiling() -> bool:
    """Whether torch.compile is tracing: what is called now would become a part of the graph."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_compiling())


def is_no_real_step(value: object) -> bool:
    """Whether values are a recomputation in the backward pass (gradient checkpointing), a shape without values, or a captured graph's."""
    if not is_tensor(value):
        return False
    torch: Any = sys.modules["torch"]
    if torch._C._current_graph_task_id() != -1 or value.device.type == "meta":
        return True
    return bool(value.is_cuda and torch.cuda.is_current_stream_capturing())


def numbers(values: object) -> NDArray[np.float64]:
    """A float64 copy of real numbers in a tensor, an array or nested lists, in their shape. Waits for the device.

    Raises `Refused` where they are not numbers, or complex.
    """
    if is_tensor(values):
        if values.is_complex():
            raise Refused("complex numbers are not measured")
        return np.array(values.detach().to("cpu").double().numpy(), np.float64)  # the sync of an observation
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise Refused(f"numbers were expected, not {type(values).__name__}") from error
