"""Whether the training loop is built as one believes: gradients reset, a new batch each step, an evaluation that repeats itself, outputs
that depend on inputs.

None of these shows in a loss. They are seen from outside: by hooks on the outermost module and on two small parameters, which are there
on watched steps alone. Nothing is kept on after the measurement, and the probe judges nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bedside.probes import parameters, second_look
from bedside.probes.batch_look import Apart, Look, look_at, rows_apart, tensors_in
from bedside.probes.gradient_reset import ResetWatch
from bedside.probes.intake import is_no_real_step
from bedside.probes.probe import Gone, Probe
from bedside.probes.second_look import Call, Repeated, repeat
from bedside.probes.tensor_norms import read
from bedside.schedule import every as every_steps
from bedside_protocol.records import Scalar, Snapshot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

_EARLY: Final = (1, 2, 5, 10, 20)
_MOST_LOOKS: Final = 64
"""Forwards of one step that are compared; more micro-batches than that are not."""
_REPEAT_LATER: Final = 5
"""After a repeated evaluation at step n the next is made at step 5 n or later: it costs two forwards, and where every other measurement
cost as much, the whole probe would be measured half as often."""

_STEPS: Final = "the batch of one step came again in the next"
_MICRO_BATCHES: Final = "a batch came twice within one step"


class Structure(Probe):
    """The training loop around `model`, stepped by `optimizers`. All are held weakly.

    It looks at two steps a measurement, the scheduled one and the one before. A snapshot has the scalar `batches` (training forwards seen)
    and, each where it could be seen:

    `never_reset`: 1 where between two steps of an optimizer no gradient was reset, else 0; the text of that name has the parameters.
    Gradient accumulation, several optimizers, `GradScaler` and closures are no fault.
    `same_batch`: how often the tensors given to the model were those given before: in the step before (all forwards of it alike), or in
    the same step with a backward between and the weights not touched. Several forwards for one backward count as one. The text says which.
    Training on all data at once has the same batch every step by intention.
    `eval_differs`: max |a − b| / max |a| of two evaluations of one batch, at steps ever further apart; 0 where evaluation repeats itself.
    The text names the innermost modules that make different outputs of the same inputs.
    `output_difference`: mean |difference| of the outputs for the first two rows of a batch whose inputs differ, and
    `output_difference_relative`, that over mean |output|, of the training's own forward: noise such as dropout adds to it.
    `output_difference_eval` is the same without that noise, where `eval_differs` is measured. Rows are the first axis.

    Inputs are tensors in arguments, tuples, lists, mappings and dataclasses. A model compiled in place (`model.compile()`) is not seen
    from outside: then only gradients are looked at. With several processes evaluation is not repeated, and sharded parameters (FSDP) are
    refused in words.
    """

    kind = "structure"
    lead = 2

    _armed = False
    _began = False

    def __init__(self, model: Module, *optimizers: Optimizer, name: str = "structure", every: int = 50) -> None:
        super().__init__(name, every_steps(max(1, every), early=_EARLY))
        self._armed = False
        self._model = weakref.ref(model)
        stepping = parameters.stepping(optimizers)
        self._optimizers = [weakref.ref(optimizer) for optimizer in stepping]
        self._sharded = parameters.is_sharded(model)
        self._hooks: list[Any] = []
        self._watches: list[ResetWatch] = []
        self._repeat_at = 0
        self._repeatable = True
        self._call: Call | None = None
        self._inputs: list[Tensor] = []
        self._apart: Apart | None = None
        self._looks: list[Look] = []
        self._looks_before: list[Look] = []
        """The batches of the step that is going on, and of the one before."""
        self._moment = (0, 0)
        self._stepping = self._looked_while_stepping = False
        self._alike: list[tuple[str, Tensor]] = []
        self._compared = self._batches = 0
        self._began = True

    @property
    def armed(self) -> bool:
        """Whether the hooks are there: they come and go with it."""
        return self._armed

    @armed.setter
    def armed(self, wanted: bool) -> None:
        if wanted == self._armed:
            return
        self._armed = wanted
        if self._began:
            with self.taking("a model"):
                self._hook() if wanted else self._unhook()

    def settings(self) -> Mapping[str, Scalar]:
        return {"optimizers": len(self._optimizers)}

    def close(self) -> None:
        """Take the hooks back; the probe is not fed any more."""
        self.armed = False

    def measure(self, step: int) -> Snapshot | None:
        model = self._model()
        if model is None:
            raise Gone("the model it watched is gone")
        if self._sharded:
            raise Gone("parameters are sharded over ranks, and a forward of this rank alone would wait for the others")
        try:
            scalars, texts = self._findings()
            scalars |= self._outputs(self._apart, "output_difference", relative="output_difference_relative")
            repeated = self._repeated(model, step)
            if repeated is not None:
                scalars |= {"eval_differs": repeated.difference, **self._outputs(repeated.apart, "output_difference_eval")}
                texts |= {"eval_differs": repeated.modules} if repeated.modules else {}
            return Snapshot(self.name, self.kind, step, scalars, {}, texts)
        finally:
            self._release()

    # --- what is seen

    def _hook(self) -> None:
        model = self._model()
        if model is None or self._sharded:
            return
        self._forget()
        optimizers = [optimizer for reference in self._optimizers if (optimizer := reference()) is not None]
        self._hooks += [
            model.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            model.register_forward_hook(self._after_forward),
        ]
        names = parameters.names(model, optimizers)
        for number, optimizer in enumerate(optimizers):
            self._watches.append(ResetWatch(optimizer, names, self.say))
            self._hooks += [
                optimizer.register_step_pre_hook(self._before_step),
                optimizer.register_step_post_hook(partial(self._after_step, number)),
            ]

    def _unhook(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()
        for watch in self._watches:
            watch.remove()
        self._watches = []
        self._forget()

    def _before_forward(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.idle or not module.training or module is not self._model():  # a copy of the model has a copy of its hooks
            return
        with self.taking("a batch"):
            self._look(args, kwargs)

    def _look(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        import torch

        inputs = tensors_in((args, kwargs))
        if not inputs or not torch.is_grad_enabled() or any(map(is_no_real_step, inputs)):
            return
        if self._stepping:  # a closure may evaluate a batch many times
            if self._looked_while_stepping:
                return
            self._looked_while_stepping = True
        with torch.no_grad():
            look = look_at(inputs)
        self._batches += 1
        moment = (sum(watch.arrivals for watch in self._watches), sum(watch.version() for watch in self._watches))
        if self._looks and moment[0] > self._moment[0] and moment[1] == self._moment[1]:
            self._compare(_MICRO_BATCHES, [self._looks[-1]], [look])
        self._moment = moment
        self._looks.append(look)
        self._inputs = inputs
        if self._repeatable:
            self._call = second_look.call_of(args, kwargs)

    def _after_forward(self, module: Module, args: tuple[Any, ...], output: object) -> None:
        inputs = self._inputs
        if self.idle or not inputs or module is not self._model():
            return
        self._inputs = []
        with self.taking("an output"):
            import torch

            with torch.no_grad():
                self._apart = rows_apart(inputs, output)

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._stepping, self._looked_while_stepping = True, False

    def _after_step(self, number: int, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._stepping = False
        if self.idle:
            return
        with self.taking("a step"):
            self._watches[number].stepped()
            if number == 0:
                if self._looks_before:
                    self._compare(_STEPS, self._looks_before, self._looks)
                self._looks_before, self._looks = self._looks, []

    def _compare(self, what: str, before: list[Look], now: list[Look]) -> None:
        """Note whether all of one and all of the other are the same, and that this was asked."""
        self._compared += 1
        if len(before) != len(now) or len(now) > _MOST_LOOKS:
            return
        each = [one.same(other) for one, other in zip(before, now, strict=True)]
        alike = [same for same in each if same is not None]
        if alike and len(alike) == len(each):
            import torch

            self._alike.append((what, torch.stack(alike).all()))

    # --- what it amounts to

    def _findings(self) -> tuple[dict[str, float], dict[str, tuple[str, ...]]]:
        scalars = {"batches": float(self._batches)}
        texts: dict[str, tuple[str, ...]] = {}
        verdicts = [verdict for watch in self._watches for verdict in watch.verdicts]
        if verdicts:
            resets = read([reset.float() for _, reset in verdicts])
            kept = dict.fromkeys(name for (name, _), reset in zip(verdicts, resets, strict=True) if not reset)
            scalars["never_reset"] = float(bool(kept))
            texts |= {"never_reset": tuple(kept)} if kept else {}
        if self._compared:
            alike = read([same.float() for _, same in self._alike])
            scalars["same_batch"] = float(alike.sum())
            found = dict.fromkeys(what for (what, _), same in zip(self._alike, alike, strict=True) if same)
            texts |= {"same_batch": tuple(found)} if found else {}
        return scalars, texts

    def _outputs(self, apart: Apart | None, name: str, relative: str = "") -> dict[str, float]:
        found = apart.read() if apart is not None else None
        if found is None:
            return {}
        return {name: found[0], relative: found[1]} if relative else {name: found[0]}

    def _repeated(self, model: Module, step: int) -> Repeated | None:
        if not self._repeatable or self._call is None or step < self._repeat_at or second_look.is_distributed():
            return None
        self._repeat_at = _REPEAT_LATER * step
        try:
            return repeat(model, self._call)
        except Exception as error:  # a model may need what only its training loop gives
            self._repeatable = False
            self.say(f"the model cannot be called again ({type(error).__name__}), so whether evaluation repeats itself is not checked")
            return None

    def _release(self) -> None:
        """Keep nothing but what the next step is compared with."""
        self._call = None
        self._inputs = []
        self._apart = None
        self._alike = []
        self._compared = self._batches = 0
        for watch in self._watches:
            watch.verdicts.clear()

    def _forget(self) -> None:
        self._release()
        self._looks, self._looks_before = [], []
        self._stepping = False
