"""Letting a model and its optimizers train for a while, and then putting back every bit.

Values are copied to the host, so that a rehearsal does not change how much memory the device has for it. It knows no rehearsal.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter
    from torch.optim import Optimizer

_CONTAINERS: Final = (list, set, deque, dict, OrderedDict, defaultdict)
"""Attributes of these very types have their contents put back: registries of parameters, hooks, a model's own lists."""
_DEEPEST: Final = 8


@contextmanager
def as_it_was(model: Module, optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """Run the body with no gradients there, and put everything back afterwards, also when it raises.

    Put back bit for bit: parameters, buffers and tensors among the attributes of the model's modules, in the tensors they were in; every
    attribute of the modules by assignment (so also `training`), and the contents of their lists, dicts and sets; `requires_grad` and
    `.grad`; the optimizers' states and settings; the random states of Python, numpy and torch (CPU, and CUDA if it was in use). Not seen,
    and so not put back: what a function of the script keeps for itself, a data loader's position, a learning-rate schedule that is stepped.
    Raises `ValueError` for a model with lazy parameters: what its first forward makes cannot be unmade.
    """
    import torch

    if any(map(torch.nn.parameter.is_lazy, (*model.parameters(), *model.buffers()))):
        raise ValueError("the model has parameters that its first forward makes: call it once before")
    with ExitStack() as afterwards:
        _keep_random_states(afterwards)
        modules = list(model.modules())
        parameters = list({id(one): one for one in (*model.parameters(), *_owned(optimizers))}.values())
        held = [value for module in modules for value in vars(module).values()]
        states = [value for optimizer in optimizers for value in (optimizer.state, optimizer.param_groups)]
        for tensor in {id(one): one for one in _tensors([held, states, parameters], _DEEPEST)}.values():
            afterwards.callback(write_back, tensor, tensor.detach().to("cpu", copy=True))
        for owner in (*modules, *optimizers):
            afterwards.callback(_restore_attributes, vars(owner), dict(vars(owner)))
        for container in {id(one): one for one in _containers([held, states], _DEEPEST)}.values():
            afterwards.callback(_restore_contents, container, container.copy())
        for parameter in parameters:
            afterwards.callback(_restore_gradient, parameter, parameter.grad, parameter.requires_grad)
            parameter.grad = None
        with torch.enable_grad():
            yield


def _keep_random_states(afterwards: ExitStack) -> None:
    torch: Any = sys.modules["torch"]
    afterwards.callback(random.setstate, random.getstate())
    afterwards.callback(np.random.set_state, np.random.get_state(legacy=False))
    afterwards.callback(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_initialized():
        afterwards.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())


def _owned(optimizers: Iterable[Optimizer]) -> list[Parameter]:
    return [parameter for optimizer in optimizers for group in optimizer.param_groups for parameter in group["params"]]


def _tensors(value: object, depth: int) -> Iterator[Tensor]:
    """The tensors with values of their own in nested containers."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.device.type != "meta":
            yield value
    elif depth:
        for part in _parts(value):
            yield from _tensors(part, depth - 1)


def _containers(value: object, depth: int) -> Iterator[Any]:
    if type(value) in _CONTAINERS:
        yield value
    if depth:
        for part in _parts(value):
            yield from _containers(part, depth - 1)


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple, set, deque)) else ()


def write_back(tensor: Tensor, values: Tensor) -> None:
    """Always, and not where values differ: −0 equals 0. A tensor whose places share memory can be read, but not written to."""
    import torch

    if tensor.layout == torch.strided and 0 in tensor.stride():
        return
    if tensor.is_inference():
        with torch.inference_mode():
            tensor.copy_(values)
    else:
        tensor.data.copy_(values)


def _restore_attributes(live: dict[str, Any], before: dict[str, Any]) -> None:
    for name in live.keys() - before.keys():
        del live[name]
    live.update(before)


def _restore_contents(live: Any, before: Any) -> None:
    live.clear()
    live.extend(before) if isinstance(live, (list, deque)) else live.update(before)


def _restore_gradient(parameter: Parameter, gradient: Tensor | None, required: bool) -> None:
    if parameter.requires_grad != required:
        parameter.requires_grad_(required)
    parameter.grad = gradient
