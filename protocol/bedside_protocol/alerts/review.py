"""The review of a run: what is worth saying of it as a whole, at its end or of what there is so far.

Remarks are no alarms: nothing fires, nothing is coloured, and no verdict or exit code depends on them. Records go in, in the order of the
log; remarks come out, those on the model before those on the machine.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Final

import numpy as np

from bedside_protocol.alerts.remark import Remark
from bedside_protocol.alerts.remark_curves import Loss
from bedside_protocol.alerts.roles import role_of, trained_on
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.lifecycle import OVER
from bedside_protocol.metrics import split_group
from bedside_protocol.records import CheckpointSaved, Ended, LifecycleChanged, MetricDefined, Metrics, Record, RunStarted, Snapshot, Tick

__all__ = ["Remark", "Review", "review"]

_LATER_WORSE: Final = 1.5
"""The last third of the places over the first from which a profile is remarked."""
_BLURRY: Final = 0.5
"""A picture with less than half the edges of its target."""
_LONG: Final = 600.0
"""Seconds from which a run without any checkpoint is remarked."""
_DATA_WAIT, _STEP, _TAIL = "system/data_wait", "system/step_ms", "system/step_ms_p99"


def review(records: Iterable[Record]) -> tuple[Remark, ...]:
    """The remarks on a whole log."""
    whole = Review()
    for record in records:
        whole.take(record)
    return whole.remarks


class Review:
    """What is known of a run so far, as far as a remark needs it."""

    def __init__(self) -> None:
        self._definitions = NOTHING_SAID
        self._fresh = True
        self._losses: dict[str, Loss] = {}
        self._snapshots: dict[str, Snapshot] = {}
        """The newest of each probe."""
        self._vitals = {name: array("d") for name in (_DATA_WAIT, _STEP, _TAIL)}
        self._checkpoints = 0
        self._saved_step = 0
        self._step = 0
        self._time = 0.0
        self._paused_since: float | None = None
        self._paused = 0.0

    def __repr__(self) -> str:
        return f"<Review to step {self._step}, {len(self._losses)} losses>"

    def take(self, record: Record) -> None:
        """The next record of the log. Losses are those of rank 0, which every rank shares."""
        self._time = max(self._time, record.time)
        match record.body:
            case RunStarted(continues=continues):
                self._fresh = self._fresh and not continues and not self._losses
            case MetricDefined() as defined:
                self._definitions = self._definitions.having(defined)
            case Metrics() as block if record.rank <= 0 and len(block.steps):
                self._metrics(block)
            case Snapshot(probe=probe) as snapshot:
                self._snapshots[probe] = snapshot
            case CheckpointSaved(step=step):
                self._checkpoints += 1
                self._saved_step = step
            case LifecycleChanged(state=state):
                self._lifecycle(state, record.time)
            case Tick(step=step) | Ended(step=step):
                self._step = max(self._step, step)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What there is to say by now."""
        return (*self._of_losses(), *self._of_probes(), *self._of_pace(), *self._of_pauses(), *self._of_checkpoints())

    def _metrics(self, block: Metrics) -> None:
        self._step = max(self._step, int(block.steps.max()))
        for name, values in zip(block.names, block.values, strict=True):
            if name in self._vitals:
                self._vitals[name].extend(values[np.isfinite(values)].tolist())
            elif self._definitions.kind_of(name) == "loss":
                if name not in self._losses:
                    self._losses[name] = Loss(name, self._fresh)
                self._losses[name].take(block.steps, values)

    def _lifecycle(self, state: str, time: float) -> None:
        if state == "paused" and self._paused_since is None:
            self._paused_since = time
        elif state != "paused" and self._paused_since is not None:
            self._paused += time - self._paused_since
            self._paused_since = None
        if state in OVER:
            self._time = time

    def _of_losses(self) -> Iterator[Remark]:
        trained = trained_on(self._losses, self._definitions)
        pooled = {split_group(name)[0] for name in self._losses if split_group(name)[1]}
        for name, loss in self._losses.items():
            if name in trained and name not in pooled:  # a mean over groups moves with their mix
                yield from loss.remarks()
            elif role_of(name, "loss") == "evaluation":
                yield from loss.remarks_of_evaluation()

    def _of_probes(self) -> Iterator[Remark]:
        for probe, snapshot in self._snapshots.items():
            worse = snapshot.scalars.get("later_worse", 0.0) if snapshot.kind == "per_index" else 0.0
            if isfinite(worse) and worse > _LATER_WORSE:
                yield Remark(
                    "later-worse",
                    probe,
                    f"the last third of the places has {worse:.2f}× the loss of the first",
                    {"later_worse": worse},
                    (("o", "the loss by place: a slope, or the last ones alone?"),),
                )
            for field, value in snapshot.scalars.items():
                if field.startswith("sharpness/") and 0.0 <= value < _BLURRY:
                    yield Remark(
                        "blurry",
                        probe,
                        f"{field.removeprefix('sharpness/')} has {value:.0%} of the edges of its target",
                        {"sharpness": value},
                        (("w", "prediction beside target, from the first to the last"),),
                    )

    def _of_pace(self) -> Iterator[Remark]:
        steps, waits, tails = (self._vitals[name] for name in (_STEP, _DATA_WAIT, _TAIL))
        if not steps or not waits or not tails:
            return
        numbers = {"data_wait": float(np.mean(waits)), "median_ms": float(np.median(steps)), "p99_ms": float(np.median(tails))}
        yield Remark(
            "pace",
            "run",
            f"waits for its data {numbers['data_wait']:.0%} of its time; a step takes {numbers['median_ms']:.3g} ms, "
            f"one in a hundred {numbers['p99_ms']:.3g} ms",
            numbers,
            (("v", "data wait and step time"), ("h", f"{_STEP} beside {_DATA_WAIT}: when did it change?")),
        )

    def _of_pauses(self) -> Iterator[Remark]:
        paused = self._paused + (self._time - self._paused_since if self._paused_since is not None else 0.0)
        if paused > 0.0 and self._time > 0.0:
            numbers = {"seconds": paused, "share": paused / self._time}
            yield Remark("paused", "run", f"was paused for {paused:,.0f} s, {numbers['share']:.0%} of its time", numbers, (("l", "when"),))

    def _of_checkpoints(self) -> Iterator[Remark]:
        if not self._checkpoints:
            if self._time >= _LONG:
                yield Remark("checkpoints", "run", "no checkpoint was saved", {"count": 0.0}, (("C", "save one, while it runs"),))
            return
        age = max(0, self._step - self._saved_step)
        many = "1 checkpoint was" if self._checkpoints == 1 else f"{self._checkpoints:,} checkpoints were"
        yield Remark(
            "checkpoints",
            "run",
            f"{many} saved, the last at step {self._saved_step:,}, {f'{age:,} steps before the end' if age else 'the end'}",
            {"count": float(self._checkpoints), "step": float(self._saved_step), "age": float(age)},
            (("l", "when, and how large"),),
        )
