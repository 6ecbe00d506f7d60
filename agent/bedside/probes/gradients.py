"""What a model's gradients and updates say on scheduled steps: norms, parameters that do not learn, and how far weights move.

Everything is read around `optimizer.step()`, through the optimizer's own hooks (hooks on a module's backward pass break compiled
graphs), and before clipping where `clip_grad_norm_` is used. Nothing is kept on the device between steps, and nothing is written to the
model, its gradients or its mode. The probe judges nothing.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bedside.probes import clipping, parameters
from bedside.probes.gradient_table import Row, summary
from bedside.probes.probe import Gone, Probe
from bedside.probes.tensor_norms import norms
from bedside.probes.updates import Move, Updates
from bedside.schedule import every as every_steps
from bedside_protocol.records import Scalar, Snapshot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_EARLY = (1, 2, 5, 10, 20)
"""A parameter nobody trains is worth knowing at step 1."""


class Gradients(Probe):
    """The gradients of `model`, stepped by `optimizers` (their union is judged). Both are held weakly.

    With a `GradScaler`, norms are those of the unscaled gradients; with gradient accumulation, those of the sum that is applied; with a
    closure, those of its last evaluation. A skipped optimizer step is not measured: the next one that happens is. Sharded parameters
    (FSDP) are refused in words.

    A snapshot has the scalars, arrays and texts described at `gradient_table.summary`, and the scalars `clipped` (1 where a norm
    above the limit was scaled down) and `as_applied` (1 where nothing told of clipping, so that the norms are those the optimizer saw).
    """

    kind = "gradients"
    lead = 1

    def __init__(self, model: Module, *optimizers: Optimizer, name: str = "gradients", every: int = 50) -> None:
        super().__init__(name, every_steps(max(1, every), early=_EARLY))
        self.armed = False
        self._model = weakref.ref(model)
        stepping = parameters.stepping(optimizers)
        self._optimizers = [weakref.ref(optimizer) for optimizer in stepping]
        self._hooks = [
            hook
            for optimizer in stepping
            for hook in (
                optimizer.register_step_pre_hook(self._before_step),
                optimizer.register_step_post_hook(self._after_step),
            )
        ]
        self._sharded = parameters.is_sharded(model)
        self._updates: Updates | None = None
        self._closure = False
        self._forget()
        clipping.listen(self)

    def settings(self) -> Mapping[str, Scalar]:
        return {"optimizers": len(self._optimizers)}

    def close(self) -> None:
        """Take the hooks back; the probe is not fed any more."""
        clipping.leave(self)
        while self._hooks:
            self._hooks.pop().remove()

    def measure(self, step: int) -> Snapshot | None:
        model = self._model()
        if model is None:
            raise Gone("the model it watched is gone")
        if not self._optimizers:
            raise Gone("gradients are read when an optimizer steps: call run.watch(model, optimizer)")
        if self._sharded:
            raise Gone("parameters are sharded over ranks, and a norm of this rank's part would mislead")
        if not self._norms:
            return None
        optimizers = [optimizer for reference in self._optimizers if (optimizer := reference()) is not None]
        names = parameters.names(model, optimizers)
        rows = [Row(name, self._norms[key], self._moves.get(key)) for key, name in names.items() if key in self._norms]
        table = summary(rows, parameters.unowned(model, optimizers))
        scalars = {**table.scalars, "clipped": float(any(map(bool, self._clips))), "as_applied": float(not self._clips)}
        cost = self._cost
        self._forget()
        return Snapshot(self.name, self.kind, step, scalars, table.arrays, table.texts, cost)

    def before_clip(self, clipped: Iterable[Tensor], max_norm: float, total_norm: Tensor) -> None:
        """Read the gradients about to be scaled down. Where several clippings meet a parameter, the first saw it whole."""
        if self.armed:
            with self._watched():
                fresh = [parameter for parameter in clipped if id(parameter) not in self._at_clip]
                self._at_clip.update(_gradient_norms(fresh))
                self._clips.append(total_norm.detach() > max_norm)

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.armed and not _is_compiling():
            with self._watched():
                stepped = parameters.owned(optimizer)
                self._closure = _has_closure(args, kwargs)
                self._updates = Updates(stepped)
                if not self._closure:
                    self._take(stepped, getattr(optimizer, "grad_scale", None))

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.armed and self._updates is not None and not _is_compiling():
            with self._watched():
                if self._closure:
                    self._updates.see_gradients()
                    self._take(parameters.owned(optimizer), None)
                self._moves.update(self._updates.moves())
                self._updates = None

    def _take(self, stepped: Sequence[Tensor], grad_scale: Tensor | None) -> None:
        """Keep each parameter's norm: as read at a clipping since its last step, else as it is now.

        A fused optimizer unscales inside its step, and carries the `GradScaler`'s factor as `grad_scale` until then.
        """
        self._norms.update(_gradient_norms([parameter for parameter in stepped if id(parameter) not in self._at_clip]))
        self._norms.update({id(parameter): self._at_clip.pop(id(parameter)) for parameter in stepped if id(parameter) in self._at_clip})
        if grad_scale is not None:
            for key, norm in self._norms.items():
                self._norms[key] = None if norm is None else norm / grad_scale.to(norm.device)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Count the time, and let nothing out: this runs inside the script's `optimizer.step()`."""
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._updates = None
            self.say(f"{type(error).__name__} while gradients were read")
        self._cost += time.perf_counter() - began

    def _forget(self) -> None:
        self._norms: dict[int, Tensor | None] = {}
        """The gradient norm of each parameter an optimizer stepped, by the parameter's id; None where it had no gradient."""
        self._at_clip: dict[int, Tensor | None] = {}
        self._moves: dict[int, Move] = {}
        self._clips: list[Tensor] = []
        self._updates = None
        self._cost = 0.0


def _gradient_norms(of: Sequence[Tensor]) -> dict[int, Tensor | None]:
    found: dict[int, Tensor | None] = {id(parameter): None for parameter in of}
    having = [(id(parameter), parameter.grad) for parameter in of if parameter.grad is not None]
    found.update(zip((key for key, _ in having), norms([gradient for _, gradient in having]), strict=True))
    return found


def _has_closure(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether the step computes the gradients itself. An optimizer's hook gets the optimizer as the first of `args`."""
    return any(callable(argument) for argument in (*args[1:], kwargs.get("closure")))


def _is_compiling() -> bool:
    import torch

    return bool(torch.compiler.is_compiling())
