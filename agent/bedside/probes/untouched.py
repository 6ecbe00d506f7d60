"""Running the user's own function between two steps so that the training cannot tell it ran, and finding the models it runs.

Some probes measure by calling a function of the script: a rollout, a forward with another input. This file decides what is put back
afterwards and which models are looked after. It knows no probe and nothing of what the function returns.
"""

from __future__ import annotations

import functools
import random
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bedside.probes.intake import Refused

if TYPE_CHECKING:
    import torch
    from torch.nn import Module

_CONTAINERS = (list, tuple, set, frozenset, dict)
_AUTOCAST_DEVICES = ("cpu", "cuda")
_LONGEST_REASON = 160
"""Characters: what fits a line beside the probe's name."""
_LIBRARIES = sys.stdlib_module_names | {"torch", "numpy"}
_MOST_FUNCTIONS = 200
"""Functions searched for models: what is further away than so many others belongs to somebody else."""
_running = 0
"""How many measurements of this kind are under way, one inside the other."""


def is_rehearsal() -> bool:
    """Whether the model runs for a measurement: what it feeds to probes now is no training data."""
    return _running > 0


@contextmanager
def untouched(models: Iterable[Module] = ()) -> Iterator[None]:
    """Run the body without gradients and with `models` in eval mode, and put everything back afterwards, also when it raises.

    Put back bit for bit: the global random states of Python, numpy and torch (CPU, and every CUDA device if CUDA was in use before);
    every buffer of the models; every attribute of their modules by assignment, so also `training`, replaced buffers, parameters and
    submodules; `requires_grad` and `.grad` of every parameter (inside, `.grad` is None); autocast. Modules are put into eval mode by
    their flag, not by `eval()`, which models override to merge weights. What torch.compile has compiled is run eagerly inside: no
    recompilation that would count against its limit. Nothing here waits for a device.

    Not put back, because it cannot be seen: values of parameters written inside, lists and dicts of a module changed in place, models
    that are not among `models`, generators the function owns, iterators it advances, and the random state of other accelerators.
    A model in DistributedDataParallel or FSDP communicates in its forward: every rank must measure at the same step, or the function
    must call the wrapped `.module`.
    """
    global _running
    torch: Any = sys.modules.get("torch")
    with ExitStack() as afterwards:
        _keep_random_states(afterwards, torch)
        if torch is not None:
            _keep_modes(afterwards, torch)
            _keep_models(afterwards, models)
        _running += 1
        try:
            yield
        finally:
            _running -= 1


def seed(number: int) -> None:
    """Start the global random states from `number`: inside `untouched` only, so that two runs of a function draw the same numbers.

    Not `torch.manual_seed`: before CUDA is in use that leaves an order to seed it later, which nothing could take back.
    """
    torch: Any = sys.modules.get("torch")
    random.seed(number)
    np.random.seed(number)
    if torch is not None:
        torch.default_generator.manual_seed(number)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(number)


def reason(error: Exception) -> str:
    """What went wrong in the script's function, on one line and without the numbers, which vary from one step to the next."""
    if isinstance(error, Refused):
        return str(error)
    said = str(error).strip().partition("\n")[0]
    return re.sub(r"\d+(\.\d+)?", "…", f"{type(error).__name__}: {said}" if said else type(error).__name__)[:_LONGEST_REASON]


def _keep_random_states(afterwards: ExitStack, torch: Any) -> None:
    afterwards.callback(random.setstate, random.getstate())
    afterwards.callback(np.random.set_state, np.random.get_state(legacy=False))
    if torch is not None:
        afterwards.callback(torch.set_rng_state, torch.get_rng_state())
        if torch.cuda.is_initialized():
            afterwards.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())


def _keep_modes(afterwards: ExitStack, torch: Any) -> None:
    for device in _AUTOCAST_DEVICES if hasattr(torch, "get_autocast_dtype") else ():  # by device since torch 2.4
        enabled = torch.is_autocast_enabled(device)
        afterwards.callback(torch.set_autocast_enabled, device, enabled)
        afterwards.callback(torch.set_autocast_dtype, device, torch.get_autocast_dtype(device))
        if enabled:  # older torch would hand weights cast here, without gradient, to a training forward in the same open region
            afterwards.callback(torch.clear_autocast_cache)
    afterwards.enter_context(torch.no_grad())  # not inference_mode: tensors a model caches inside would be refused by autograd later
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):  # else nothing is compiled; since torch 2.6
        afterwards.enter_context(torch.compiler.set_stance("force_eager"))


