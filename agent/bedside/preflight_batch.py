"""What a preflight says of the data: the tensors of a batch, one by one, and whether there are enough frames for its windows.

Looks at values; runs no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .probes.batch_look import tensors_in, thin_view
from .rehearsal import Check, Left, Plan, State, Trial

if TYPE_CHECKING:
    from torch import Tensor

_PIXELS_MOST: Final = 255
_PIXELS_LEAST: Final = 2
"""A tensor of whole numbers up to 2 may be classes or a mask; beyond, in three dimensions, it is pixels."""
_DEEPEST: Final = 8


def look_at_batches(plan: Plan, left: Left) -> Iterator[Check]:
    """One check a tensor, of each batch whose shapes are new."""
    seen: set[tuple[object, ...]] = set()
    for number, batch in enumerate(plan.all_batches):
        name = "batch" if number == 0 else f"batches[{number - 1}]"
        found = list(_named(name, batch, _DEEPEST))
        shapes = tuple(tuple(tensor.shape) for _, tensor in found)
        if not found:
            yield Check(name, "not checked", f"no tensor was found in {type(batch).__name__}")
        elif shapes not in seen:
            seen.add(shapes)
            yield from (_look(path, tensor) for path, tensor in found)


def _named(name: str, value: object, depth: int) -> Iterator[tuple[str, Tensor]]:
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
    elif depth and isinstance(value, Mapping):
        for key, part in value.items():
            yield from _named(f"{name}[{key!r}]", part, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from _named(f"{name}[{place}]", part, depth - 1)


def _look(name: str, tensor: Tensor) -> Check:
    kind = f"{str(tensor.dtype).removeprefix('torch.')} {'×'.join(map(str, tensor.shape)) or 'one number'}"
    if tensor.numel() == 0:
        return Check(name, "fail", f"{kind} is empty")
    readable = tensors_in(tensor)
    if not readable or tensor.is_complex():
        return Check(name, "not checked", f"{kind} has values that are not read here")
    values = tensor.detach().double()
    odd = int((~values.isfinite()).sum())
    if odd:
        return Check(name, "fail", f"{kind} has {odd:,} values that are NaN or infinite")
    low, high = values.min().item(), values.max().item()
    state, remark = _remark(tensor, low, high)
    return Check(name, state, f"{kind}, {low:.4g} … {high:.4g}{remark and ': ' + remark}")


def _remark(tensor: Tensor, low: float, high: float) -> tuple[State, str]:
    pictures = tensor.is_floating_point() and tensor.dim() >= 3
    if low == high:
        if tensor.numel() == 1:
            return "ok", ""
        nothing = "all zero" if low == 0 else "all the same value"
        if low == 1 and tensor.dim() >= 2 and not tensor.is_floating_point():
            return "ok", "a mask that hides nothing"
        return ("fail" if tensor.is_floating_point() and tensor.dim() >= 2 else "warn"), nothing
    if pictures and low >= 0 and _PIXELS_LEAST < high <= _PIXELS_MOST and _is_whole(tensor):
        return "warn", "looks like pixels of 0 … 255 as they were read; most models want 0 … 1, or mean 0 and deviation 1"
    if tensor.dim() and tensor.shape[0] > 1 and tensor.dim() >= 2 and bool((tensor == tensor[:1]).all()):
        return "warn", "every row is the same"
    return "ok", ""


def _is_whole(tensor: Tensor) -> bool:
    values = thin_view(tensor, 1 << 16)
    return bool((values == values.round()).all())


def enough_frames(plan: Plan, left: Left) -> Iterator[Check]:
    """`length + stride` frames: one window, and a second that begins `stride` frames after the first.

    With stride 8 and length 64 that is 72; with the stride of 1, the inputs and the targets one frame on. A stride of 0 asks for one
    window alone. `available` is the number of frames of the shortest recording.
    """
    if plan.length is None:
        return
    needed = plan.length + plan.stride
    shapes = [tuple(tensor.shape) for tensor in tensors_in(plan.batch)]
    if plan.available is None:
        yield Check("data", "not checked", f"windows of {plan.length} every {plan.stride} need {needed} frames: say how many are available")
    else:
        state: State = "ok" if plan.available >= needed else "fail"
        yield Check("data", state, f"{plan.available:,} frames, {needed:,} needed for windows of {plan.length} every {plan.stride}")
    if shapes and not any(plan.length in shape for shape in shapes):
        yield Check("length", "warn", f"no tensor of the batch has an extent of {plan.length}")


def sizes(batch: Any) -> str:
    """The extents of the first tensor: what a batch is called by."""
    first = next(iter(tensors_in(batch)), None)
    return "×".join(map(str, first.shape)) if first is not None else "batch"


BATCH_TRIALS: Final[tuple[tuple[str, Trial], ...]] = (("batch", look_at_batches), ("data", enough_frames))
