"""Calling a model twice with the same batch in evaluation, where nothing should differ.

Dropout that ignores the mode, a sampling step, a normalisation that still learns: in evaluation each makes a result that cannot be
repeated. Everything is put back by `untouched`; of the outputs only a thinned copy is kept.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bedside.probes.batch_look import Apart, Look, look_at, rows_apart, tensors_in, thin_view
from bedside.probes.untouched import untouched

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

_KEPT: Final = 1 << 16
"""Elements of an output that are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a model: its arguments and the autocast it ran under, by device type."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    autocast: Mapping[str, torch.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """`difference`: max |a − b| over max |a| of the two outputs; infinite where one is a number and the other is not. `apart` is that of
    the first evaluation. `modules`: the innermost modules that made different outputs of the same inputs."""

    difference: float
    apart: Apart | None
    modules: tuple[str, ...] = ()


def call_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """The call that is being made now."""
    import torch

    devices = {tensor.device.type for tensor in tensors_in((args, kwargs))} if hasattr(torch, "get_autocast_dtype") else set()
    return Call(args, kwargs, {kind: torch.get_autocast_dtype(kind) for kind in devices if torch.is_autocast_enabled(kind)})


def is_distributed() -> bool:
    """Whether a call of the model may talk to other processes, who would not answer."""
    distributed: Any = sys.modules.get("torch.distributed")
    return distributed is not None and distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def repeat(model: Module, call: Call) -> Repeated | None:
    """Make the call twice in evaluation mode without gradients. Waits for the device. None where nothing in its output is a number.

    Where the outputs differ, it is made twice more, to find the modules. Raises whatever the model raises.
    """
    with untouched([model]):
        first, apart = _outputs(model, call)
        second, _ = _outputs(model, call)
        if not first:
            return None
        difference = _difference(first, second)
        return Repeated(difference, apart, _differing_modules(_traced(model, call), _traced(model, call)) if difference else ())


_Trace = list[tuple[str, Look | None, Look | None]]
"""Each module's call as it ended: its name, its inputs, its output."""


def _traced(model: Module, call: Call) -> _Trace:
    """The innermost calls come first."""
    trace: _Trace = []

    def note(name: str, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
        given, made = tensors_in((args, kwargs)), tensors_in(output)
        trace.append((name, look_at(given) if given else None, look_at(made) if made else None))

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(
                module.register_forward_hook(partial(note, name.removeprefix("_orig_mod").removeprefix(".")), with_kwargs=True).remove
            )
        _outputs(model, call)
    return trace


def _differing_modules(first: _Trace, second: _Trace) -> tuple[str, ...]:
    found: list[str] = []
    for (name, given, made), (other, given_then, made_then) in zip(first, second, strict=False):
        if name != other:  # another way through the model: from here on nothing can be compared
            break
        if _same(given, given_then) and not _same(made, made_then) and not any(_is_within(inner, name) for inner in found):
            found.append(name)
    return tuple(dict.fromkeys(name or "(model)" for name in found))


def _same(one: Look | None, other: Look | None) -> bool:
    if one is None or other is None:
        return one is other
    same = one.same(other)
    return same is not None and bool(same)


def _is_within(inner: str, outer: str) -> bool:
    return inner == outer or outer == "" or inner.startswith(outer + ".")


def _outputs(model: Module, call: Call) -> tuple[list[Tensor], Apart | None]:
    import torch

    with ExitStack() as casting:
        for kind, dtype in call.autocast.items():
            casting.enter_context(torch.autocast(kind, dtype=dtype))
        output = model(*call.args, **call.kwargs)
    real = [tensor for tensor in tensors_in(output) if not tensor.is_complex()]
    return [thin_view(tensor, _KEPT).double().cpu() for tensor in real], rows_apart(tensors_in((call.args, call.kwargs)), output)


def _difference(first: list[Tensor], second: list[Tensor]) -> float:
    if [one.shape for one in first] != [other.shape for other in second]:
        return math.inf
    return max(_relative(one, other) for one, other in zip(first, second, strict=True))


def _relative(one: Tensor, other: Tensor) -> float:
    finite = one.isfinite() & other.isfinite()
    if bool((one.isfinite() != other.isfinite()).any()):
        return math.inf
    one, other = one[finite], other[finite]
    if not one.numel():
        return 0.0
    return float((one - other).abs().max() / one.abs().max().clamp_min(1e-30))