def _keep_models(afterwards: ExitStack, models: Iterable[Module]) -> None:
    modules = {id(module): module for model in models for module in model.modules()}.values()
    buffers = {id(buffer): buffer for module in modules for buffer in module.buffers(recurse=False)}.values()
    parameters = {id(one): one for module in modules for one in module.parameters(recurse=False)}.values()
    for buffer in buffers:
        if not _is_expanded(buffer):
            afterwards.callback(_write_back, buffer, buffer.detach().clone())
    for parameter in parameters:
        afterwards.callback(_restore_gradient, parameter, parameter.grad, parameter.requires_grad)
        parameter.grad = None
    for module in modules:
        afterwards.callback(_restore_attributes, module, _attributes(module))
        if module.training:
            afterwards.callback(setattr, module, "training", True)
            module.training = False


def _is_expanded(buffer: torch.Tensor) -> bool:
    """Whether several places of a tensor share memory, which torch refuses to write to."""
    return buffer.layout == sys.modules["torch"].strided and any(
        stride == 0 and extent > 1 for stride, extent in zip(buffer.stride(), buffer.shape, strict=True)
    )


def _write_back(buffer: torch.Tensor, values: torch.Tensor) -> None:
    """Always, without a look at `_version`: models write their averages through `.data`, which it does not count."""
    buffer.data.copy_(values)  # through `.data` as well: a graph that saved the buffer still finds its version


def _restore_gradient(parameter: torch.nn.Parameter, gradient: torch.Tensor | None, required: bool) -> None:
    if parameter.requires_grad != required:
        parameter.requires_grad_(required)
    parameter.grad = gradient


_Attributes = list[tuple[dict[str, Any], dict[str, Any]]]


def _attributes(module: Module) -> _Attributes:
    """The module's attributes and those of its registries (parameters, buffers, submodules): each dict beside a copy of it."""
    own = module.__dict__
    registries = [own[name] for name in ("_parameters", "_buffers", "_modules") if isinstance(own.get(name), dict)]
    return [(live, dict(live)) for live in (own, *registries)]


def _restore_attributes(module: Module, attributes: _Attributes) -> None:
    for live, before in attributes:
        for name in live.keys() - before.keys():
            del live[name]
        for name, value in before.items():
            if name not in live or live[name] is not value:
                live[name] = value


def models_of(function: Callable[..., object], explicit: Module | Sequence[Module] | None, watched: Sequence[Module]) -> list[Module]:
    """The models a function runs, outermost first: those given explicitly; else those it can be seen to hold, and the watched ones.

    Seen are: the function itself or the object it is a method of, the variables it closes over, the globals its code names, its default
    and partial arguments; of each the module itself, the items of a list, tuple, set or dict, the attributes of a plain object, and, where
    it is itself a function of the script (or wrapped by a decorator), what that one holds. Not seen: models reached through deeper nesting
    (a list in a list, an attribute of an attribute), properties, `getattr`, imported modules' variables, or passed in by a caller.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return []
    if explicit is not None:
        given = [explicit] if isinstance(explicit, torch.nn.Module) else list(explicit)  # type: ignore[arg-type]
    else:
        given = [*_held(function, torch.nn.Module), *watched]
    return list({id(model): model for model in given}.values())


def _held(function: object, module_class: type[Module]) -> Iterator[Module]:
    """Every module found from a function on, the nearest first; functions that are found are searched once each."""
    waiting, seen = [function], {id(function)}
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, module_class):
            yield one
            continue
        for found in _behind(one):
            for item in [found] if isinstance(found, module_class) else _opened(found):
                if isinstance(item, module_class):
                    yield item
                elif id(item) not in seen and len(seen) < _MOST_FUNCTIONS and _is_followed(item):
                    seen.add(id(item))
                    waiting.append(item)


def _behind(function: object) -> list[object]:
    """What a callable refers to."""
    if isinstance(function, functools.partial):
        return [function.func, *function.args, *function.keywords.values()]
    if isinstance(function, types.MethodType):
        return [function.__self__, function.__func__]
    if not isinstance(function, types.FunctionType):
        return [function, getattr(type(function), "__call__", None)]  # noqa: B004 – looked up to be searched, not called
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    named = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [*cells, *named, *defaults, getattr(function, "__wrapped__", None)]


def _is_followed(value: object) -> bool:
    """Whether a value found is a function of the script, to be searched in turn: those of the libraries hold no model of its."""
    if isinstance(value, functools.partial):
        return True
    return isinstance(value, (types.FunctionType, types.MethodType)) and str(value.__module__).partition(".")[0] not in _LIBRARIES


def _names(code: types.CodeType) -> set[str]:
    """The names a function's code and the functions inside it look up."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*inner)


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 – reading is the question: an empty cell raises
    except ValueError:
        return False
    return True


def _opened(value: object) -> list[object]:
    """A value and what lies directly in it."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, _CONTAINERS):
        return list(value)
    return [value, *vars(value).values()] if _is_object(value) else [value]


def _is_object(value: object) -> bool:
    """Whether this is an instance with attributes of its own, and neither code nor a class."""
    return hasattr(value, "__dict__") and not isinstance(value, (type, types.ModuleType, types.FunctionType, types.MethodType))
