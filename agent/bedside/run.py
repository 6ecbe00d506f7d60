"""One run as the training script sees it: everything here is called by the training thread, and nothing here raises into it.

`log` and the step boundary are the hot path: they append, compare and return. What is slow (tensors on a device, probes that are due,
orders) is reached only when there is some.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from bedside_protocol.metrics import Kind
from bedside_protocol.records import Body, Direction, Event, RunStarted, Severity

from .checkpoint import Checkpoints
from .control import Control
from .declarations import Declarations
from .ending import goodbye
from .fault_file import FaultFile
from .groups import BadGroup, GroupedNames
from .loop import Item, Steps
from .notice import Problems, say
from .phases import Phase
from .probes.probe import Probe
from .probes.probe_set import ProbeSet
from .send_queue import MAX_STEP, SendQueue
from .system import StepClock, SystemVitals
from .tensors import DeviceReader, read_row
from .uplink import Uplink

if TYPE_CHECKING:
    from torch.nn import Module

    from .rehearsal import Given, Loss, Preflight

AnyProbe = TypeVar("AnyProbe", bound=Probe)
AnySave = TypeVar("AnySave", bound=Callable[[str], object])
_FIRST_OF_STEPLESS: Final = 3
"""Logs without any boundary after which control is refused in words: the script has no boundary to act at."""


class Run:
    """A monitored training run. Made by `bedside.init`; also a context manager.

    A step is an optimizer step. Steps count from 1: what is logged during the first iteration belongs to step 1.
    """

    def __init__(self, started: RunStarted, origin: float, directory: str, queue: SendQueue, control: Control, problems: Problems) -> None:
        self.id = started.id
        self.name = started.name
        self.directory = directory
        self.uplink: Uplink | None = None
        self.fault: FaultFile | None = None
        self.probes = ProbeSet(problem=problems)
        self._origin = origin
        self._queue = queue
        self._emit: Callable[[float, int, dict[str, float]], None] = queue.append_row
        self._control = control
        self._orders = control.line
        self._problems = problems
        self._groups = GroupedNames()
        self._declarations = Declarations(self._say, problems)
        self._device = DeviceReader(self._tell_and_record, problems)
        self._clock = StepClock()
        self._vitals: SystemVitals | None = None
        self._step = 0
        self._stepless = True
        self._logs = 0
        self._step_began = time.monotonic()
        self._waited = 0.0
        self._finished = False
        self._left = False

    def __repr__(self) -> str:
        state = "finished" if self._finished else "stopping" if self.stopping else f"step {self._step:,}"
        return f"<Run {self.id}: {state}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.finish(error)

    def __deepcopy__(self, memo: object) -> Run:
        return self

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return no_run, ()

    # --- what happens

    def log(self, values: Mapping[str, Any], step: int | None = None, group: Mapping[str, object] | None = None) -> None:
        """Record metrics at a step (default: the current one): Python and numpy numbers, 0-d tensors of any device.

        Values of a group (`group={"T": 64}`: a sequence length, a task, a mode) are a series of their own, `loss [T=64]`, with its own
        rules; they are no values of `loss`. Never waits for a device and never raises: what is no number is counted and named once on
        stderr.
        """
        try:
            if group:
                values = self._groups.row(values, group) if isinstance(values, Mapping) else values
            if self._stepless:
                step = self._step_of_log(step)
            elif step is None:
                step = self._step + 1
            now = time.monotonic() - self._origin
            if type(values) is dict and type(step) is int and not self._device:
                for value in values.values():
                    if type(value) is not float:
                        break
                else:
                    self._emit(now, step, values.copy())
                    return
            self._log_slowly(now, step, values)
        except BadGroup as error:
            self._problems(f"log: {error}; nothing of it is recorded")
        except Exception as error:  # whatever was passed, the training goes on
            self._problems(f"log: {type(error).__name__}: {error}")

    def event(self, name: str, /, **fields: Any) -> None:
        """Mark the timeline: `run.event("reinit", n=12)`."""
        try:
            known = {
                key: value if isinstance(value, (bool, int, float, str)) or value is None else str(value) for key, value in fields.items()
            }
            self._say(Event(str(name)[:200], self._step, known))
        except Exception as error:  # as in `log`
            self._problems(f"event: {type(error).__name__}: {error}")

    def epoch(self, number: int) -> None:
        """Mark the beginning of an epoch, and tell the probes."""
        self.event("epoch", n=number)
        try:
            self.probes.epoch(number)
        except Exception as error:  # as in `log`
            self._problems(f"epoch: {type(error).__name__}: {error}")

    def phase(self, name: str) -> Phase:
        """Mark a stretch of the run: `with run.phase("eval"):`. No step is expected until one is made, or it ends.

        The call alone marks the beginning: `run.phase("finetune")`.
        """
        return Phase(name, lambda state: self.event("phase", name=name, state=state))

    def define_metric(self, pattern: str, kind: Kind | None = None, unit: str | None = None, direction: Direction | None = None) -> None:
        """Say what the metrics named like `pattern` (a name, or a glob as `val/*`) are, where their names do not.

        `kind` decides which rules look at them: "loss", "adversarial", "reward", "ratio", "norm", "count", "entropy", "time", "memory",
        "rate" (a learning rate), "accuracy" or "other". `unit` is printed after values. `direction` is the better one: "down" or "up".
        Of several definitions of a metric the last one decides.
        """
        self._declarations.define(pattern, kind, unit, direction)

    def expect(self, text: str, severity: Severity = "amber") -> None:
        """Say what is expected of a metric: `run.expect("loss < 0.05 after 5000")`, `"val/accuracy >= 0.9 by 2000"`, `"loss < 2 between 100
        and 500"`. Where it does not come true, an alarm of this severity says so.

        `after`: each level from that step on (a level is the median of the last few values); `by`: once, at the first value from that step
        on; neither: always. `*` and `?` in the name stand for any characters. What cannot be read is named once on stderr.
        """
        self._declarations.expect(text, severity)

    def probe(self, probe: AnyProbe) -> AnyProbe:
        """Register a probe and get it back as the handle to feed."""
        try:
            self.probes.add(probe)
            if self.probes.reads_metrics and self._emit == self._queue.append_row:
                self._emit = self._tell_and_record
            self._declare()
        except Exception as error:
            self._problems(f"probe: {type(error).__name__}: {error}")
        return probe

    def watch(self, model: Any, *optimizers: Any, every: int = 50) -> None:
        """Measure gradients and updates of `model`, name the parameters that do not learn, and look at the loop that trains it.

        Gives no handle: hooks feed both probes.
        """
        try:
            from .probes.gradients import Gradients  # knows torch, which only a script that watches a model has
            from .probes.structure import Structure

            self.probes.watch(model)
            self.probe(Gradients(model, *optimizers, every=every))
            self.probe(Structure(model, *optimizers, every=every))
        except Exception as error:
            self._problems(f"watch: {type(error).__name__}: {error}")

    def preflight(self, model: Module, batch: Any, *, loss: Loss, **given: Unpack[Given]) -> Preflight:
        """Rehearse a long run in two minutes and record the verdict: see `bedside.preflight`. Never raises."""
        from .rehearsal import preflight

        given.setdefault("save", self._control.save)
        with self.phase("preflight"), self.probes.unfed():
            found = preflight(model, batch, loss, **given)
        self._step_began = time.monotonic()  # none of it was the next step's time
        for line in () if self._problems.quiet else (*map(str, found.checks), found.headline()):
            say(line)
        self._say(found.snapshot(self._step))
        return found

    def on_checkpoint(self, save: AnySave) -> AnySave:
        """Register `save(path)`, called between two steps in the training thread; it writes a file at `path`. Also a decorator."""
        if not callable(save):
            self._problems("on_checkpoint: save must be a function of one path")  # type: ignore[unreachable]
            return save
        self._control.save = save
        return save

    # --- steps

    def steps(self, loader: Iterable[Item], accumulate: int = 1, start: int | None = None) -> Steps[Item]:
        """Iterate over `loader`; the end of each `accumulate` iterations is a step boundary, where pause, checkpoint and stop take effect.

        Can be iterated again (an epoch each), has the loader's `len`, and an iteration left by `break` counts. `start` is the
        number of steps already made, after a resume.
        """
        self._with_boundaries()
        if type(start) is int:
            self._step = start
        elif start is not None:
            self._problems(f"steps: start is the number of steps already made, not {type(start).__name__}")
        if type(accumulate) is not int or accumulate < 1:
            self._problems("steps: accumulate is a whole number of iterations, at least 1")
            accumulate = 1
        return Steps(self, loader, accumulate)

    def step(self) -> bool:
        """The end of an optimizer step in a hand-written loop. False once a stop was asked: leave the loop then."""
        if self._stepless:
            self._with_boundaries()
        self.end_step()
        return not self._control.stopping

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked: for loops around the step loop."""
        return self._control.stopping

    @property
    def current_step(self) -> int:
        """Steps completed."""
        return self._step

    def finish(self, error: BaseException | None = None, *, exited: bool = False) -> None:
        """Say goodbye and wait (at most 0.6 s) until everything is written. Further calls do nothing.

        `error` is what ended the training, if anything did; `exited` says that the interpreter is leaving without a word.
        """
        if self._finished:
            return
        if error is None:
            self.settle_step()
        self._finished = True
        try:
            self._device.boundary(wait=True)
            self.probes.close()
            self._control.close(self._step)
            self._say(goodbye(error, exited, self._control.stopping, self._step))
            self._emit = self._refuse_finished
            if self.fault is not None and not exited:  # an interpreter that leaves may still crash on its way
                self.fault.close()
            if self.uplink is not None:
                self.uplink.close()
        except Exception as trouble:  # the script's own ending, and its exit code, must stay as they are
            self._problems(f"finish: {type(trouble).__name__}: {trouble}")

    def join(self, id: str, name: str, directory: str) -> None:
        """This rank has found the run it belongs to. Called by the uplink thread, before anything is sent."""
        self.id, self.name, self.directory = id, name, directory
        self._control.save_below(Path(directory))
        self.fault = FaultFile(Path(directory))

    def become_worker(self) -> None:
        """This process is a fork of the training: nothing is recorded from here, and what is tried is counted."""
        self._finished = True
        self._emit = self._refuse_worker
        self.uplink = None
        if self.fault is not None:
            self.fault.forget()

    def disable(self) -> None:
        """Take everything and record nothing, silently: in a process that only re-imports the script."""
        self._finished = True
        self._emit = _discard
        self._problems.quiet = True

    def read_vitals(self) -> None:
        """Log the machine's vitals. Called by the uplink thread, once a second."""
        if self._vitals is None:
            self._vitals = SystemVitals()
        values = {**self._vitals.read(steps=self._step), **self._clock.read()}
        if not self._finished:
            self._queue.append_row(time.monotonic() - self._origin, self._step, values)

    # --- inside

    def _step_of_log(self, given: int | None) -> int:
        """The step of a log in a script without boundaries: each log is one, unless the script says which."""
        self._logs += 1
        if self._logs == _FIRST_OF_STEPLESS:
            self._control.boundaries = "no"
        step = self._step + 1 if given is None else given
        if type(step) is int and step != self._step and abs(step) < MAX_STEP:  # what is beyond is said where the row is packed
            self._step = step
            self._look(step)
        return step

    def _log_slowly(self, now: float, step: object, values: object) -> None:
        if not isinstance(values, Mapping):
            self._problems(f"log takes a mapping of names to numbers, not {type(values).__name__}")
            return
        at = int(step)  # type: ignore[call-overload]
        row, later = read_row(values, self._problems)
        if (later or self._device) and not self._finished:
            self._device.hold(now, at, row, later)
        elif row:
            self._emit(now, at, row)

    def end_step(self, waited: float = 0.0) -> None:
        """A step boundary. `waited`: seconds of the step spent waiting for its data. Never raises."""
        try:
            self._step = step = self._step + 1
            self._waited = waited
            self._look(step)
            if self._orders.wanted:
                self._control.boundary(step)
                self._step_began = time.monotonic()
        except Exception as error:  # a fault of ours must not end somebody's training
            self._problems(f"step: {type(error).__name__}: {error}")

    def _look(self, step: int) -> None:
        """What is to be seen between two steps: values that have arrived from a device, and the probes that are due."""
        if self._device:
            self._device.boundary()
        if snapshots := self.probes.boundary(step, self._tick_clock()):
            self._declare()
            for snapshot in snapshots:
                self._say(snapshot)

    def leave_step(self) -> None:
        """The loop was left within a step: by `break`, and then it counts, or by an exception, and then it was never made.

        Which of the two is seen only by what comes next: another loop or a good end, or an ending with an error.
        """
        self._left = True

    def settle_step(self) -> None:
        """Count a step that was left by `break`; nothing is asked at its boundary."""
        if self._left and not self._finished:
            self._step += 1
            self._tick_clock()
        self._left = False

    def _tick_clock(self) -> float:
        now = time.monotonic()
        seconds = now - self._step_began
        self._step_began = now
        self._clock.note(seconds, self._waited)
        self._waited = 0.0
        return seconds

    def _with_boundaries(self) -> None:
        if self._stepless:
            self._step = 0  # what was logged before the first boundary belongs to its step, and was no step of its own
        self._stepless = False
        self._control.boundaries = "yes"
        self._step_began = time.monotonic()

    def change_rate(self, probe: str, every: int) -> int | None:
        """As `ProbeSet.reschedule`, and the log is told. Called by control, in the training thread."""
        steps = self.probes.reschedule(probe, every)
        self._declare()
        return steps

    def _say(self, body: Body) -> None:
        if self._emit != self._refuse_worker:
            self._queue.append(time.monotonic() - self._origin, body)

    def _declare(self) -> None:
        for declared in self.probes.declared():
            self._say(declared)

    def _tell_and_record(self, time: float, step: int, row: dict[str, float]) -> None:
        """In place of the queue's own `append_row`: rows that come late, and every row once a probe reads metrics."""
        self.probes.logged(step, row)
        self._queue.append_row(time, step, row)

    def _refuse_finished(self, time: float, step: int, row: dict[str, float]) -> None:
        self._problems("log after finish is not recorded")

    def _refuse_worker(self, time: float, step: int, row: dict[str, float]) -> None:
        self._problems("log in a forked worker process is not recorded")


def _discard(time: float, step: int, row: dict[str, float]) -> None:
    pass


def no_run() -> Run:
    """A run that records nothing: what a pickled run becomes in another process."""
    problems = Problems(quiet=True)
    queue = SendQueue(problems, rows=1)
    control = Control(lambda body: None, Checkpoints(Path()), lambda: 0.0, lambda name: False, lambda name, every: None)
    run = Run(RunStarted("", "", "", 0.0), 0.0, "", queue, control, problems)
    run.disable()
    return run
