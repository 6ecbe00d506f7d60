"""The run of a script that was started to measure a checkpoint: its models are held at the checkpoint's weights, every probe is measured
once, and the process ends before anything else can happen.

The recording stands at one step, the checkpoint's: the probes' snapshots, and each logged metric as its mean over the steps that were
made. Nothing is saved: neither by bedside nor through `torch.save`. The process leaves without the script's further lines, its `finally`
or its exit handlers, because those save what they believe was trained. Where the checkpoint cannot be measured, it leaves the same way,
with a sentence.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, Unpack

from bedside_protocol.measuring import Measured, Request
from bedside_protocol.records import Body, Ended, Event, Snapshot

from .checkpoint_file import CheckpointFile, Unfit
from .held_weights import HeldWeights
from .leaving import REFUSED, leave, save_nothing
from .notice import say
from .probes.parameters import is_sharded
from .probes.probe import Probe
from .run import Run

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer

    from .rehearsal import Given, Loss, Preflight

AnyProbe = TypeVar("AnyProbe", bound=Probe)
AnySave = TypeVar("AnySave", bound=Callable[[str], object])

_FED_FOR: Final = 50
"""Steps a probe that counts over a window is fed for, at most, unless the request says how many steps there are."""
_FEWEST: Final = 3
_UNSEEN: Final = 1000
"""Optimizer steps after which a script that has told of none will tell of none."""
_WRITTEN_WITHIN: Final = 10.0
"""Seconds the end waits until everything is in the recording: there is no training it could hold up."""
_OF_TRAINING: Final = ("update_ratio_median", "update_ratio_max", "unchanged", "layer_update_ratio")
"""What a snapshot of gradients says of the optimizer: here that has no history, and its steps are taken back."""


class MeasuringRun(Run):
    """A run that measures what `request` asks for. The script calls it as any other."""

    def __init__(self, request: Request, *given: Any) -> None:
        super().__init__(*given)
        self._request = request
        self._held: list[HeldWeights] = []
        self._places: list[str] = []
        self._file: CheckpointFile | None = None
        self._trained = (0, "")
        self._first: int | None = None
        """Steps made before those that count; None until the loop is seen."""
        self._logged: dict[str, list[float]] = defaultdict(list)
        self._unwatched = 0
        self._updates = 0
        self._checked = False
        self._emit = self._tell_and_record
        save_nothing()

    @property
    def current_step(self) -> int:
        """The checkpoint's step."""
        return self._trained[0]

    # --- what the script calls

    def watch(self, model: Any, *optimizers: Any, every: int = 50) -> None:
        super().watch(model, *optimizers, every=every)
        try:
            self._hold(model)
        except Unfit as unfit:
            self._refuse(str(unfit))
        except Exception as error:  # a model that cannot be loaded, in whatever way, must not be measured
            self._refuse(f"the checkpoint could not be loaded into the watched {type(model).__name__}: {type(error).__name__}: {error}")

    def probe(self, probe: AnyProbe) -> AnyProbe:
        given = super().probe(probe)
        if self._first is not None:
            self._measure_once(self._first)
        return given

    def on_checkpoint(self, save: AnySave) -> AnySave:
        return save

    def preflight(self, model: Module, batch: Any, *, loss: Loss, **given: Unpack[Given]) -> Preflight:
        from .rehearsal import Preflight

        return Preflight(True, ())  # it is for a training, and there will be none

    def settle_step(self) -> None:
        """A loop begins."""
        super().settle_step()
        if self._first is None:
            self._plan(self._step)
        self._write_back()

    def finish(self, error: BaseException | None = None, *, exited: bool = False) -> None:
        ends_well = error is None or (isinstance(error, SystemExit) and error.code in (0, None))
        if ends_well and not self._finished and not self.stopping:
            made = self._step - (self._first or 0)
            if not self._held:
                self._refuse(_NOT_WATCHED)
            self._refuse(f"the script ended after {made:,} steps, before every probe was measured at step {self._steps:,}: see --steps")
        super().finish(error, exited=exited)

    # --- a step

    def _look(self, step: int) -> None:
        if not self._held:
            self._unwatched += 1  # a script without boundaries may log something before it has a model
            if not self._stepless or self._unwatched >= _FEWEST:
                self._refuse(_NOT_WATCHED)
            return
        first = self._plan(step) if self._first is None else self._first
        self._write_back()
        super()._look(step)
        last = first + self._steps
        if step >= last and (not self.probes.due() or step >= last + self._steps):
            self._complete(step - first)

    @property
    def _steps(self) -> int:
        return self._request.steps or max(_FEWEST, self.probes.longest_lead(_FED_FOR))

    def _plan(self, first: int) -> int:
        """Measure after the steps that follow the `first`. In a loop that says only where a step ends, that is the first to end."""
        self._first = first
        self._logged.clear()  # what came before was not held
        self._measure_once(first)
        return first

    def _measure_once(self, first: int) -> None:
        self.probes.measure_once(first, self._steps)
        self._declare()

    def _hold(self, model: Module) -> None:
        if any(held.model is model for held in self._held):
            return
        if is_sharded(model):
            raise Unfit("the watched model is sharded over ranks, and its checkpoint cannot be loaded into a part of it")
        if self._file is None:
            self._file = CheckpointFile(Path(self._request.checkpoint))
            self._trained = self._file.trained(self._request.order)
        fit = self._file.fit(model)
        model.load_state_dict(fit.state)
        if not self._held:
            self._guard()
        self._held.append(HeldWeights(model))
        self._places.append(fit.place)

    def _guard(self) -> None:
        """Meet every step of every optimizer, also of those nobody told of."""
        from torch.optim import optimizer

        optimizer.register_optimizer_step_pre_hook(self._before_step)
        optimizer.register_optimizer_step_post_hook(self._after_step)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._updates += 1
        if self._first is None:
            if self._updates > _UNSEEN:
                self._refuse("the script trains, but calls neither run.steps nor run.step nor run.log: its steps cannot be seen")
        elif not self._checked:
            self._checked = True
            if moved := [name for held in self._held for name in held.moved(optimizer)]:
                self._refuse(f"the script gives {moved[0]} (and {len(moved) - 1} others) other weights in its first step")

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        for held in self._held:
            held.after_step(optimizer)

    def _write_back(self) -> None:
        if lost := [name for held in self._held for name in held.write_back()]:
            self._refuse(f"the watched model has no {lost[0]} any more: its weights cannot be held while the script rebuilds it")

    # --- what is recorded

    def read_vitals(self) -> None:
        """Nothing: what the machine does is none of the checkpoint's."""

    def _say(self, body: Body) -> None:
        match body:
            case Snapshot(kind="schedule"):  # compares the steps of a training that is not made
                return
            case Snapshot(kind="gradients"):
                body = replace(
                    body,
                    scalars={name: value for name, value in body.scalars.items() if name not in _OF_TRAINING},
                    arrays={name: value for name, value in body.arrays.items() if name not in _OF_TRAINING},
                    texts={name: value for name, value in body.texts.items() if name not in _OF_TRAINING},
                )
        super()._say(replace(body, step=self.current_step) if isinstance(body, (Snapshot, Event, Ended)) else body)

    def _tell_and_record(self, time: float, step: int, row: dict[str, float]) -> None:
        self.probes.logged(step, row)
        for name, value in row.items():
            self._logged[name].append(value)

    # --- the end

    def _complete(self, steps: int) -> NoReturn:
        self._device.boundary(wait=True)
        means = {name: sum(values) / len(values) for name, values in self._logged.items()}
        self._queue.append_row(time.monotonic() - self._origin, self.current_step, means)
        data = next((held.data for held in self._held if held.data), "")
        measured = Measured(self._request.checkpoint, self._trained[1], ",".join(self._places), data, steps)
        self._say(measured.event(self.current_step))
        self._leave(0)

    def _refuse(self, why: str) -> NoReturn:
        say(f"{self._request.name} is not measured: {why}")
        self._leave(REFUSED, Unfit(why))

    def _leave(self, status: int, error: Exception | None = None) -> NoReturn:
        try:
            if self.uplink is not None:
                self.uplink.settle(_WRITTEN_WITHIN)
            super().finish(error)
        finally:
            leave(status)


_NOT_WATCHED: Final = "the script calls no run.watch(model, optimizer) before its first step, so there is nothing to load a checkpoint into"
