"""How much a part adds to what passes it: a residual branch, an adapter, a second input, a module that must still wait.

A module that was to join at epoch 5 and whose loss alone is delayed has been adding noise since step 0, so the first steps are measured
too. Norms are taken where the tensors are, on scheduled steps only, and waited for at the measurement. The probe judges nothing.
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Gone, Probe
from bedside.schedule import Schedule
from bedside.schedule import every as every_steps
from bedside_protocol.records import Scalar, Snapshot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_EARLY = (1, 2, 5, 10)
"""A module that wakes at step 0 is to be known at once."""
_MOST_CALLS = 256
"""Of one scheduled step (accumulation, a layer used again); a step that makes more of them keeps the latest."""
_Norms = tuple[Any, Any, Any]
"""‖added‖, ‖base‖ and the elements left out: numbers, or 0-d tensors on their device."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The moment `run.epoch(number)` is called."""

    number: int


def epoch(number: int) -> Epoch:
    """The beginning of an epoch, as the script counts them and tells with `run.epoch`: `Contribution(…, inactive_until=epoch(5))`."""
    return Epoch(number)


class Contribution(Probe):
    """What `module` adds to its input, or what was `added` to a `base`: the ratio of their norms.

    `module`: hooked, held weakly; of its tensors, the first input and the first output of equal shape are compared. Without it, feed
    `observe`. `inactive_until`: the step or the epoch (`bedside.epoch(5)`, with `run.epoch(n)` at the beginning of each) before which the
    part must be an identity. Inside a compiled region the hook sees nothing.

    A snapshot has the scalars `ratio` (‖added‖ / ‖base‖ by the 2-norm over all elements and calls of the step; for a module
    ‖out − in‖ / ‖in‖; 0 is an identity; inf where the base is all zeros), `inactive` (1 while the part must be an identity), `early` (the
    ratio while inactive, 0 afterwards) and `nonfinite` (elements left out).
    """

    kind = "contribution"
    lead = 1

    def __init__(
        self, name: str, module: Module | None = None, *, inactive_until: int | Epoch | None = None, every: int | Schedule = 50
    ) -> None:
        super().__init__(name, every_steps(max(1, every), early=_EARLY) if isinstance(every, int) else every)
        self._until = inactive_until
        self._epoch: int | None = None
        self._calls: deque[_Norms] = deque(maxlen=_MOST_CALLS)
        self._module: weakref.ref[Module] | None = None
        self._hook: Any = None
        if isinstance(inactive_until, bool) or not isinstance(inactive_until, int | np.integer | Epoch | None):
            self._until = None
            self.say("inactive_until is a step or bedside.epoch(n); it is not judged as inactive")
        if module is not None:
            self._listen(module)

    def _listen(self, module: Module) -> None:
        try:
            self._module = weakref.ref(module)
            self._hook = module.register_forward_hook(self.after_forward, with_kwargs=True)
        except (AttributeError, TypeError):
            self._module = None
            self.say(f"a module was expected, not {type(module).__name__}: feed observe(base=, added=)")

    def settings(self) -> Mapping[str, Scalar]:
        if self._until is None:
            return {}
        return {"inactive_until": f"epoch {self._until.number}" if isinstance(self._until, Epoch) else int(self._until)}

    def observe(self, *, base: object, added: object) -> None:
        """Take what was there and what is added to it: numbers of equal shape, or of shapes that broadcast. Never raises, never syncs.

        Returns at once on steps that are not scheduled. Several observations of one step are taken together.
        """
        if self.idle:
            return
        with self.taking("values"):
            if not (is_no_real_step(base) or is_no_real_step(added)):
                self._calls.append(_norms(base, added))

    def after_forward(self, module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """What the module calls after its forward. A copy of the module (an exponential average) has the hook too: it is not meant."""
        if self.idle or self._module is None or module is not self._module():
            return
        with self.taking("input and output"):
            before = list(_tensors((args, kwargs)))
            pair = next(((i, o) for i in before for o in _tensors(output) if i.shape == o.shape and not i.is_complex()), None)
            if pair is None:
                raise Refused("the module has no input and output of equal shape: feed observe(base=, added=)")
            if not is_no_real_step(pair[1]):
                self._calls.append(_norms_of_tensors(pair[0].detach(), pair[1].detach(), minus_base=True))

    def epoch(self, number: int) -> None:
        self._epoch = number

    def measure(self, step: int) -> Snapshot | None:
        if self._module is not None and self._module() is None:
            raise Gone("the module it watched is gone")
        if not self._calls:
            self._explain_silence()
            return None
        calls = np.array([[float(part) for part in call] for call in self._calls])  # waits for the device
        self._calls.clear()
        added, base = np.linalg.norm(calls[:, :2], axis=0).tolist()
        ratio = added / base if base > 0 else float("inf") if added > 0 else 0.0
        inactive = self._is_inactive(step)
        scalars = {"ratio": ratio, "inactive": float(inactive), "early": ratio if inactive else 0.0}
        scalars["nonfinite"] = float(calls[:, 2].sum())
        return Snapshot(self.name, self.kind, step, scalars)

    def _is_inactive(self, step: int) -> bool:
        if isinstance(self._until, Epoch):
            return self._epoch is None or self._epoch < self._until.number
        return self._until is not None and step < self._until

    def _explain_silence(self) -> None:
        """A module that must wait may rightly not be called; one in a compiled model is called and cannot be seen."""
        module = self._module() if self._module is not None else None
        if module is not None and any(map(_is_compiled, (module, *self.models()))):
            self.say("a compiled module cannot be seen: feed observe(base=, added=) outside of the compiled region")

    def close(self) -> None:
        """Take the hook back."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None


def _norms(base: object, added: object) -> _Norms:
    if is_tensor(base) and is_tensor(added):
        if base.is_complex() or added.is_complex():
            raise Refused("complex numbers are not measured")
        _check_shapes(tuple(base.shape), tuple(added.shape))
        return _norms_of_tensors(base.detach(), added.detach())
    there, more = numbers(base), numbers(added)
    _check_shapes(there.shape, more.shape)
    there, more = np.broadcast_arrays(there, more)
    finite = np.isfinite(there) & np.isfinite(more)
    return float(np.linalg.norm(more[finite])), float(np.linalg.norm(there[finite])), float(finite.size - finite.sum())


def _check_shapes(base: tuple[int, ...], added: tuple[int, ...]) -> None:
    try:
        elements = np.prod(np.broadcast_shapes(base, added))
    except ValueError as error:
        raise Refused("base and added must have the same shape, or shapes that broadcast") from error
    if elements == 0:
        raise Refused("an empty base or added")


def _norms_of_tensors(base: Tensor, added: Tensor, *, minus_base: bool = False) -> _Norms:
    """In float32 at least: the squares of 16-bit activations overflow. No sync. `minus_base`: `added` is the sum, the base within it."""
    import torch

    if any(type(one).__name__ == "DTensor" for one in (base, added)):
        raise Refused("values are sharded over ranks, and the norm of this rank's part would mislead")
    with torch.no_grad():
        wide = torch.promote_types(torch.promote_types(base.dtype, added.dtype), torch.float32)
        shape = np.broadcast_shapes(tuple(base.shape), tuple(added.shape))
        there, more = base.to(wide).expand(shape), added.to(device=base.device, dtype=wide).expand(shape)
        more = more - there if minus_base else more
        norms = torch.linalg.vector_norm(more), torch.linalg.vector_norm(there)
        if there.device.type == "cpu" and math.isfinite(norms[0] + norms[1]):  # a look that costs nothing here, and a sync elsewhere
            return *norms, 0
        return finite_norms(there, more)


def finite_norms(base: Tensor, added: Tensor) -> _Norms:
    """The norms over the elements at which both are finite, and how many others there are. No sync."""
    import torch

    finite = torch.isfinite(base) & torch.isfinite(added)
    norm_added, norm_base = (torch.linalg.vector_norm(torch.where(finite, one, 0.0)) for one in (added, base))
    return norm_added, norm_base, (~finite).sum()


def _tensors(values: Any) -> Iterator[Tensor]:
    """The non-empty tensors in nested tuples, lists and mappings, in order."""
    if is_tensor(values):
        if values.numel():
            yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from _tensors(value)
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)


def _is_compiled(module: Module) -> bool:
    return type(module).__name__ == "OptimizedModule" or getattr(module, "_compiled_call_impl", None) is not None
