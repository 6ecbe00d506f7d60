"""What a preflight tries with the model: a step at every shape of batch, evaluation, every mode, a checkpoint, and a hundred steps.

Each trial is a generator of checks and may raise: what it raises is a finding. Nothing here puts anything back.
"""

from __future__ import annotations

import inspect
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .peak_memory import PeakMemory, room, used
from .preflight_batch import sizes
from .preflight_findings import falls, finite, flat, gradients, size_of
from .probes.batch_look import Apart, rows_apart, tensors_in
from .rehearsal import Check, Left, Plan, State, Trial, words_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_TIGHT: Final = 0.8
_TOO_TIGHT: Final = 0.95
"""Shares of the free memory: a longer batch, a fragmented device or a data loader takes the rest."""
_APART: Final = 1e-3
"""Mean |difference| of two outputs below which the output does not depend on the input."""
_STAND_IN: Final = 1e-3


class Unfit(ValueError):
    """The loss is not what can be trained with; the text is the finding."""


def step_at_every_shape(plan: Plan, left: Left) -> Iterator[Check]:
    """One optimizer step with each batch whose shapes are new, and what it takes of the memory there is."""
    device = _device(plan.model)
    optimizers = _optimizers(plan)
    shapes: set[tuple[tuple[int, ...], ...]] = set()
    for batch in plan.all_batches:
        shape = tuple(tuple(tensor.shape) for tensor in tensors_in(batch))
        if shape in shapes:
            continue
        shapes.add(shape)
        name = f"memory at {sizes(batch)}"
        if left() <= 0:
            yield Check(name, "not checked", "no time was left")
            continue
        free = room(device)
        peak = PeakMemory(device)
        try:
            with peak:
                _step(plan, optimizers, batch)
        except Exception as error:  # out of memory above all: the next shape may be smaller
            yield Check(name, "fail", words_of(error))
            continue
        share = peak.taken / max(free, 1.0)
        state: State = "ok" if share < _TIGHT else "warn" if share < _TOO_TIGHT else "fail"
        yield Check(name, state, f"a step takes {size_of(peak.taken)} of {size_of(free)} free")


def evaluate(plan: Plan, left: Left) -> Iterator[Check]:
    """The loss in evaluation mode, twice: it must be a number, and the same one."""
    import torch

    plan.model.eval()
    with torch.no_grad():
        first, second = (float(plan.loss(plan.model, plan.batch)) for _ in range(2))
    if not np.isfinite(first):
        yield Check("evaluation", "fail", f"the loss is {first}")
    elif abs(first - second) > 1e-4 * abs(first):
        yield Check("evaluation", "warn", f"two evaluations of the same batch differ: {first:.6g} and {second:.6g}")
    else:
        yield Check("evaluation", "ok", f"loss {first:.4g}, the same twice")


def run_modes(plan: Plan, left: Left) -> Iterator[Check]:
    """Each mode once: called with nothing, or with the model and the batch where it needs them."""
    for name, mode in plan.modes.items():
        plan.model.train()
        if left() <= 0:
            yield Check(f"mode {name}", "not checked", "no time was left")
            continue
        began = time.perf_counter()
        try:
            given = mode() if _needs_nothing(mode) else mode(plan.model, plan.batch)
        except Exception as error:  # this is what is being looked for; the next mode is tried all the same
            yield Check(f"mode {name}", "fail", words_of(error))
            continue
        odd = any(not bool(tensor.isfinite().all()) for tensor in tensors_in(given))
        yield Check(
            f"mode {name}", "fail" if odd else "ok", "gives NaN or infinite values" if odd else f"{time.perf_counter() - began:.2g} s"
        )


def save_once(plan: Plan, left: Left) -> Iterator[Check]:
    """A checkpoint to a temporary path, which is removed."""
    if plan.save is None:
        yield Check("checkpoint", "not checked", "no save(path) was given, nor registered with on_checkpoint")
        return
    with tempfile.TemporaryDirectory(prefix="bedside-preflight-") as directory:
        path = Path(directory) / "checkpoint"
        began = time.perf_counter()
        plan.save(str(path))
        seconds = time.perf_counter() - began
        files = [path] if path.is_file() else list(path.rglob("*"))
        size = sum(file.stat().st_size for file in files if file.is_file())
    if size:
        yield Check("checkpoint", "ok", f"{size_of(size)} in {seconds:.2g} s")
    else:
        yield Check("checkpoint", "warn", "save(path) wrote nothing at the path it was given")


