"""One named tensor, and how far it is from another: queries against the scale they need, a bias against its signal, weights against their
exponential average.

Sums are taken where the tensor lives, in float64 and in pieces, so that a large one is never copied whole, and read with one device
sync. The probe judges nothing.
"""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from bedside.probes.intake import Refused, is_tensor, numbers
from bedside.probes.probe import Gone, Probe, schedule_of
from bedside.probes.tensor_moments import Moments, moments
from bedside.probes.untouched import models_of, reason, untouched
from bedside.schedule import Schedule
from bedside_protocol.records import Scalar, Snapshot

_Parts = dict[str, Any]
"""Tensors or arrays by name; a single one has the empty name."""


class Parameter(Probe):
    """What `tensor` holds, and how it relates to `against`. Measured between two steps; there is nothing to feed.

    Both are a tensor, an array, an `nn.Parameter` or an `nn.Module` (held weakly; a module is all its parameters), a mapping of names to
    tensors, or a function that returns one of these, called as `untouched` describes. Two modules or mappings are compared name by name,
    over the names both have; a parameter of a watched model against a module or mapping with the parameter of its name there.
    `expect_std`: the standard deviation it should have.

    A snapshot has the scalars `mean`, `std` (population), `norm` (2-norm), `count` (elements), `nonfinite` (elements left out); with
    `expect_std` `expected_std` and `std_ratio` (std / expected); with `against` `distance` (‖tensor − other‖), `relative` (distance /
    ‖other‖), `norm_ratio` (‖tensor‖ / ‖other‖) and `cosine` (of the two as vectors). Shapes must be equal or broadcast: a bias (d) against
    a signal (n, d) counts n times. What is divided by zero is NaN.
    """

    kind = "parameter"

    def __init__(
        self, name: str, tensor: object, *, expect_std: float | None = None, against: object = None, every: int | Schedule = 50
    ) -> None:
        super().__init__(name, schedule_of(every))
        self._expect_std = expect_std
        self._tensor = _source(tensor)
        self._against = None if against is None else _source(against)
        sources = ((self._tensor, tensor), (self._against, against))
        self._functions = [source for source, given in sources if source is not None and source is given]
        if expect_std is not None and not (
            isinstance(expect_std, int | float | np.number) and math.isfinite(expect_std) and expect_std > 0
        ):
            self._expect_std = None
            self.say("expect_std is a standard deviation above zero; it is left out")

    def settings(self) -> Mapping[str, Scalar]:
        return {} if self._expect_std is None else {"expect_std": float(self._expect_std)}

    def measure(self, step: int) -> Snapshot | None:
        try:
            with self._around():
                scalars = self._read()
        except Gone:
            raise
        except Refused as refused:
            self.say(str(refused))
            return None
        except Exception as error:  # the script's own function, or its own kind of tensor
            self.say(f"the tensor cannot be read ({reason(error)})")
            return None
        return Snapshot(self.name, self.kind, step, scalars)

    def _around(self) -> AbstractContextManager[None]:
        """What the script's own functions run in; a tensor needs nothing."""
        if not self._functions:
            return nullcontext()
        return untouched([model for function in self._functions for model in models_of(function, None, self.models())])

    def _read(self) -> dict[str, float]:
        own = _parts(self._tensor())
        scalars = own_scalars(moments([(part, None) for part in own.values()]))
        if self._expect_std is not None:
            scalars |= {"expected_std": self._expect_std, "std_ratio": scalars["std"] / self._expect_std}
        if self._against is not None:
            scalars |= pair_scalars(moments(self._pairs(own, _parts(self._against()))))
        return scalars

    def _pairs(self, own: _Parts, other: _Parts) -> list[tuple[Any, Any]]:
        if "" in own and "" not in other:
            own = {self._name_of(own[""]): own[""]}
        pairs = [(own[name], other[name]) for name in own if name in other]
        if not pairs:
            raise Refused("the tensor and what it is held against have no name in common")
        return pairs

    def _name_of(self, tensor: object) -> str:
        """The name of a parameter in the models the run watches."""
        for model in self.models():
            for name, parameter in model.named_parameters():
                if parameter is tensor:
                    return _bare(name)
        raise Refused("the tensor is in no watched model: give the tensor itself to hold it against")


def own_scalars(found: Moments) -> dict[str, float]:
    """What a tensor's sums amount to; see `Parameter`."""
    count = found.count or math.nan
    mean = found.total / count
    return {
        "mean": mean,
        "std": math.sqrt(max(0.0, found.squares / count - mean * mean)) if found.count else math.nan,
        "norm": math.sqrt(found.squares),
        "count": found.count,
        "nonfinite": found.nonfinite,
    }


def pair_scalars(found: Moments) -> dict[str, float]:
    """What the sums over two tensors amount to; see `Parameter`."""
    norm, other, distance = (math.sqrt(squares) for squares in (found.squares, found.other_squares, found.difference_squares))
    return {
        "distance": distance,
        "relative": _over(distance, other),
        "norm_ratio": _over(norm, other),
        "cosine": max(-1.0, min(1.0, found.product / (norm * other))) if norm * other > 0 else math.nan,
    }


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan


def _source(given: Any) -> Callable[[], Any]:
    """What returns the values as they are at that time, and keeps neither a model nor a graph alive."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(given, torch.nn.Module | torch.nn.Parameter):
        reference = weakref.ref(given)
        return lambda: _living(reference())
    if is_tensor(given):
        values = given.detach()
        return lambda: values
    return given if callable(given) else lambda: given


def _living(referent: object) -> object:
    if referent is None:
        raise Gone("the parameter it looked at is gone")
    return referent


def _parts(values: Any) -> _Parts:
    """Tensors or arrays by name. Raises `Refused` for what is none of the documented forms."""
    if callable(getattr(values, "named_parameters", None)):
        return {_bare(name): _checked(parameter) for name, parameter in values.named_parameters()}
    if isinstance(values, Mapping):
        return {_bare(str(name)): _checked(value) for name, value in values.items()}
    return {"": _checked(values)}


def _checked(values: Any) -> Any:
    if values is None:
        raise Refused("there is no tensor: the function returned None")
    if not is_tensor(values):
        return _real(np.asarray(numbers(values)))
    if type(values).__name__ in ("DTensor", "FlatParameter"):
        raise Refused("the tensor is sharded over ranks, and numbers of this rank's part would mislead")
    if values.is_complex() or values.is_quantized or values.is_sparse or values.device.type == "meta":
        raise Refused("the tensor must be dense and hold real numbers")
    return _real(values)


def _real(values: Any) -> Any:
    if 0 in values.shape:
        raise Refused("an empty tensor")
    return values


def _bare(name: str) -> str:
    """Without what DistributedDataParallel and torch.compile put before every name."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name
