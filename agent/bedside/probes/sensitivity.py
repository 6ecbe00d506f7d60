"""What a model listens to: how far its output moves when one input is changed and the others are not.

An input whose change moves nothing is ignored, however the loss falls. This probe changes, runs and compares; it does not know what the
inputs mean. While a rollout of the same run has collapsed it names nobody: with few codes left every input looks weak.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.probes.rollout import Rollout
from bedside.probes.untouched import models_of, reason, seed, untouched
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Snapshot

if TYPE_CHECKING:
    import torch
    from torch.nn import Module

_SEED = 20_240_522
"""Every run of the function draws the same random numbers: what differs is the input."""

_WEAK_SHARE = 0.05
"""An input with less than this share of the largest effect is ignored by the model."""
_WEAK_EFFECT = 0.025
"""And so is one that moves the output by less than a fortieth of its norm, whatever the others do: in a post-mortem a buffer that
nobody read moved it by 2.34 %, keys that were heard by 6.87 % and more."""

_Values: TypeAlias = "NDArray[Any] | torch.Tensor"
_Output: TypeAlias = "list[NDArray[np.float64] | torch.Tensor]"


class Sensitivity(Probe):
    """The effect of each of `inputs` on the output of `fn(**inputs)`, one changed at a time, every so many steps.

    `inputs` is a mapping of names to tensors or arrays, batch first, or a function that returns one (the same batch each time, so that
    measurements can be compared). `fn` returns a tensor, an array, or nested mappings and sequences of such: together they are the
    output. An input is changed by moving it along the batch by half its length (each sample gets another's; by one, or to zeros, where
    that changes nothing), or as `replace` says: a number fills it, a tensor takes its place, a function is called with it. `ratio` names
    pairs of inputs whose effects are compared: `{"keys/camera": ("keys", "camera")}`, or one pair.

    `fn` runs as `untouched` says: in eval mode, without gradients, on copies of the inputs, drawing the same random numbers each time;
    `model` tells which model it runs where that cannot be seen. An input that cannot be changed, or with which `fn` raises, is said and
    left out.

    A snapshot has the scalars `effect/INPUT` = ‖out(changed) − out‖ / ‖out‖ (L2 over the whole output; 0 and infinity where the output
    is all zeros), `ratio/NAME` = effect of the first / effect of the second, `ignored` (inputs with an effect below 5 % of the largest,
    or below 0.025), `failed` (inputs left out), `nonfinite` (values of the output that are NaN or infinite; they are left out of the
    norms); the table `effect` (labels: inputs); the texts `ignored`, `failed`, and `quiet`: why nobody is called ignored now. The
    rollouts of the run count as last measured: register them before.
    """

    kind = "sensitivity"

    def __init__(
        self,
        name: str,
        fn: Callable[..., object],
        inputs: Mapping[str, object] | Callable[[], Mapping[str, object]],
        *,
        replace: Mapping[str, object] | None = None,
        ratio: Mapping[str, tuple[str, str]] | tuple[str, str] | None = None,
        every: int | Schedule = 500,
        model: Module | Sequence[Module] | None = None,
    ) -> None:
        super().__init__(name, schedule_of(every))
        self._function = fn
        self._inputs = inputs
        self._replace = dict(replace or {})
        self._ratios = self._pairs(ratio or {})
        self._model = model

    def _pairs(self, ratio: object) -> dict[str, tuple[str, str]]:
        """The ratios asked for, by name; what is no pair of names is said."""
        named = ratio if isinstance(ratio, Mapping) else {"": ratio}
        pairs: dict[str, tuple[str, str]] = {}
        for name, pair in named.items():
            if isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(one, str) for one in pair):
                pairs[str(name) or "/".join(pair)] = (pair[0], pair[1])
            else:
                self.say("a ratio is a pair of names of inputs")
        return pairs

    def measure(self, step: int) -> Snapshot | None:
        """Run the function once, and once more for each input. Waits for the device it runs on."""
        functions = [one for one in (self._function, self._inputs, *self._replace.values()) if callable(one)]
        watched = self.models()
        with untouched(model for function in functions for model in models_of(function, self._model, watched)):
            try:
                inputs = self._given()
                output = self._run(inputs)
            except Exception as error:  # whatever the script's function does, the training goes on
                self.say(f"the function cannot be measured: {reason(error)}")
                return Snapshot(self.name, self.kind, step, {"failed": float(max(1, len(self._names())))})
            effects, nonfinite = self._effects(inputs, output)
        return self._snapshot(step, tuple(inputs), effects, nonfinite)

    def _names(self) -> tuple[str, ...]:
        return tuple(self._inputs) if isinstance(self._inputs, Mapping) else ()

    def _given(self) -> dict[str, object]:
        seed(_SEED)
        inputs = self._inputs() if callable(self._inputs) else self._inputs
        if not isinstance(inputs, Mapping) or not inputs:
            raise Refused("inputs must be a mapping of names to tensors, with one or more")
        for unknown in sorted({*self._replace, *(name for pair in self._ratios.values() for name in pair)} - inputs.keys()):
            self.say(f"there is no input named {unknown}")
        return dict(inputs)

    def _run(self, inputs: Mapping[str, object]) -> _Output:
        """The output with these inputs, as copies: a function may write to what it gets and return what it will write to again."""
        seed(_SEED)
        leaves = list(_leaves(self._function(**{name: _copied(value) for name, value in inputs.items()})))
        if not leaves:
            raise Refused("the function returned no numbers")
        return leaves

    def _effects(self, inputs: Mapping[str, object], output: _Output) -> tuple[dict[str, float], int]:
        """The effect of each input that could be changed, and how many values were not finite in any of the outputs."""
        effects: dict[str, float] = {}
        worst = 0
        for name, value in inputs.items():
            try:
                changed = self._run({**inputs, name: self._changed(name, value)})
                effects[name], nonfinite = effect(output, changed)
                worst = max(worst, nonfinite)
            except Exception as error:  # as above; the other inputs are measured
                self.say(f"input {name} is left out: {reason(error)}")
        return effects, worst

    def _changed(self, name: str, value: object) -> object:
        """Another value in the place of an input; raises `Refused` where it would be the same."""
        candidates: Iterator[object]
        if name not in self._replace:
            candidates = _moved(value)
        elif isinstance(self._replace[name], Number):
            candidates = iter([_filled(value, cast("float", self._replace[name]))])
        else:
            replacement = self._replace[name]
            candidates = iter([replacement(_copied(value)) if callable(replacement) else replacement])
        different = next((candidate for candidate in candidates if not _is_same(candidate, value)), None)
        if different is None:
            raise Refused("changing it leaves it as it was")
        return different

    def _snapshot(self, step: int, names: tuple[str, ...], effects: Mapping[str, float], nonfinite: int) -> Snapshot:
        collapsed = [probe.name for probe in self.siblings() if isinstance(probe, Rollout) and probe.collapsed]
        weak = () if collapsed else ignored(effects)
        failed = tuple(name for name in names if name not in effects)
        scalars = {f"effect/{name}": value for name, value in effects.items()}
        for name, (first, second) in self._ratios.items():
            if first in effects and second in effects:
                scalars[f"ratio/{name}"] = _quotient(effects[first], effects[second])
        scalars |= {"failed": float(len(failed)), "nonfinite": float(nonfinite)}
        if effects:
            scalars["ignored"] = float(len(weak))
        quiet = tuple(f"{name} has collapsed: with few codes left every input looks weak" for name in collapsed)
        texts = {"ignored": weak, "failed": failed, "quiet": quiet}
        table = {"effect": Array("table", np.array(list(effects.values())), tuple(effects))} if effects else {}
        return Snapshot(self.name, self.kind, step, scalars, table, {name: text for name, text in texts.items() if text})


def effect(output: _Output, changed: _Output) -> tuple[float, int]:
    """‖changed − output‖ / ‖output‖ over the values that are finite in both, and how many are not; raises `Refused` for other shapes."""
    if [one.shape for one in output] != [one.shape for one in changed]:
        raise Refused("the output has another shape with it changed")
    sums = [_squares(one, other) for one, other in zip(output, changed, strict=True)]
    difference, own, finite = (sum(column) for column in zip(*sums, strict=True))
    total = sum(math.prod(one.shape) for one in output)
    if not finite:
        raise Refused("the output holds no finite number")
    return _quotient(math.sqrt(difference), math.sqrt(own), equal=0.0), total - int(finite)


def ignored(effects: Mapping[str, float]) -> tuple[str, ...]:
    """The inputs the model does not listen to: see `Sensitivity`."""
    largest = max((value for value in effects.values() if math.isfinite(value)), default=0.0)
    return tuple(name for name, value in effects.items() if value < max(_WEAK_SHARE * largest, _WEAK_EFFECT))


def _quotient(above: float, below: float, equal: float = math.nan) -> float:
    """`above / below`; infinite over zero, and `equal` where both are zero."""
    if below > 0:
        return above / below
    return math.inf if above > 0 else equal


def _squares(output: Any, changed: Any) -> tuple[float, float, float]:
    """Sums of squares of the difference and of the output, and the number of values, over those finite in both. Waits for the device."""
    if isinstance(output, np.ndarray):
        finite = np.isfinite(output) & np.isfinite(changed)
        own, difference = output[finite], changed[finite] - output[finite]
        return float(difference @ difference), float(own @ own), float(finite.sum())
    torch: Any = sys.modules["torch"]
    wide = torch.float32 if output.device.type == "mps" else torch.float64  # that device has no wider numbers
    output, changed = output.to(wide), changed.to(output.device, wide)
    finite = torch.isfinite(output) & torch.isfinite(changed)
    squares = [torch.where(finite, one, 0).square().sum() for one in (changed - output, output)]
    difference, own, count = torch.stack([*squares, finite.sum().to(wide)]).tolist()  # the sync of a comparison
    return difference, own, count


def _leaves(made: object) -> Iterator[NDArray[np.float64] | torch.Tensor]:
    """The numbers in a function's output, in order, as copies; raises `Refused` for anything else in it but None."""
    if made is None:
        return
    if is_tensor(made):
        if made.is_complex():
            raise Refused("complex numbers are not measured")
        yield made.detach().clone()
    elif isinstance(made, Mapping):
        for value in made.values():
            yield from _leaves(value)
    elif isinstance(made, (list, tuple)):
        for value in made:
            yield from _leaves(value)
    else:
        yield numbers(made)


def _copied(value: object) -> object:
    if is_tensor(value):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _moved(value: object) -> Iterator[_Values]:
    """Ways to change an input, the better first."""
    if not (is_tensor(value) or isinstance(value, np.ndarray)):
        raise Refused("it is neither a tensor nor an array: give a replacement")
    length = value.shape[0] if value.ndim else 1
    for distance in (length // 2, 1):
        if length > 1:
            yield value.detach().roll(distance, 0) if is_tensor(value) else np.roll(cast("NDArray[Any]", value), distance, 0)
    yield _filled(value, 0)


def _filled(value: object, number: float) -> _Values:
    if is_tensor(value):
        return value.detach().clone().fill_(number)
    return np.full_like(cast("NDArray[Any]", value), number)


def _is_same(value: object, other: object) -> bool:
    """Whether a replacement is the input itself, in another object."""
    if is_tensor(value) and is_tensor(other):
        return value.shape == other.shape and value.device == other.device and bool((value == other).all())
    return isinstance(value, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(value, other)