def train(plan: Plan, left: Left) -> Iterator[Check]:
    """`steps` steps on the batches in turn: gradients arrive, the loss falls, nothing is NaN or infinite, memory is flat."""
    device, optimizers = _device(plan.model), _optimizers(plan)
    losses: list[float] = []
    memory: list[float] = []
    batches = plan.all_batches
    rate = _full_rate(optimizers)
    for number in range(plan.steps):
        if left() <= 0:
            break
        losses.append(_step(plan, optimizers, batches[number % len(batches)]))
        memory.append(used(device))
        if number == 0:
            yield gradients(plan.model)
        if not np.isfinite(losses[-1]):
            break
    cut = f"; {plan.steps - len(losses)} of {plan.steps} steps were left out" if len(losses) < plan.steps else ""
    yield finite(plan.model, losses)
    yield falls(losses, len(batches), rate + cut)
    yield flat(memory, room(device))


def different_inputs(plan: Plan, left: Left) -> Iterator[Check]:
    """Outputs of the first two rows of the batch with different inputs, as the model gives them to the loss."""
    import torch

    found: list[Apart | None] = []

    def look(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
        found.append(rows_apart(tensors_in((args, kwargs)), output))

    plan.model.eval()
    hook = plan.model.register_forward_hook(look, with_kwargs=True)
    try:
        with torch.no_grad():
            plan.loss(plan.model, plan.batch)
    finally:
        hook.remove()
    apart = next((one.read() for one in found if one is not None), None)
    if apart is None:
        why = "the loss does not call the model itself" if not found else "the output has no two rows with different inputs"
        yield Check("inputs", "not checked", why)
        return
    distance, relative = apart
    state: State = "ok" if distance >= _APART else "warn" if relative >= _APART else "fail"
    yield Check("inputs", state, f"two different inputs give outputs {distance:.3g} apart ({relative:.2g} of their size)")


RUN_TRIALS: Final[tuple[tuple[str, Trial], ...]] = (
    ("memory", step_at_every_shape),
    ("evaluation", evaluate),
    ("modes", run_modes),
    ("checkpoint", save_once),
    ("steps", train),
    ("inputs", different_inputs),  # after the steps: a last layer that begins at zero has outputs that are all alike
)


# --- one step


def _step(plan: Plan, optimizers: Sequence[Optimizer], batch: Any) -> float:
    import torch

    plan.model.train()
    loss = _closure(plan, optimizers, batch)
    if len(optimizers) == 1 and isinstance(optimizers[0], torch.optim.LBFGS):
        return float(optimizers[0].step(loss))
    value = loss()
    for optimizer in optimizers:
        optimizer.step()
    return float(value)


def _closure(plan: Plan, optimizers: Sequence[Optimizer], batch: Any) -> Callable[[], Tensor]:
    def loss() -> Tensor:
        plan.model.zero_grad(set_to_none=True)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        value = plan.loss(plan.model, batch)
        if not hasattr(value, "backward") or value.numel() != 1:
            raise Unfit(
                f"the loss must be a tensor of one number, not {type(value).__name__} of shape {tuple(getattr(value, 'shape', ()))}"
            )
        if not value.requires_grad:
            raise Unfit("the loss does not depend on the weights: no gradient can reach them")
        value.backward()
        return value.detach()

    return loss


def _optimizers(plan: Plan) -> Sequence[Optimizer]:
    """The script's own; without one, AdamW stands in."""
    import torch

    trainable = [parameter for parameter in plan.model.parameters() if parameter.requires_grad]
    return plan.optimizers or [torch.optim.AdamW(trainable, lr=_STAND_IN)]


def _full_rate(optimizers: Sequence[Optimizer]) -> str:
    """Give groups in the first steps of a warm-up the rate it leads to: at a rate of 0 nothing would be learnt of the loss."""
    raised = False
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        full = group.get("initial_lr", 0.0)
        if group["lr"] < full / 10:
            group["lr"] = full
            raised = True
    return "; at the rate after the warm-up" if raised else ""


def _device(model: Module) -> torch.device:
    import torch

    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _needs_nothing(mode: Callable[..., object]) -> bool:
    try:
        inspect.signature(mode).bind()
    except (TypeError, ValueError):  # it needs something, or is a builtin that does not tell
        return False
    return True
