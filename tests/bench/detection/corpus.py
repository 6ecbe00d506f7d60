"""The public curves: labelled training losses of an optimizer benchmark as runs, and what a log makes of the healthy ones.

A folder holds `labels.json` and one `.npz` a run with `loss` (n,) and `step0`, the number of steps cut from its beginning. The curves
are no part of this project. They are read when a run is judged, and not kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bedside_protocol.records import Event, Record

from .curve import SECONDS_A_STEP, Curve, blocks, curves, started
from .model import Run, Truth

FAMILIES: Final[Mapping[str, str]] = MappingProxyType({"healthy_offlr": "healthy"})
"""Labels that are another's family: a learning rate that is not the best is no fault."""

RULES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "diverged": ("loss-level", "explosion"),
    "nan_late": ("nonfinite", "loss-level", "explosion"),
    "nan_early": ("nonfinite", "loss-level", "explosion"),
    "no_learning": ("never-learns", "loss-level", "explosion"),
})  # fmt: skip
"""The right names: what never learns may also rise, and what becomes NaN may explode before it does."""

NO_VERDICT: Final = frozenset({"poor_slow"})
"""Families of which nobody says what is to be said: reported, not scored."""


def runs(folder: Path) -> Iterator[Run]:
    """Every run of the corpus. Steps count from 1; the fault of a sick run, a learning rate, is at work from the first."""
    for entry in json.loads((folder / "labels.json").read_text()):
        yield _run(folder, entry)


def _run(folder: Path, entry: Mapping[str, Any]) -> Run:
    family = FAMILIES.get(entry["label"], entry["label"])
    onset = 0 if family == "healthy" else 1
    first_nan = None if entry["first_nan"] is None else entry["first_nan"] + 1
    truth = Truth(family, onset, RULES.get(family, ()), first_nan=first_nan)
    path = folder / entry["file"]
    return Run(path.stem, entry["problem"], "corpus", truth, partial(_read, path), entry["n"])


def _read(path: Path) -> Sequence[Record]:
    with np.load(path) as run:
        losses, before = run["loss"].astype(np.float64), int(run["step0"])
    steps = np.arange(before + 1, before + 1 + len(losses), dtype=np.int64)
    return (started(path.stem, "curves"), *blocks(Curve(steps, losses)))


def loss(run: Run) -> Curve:
    """The one loss of a run of the corpus, or of one made of it."""
    (curve,) = curves(run.records()).values()
    return curve


def sampled(run: Run, stride: int) -> Run:
    """Only every `stride`-th value is logged, the first one among them."""
    return _varied(run, f"every {stride}", lambda curve: Curve(curve.steps[::stride], curve.values[::stride]))


def averaged(run: Run, stride: int) -> Run:
    """The mean of `stride` values is logged, at the last of their steps; what is left at the end is not."""

    def means(curve: Curve) -> Curve:
        full = len(curve) // stride * stride
        with np.errstate(invalid="ignore", over="ignore"):
            return Curve(curve.steps[stride - 1 : full : stride], curve.values[:full].reshape(-1, stride).mean(axis=1))

    return _varied(run, f"mean of {stride}", means)


def restarted(run: Run, at: int) -> Run:
    """The log of a training that goes on after `at` steps which another log has: it continues, and its steps begin late."""
    return replace(
        _varied(run, f"restarted at {at}", lambda curve: curve[at:], continues=run.name),
        steps=run.steps - at,
    )


def with_phase(run: Run, at: int) -> Run:
    """After `at` steps the script declares a phase, and the loss has a new part, of half of its first value."""

    def records() -> Sequence[Record]:
        curve = loss(run)
        added = Curve(curve.steps[at:], curve.values[at:] + curve.values[0] / 2)
        step = int(curve.steps[at - 1])
        phase = Record(step * SECONDS_A_STEP, Event("phase", step, {"name": "finetune", "state": "begin"}))
        return (started(run.name, run.program), *blocks(curve[:at]), phase, *blocks(added))

    return replace(run, name=f"{run.name} phase at {at}", records=records)


def _varied(run: Run, words: str, change: Callable[[Curve], Curve], continues: str = "") -> Run:
    def records() -> Sequence[Record]:
        return (started(run.name, run.program, continues), *blocks(change(loss(run))))

    return replace(run, name=f"{run.name} {words}", records=records)


@dataclass(frozen=True, slots=True)
class Variant:
    """The same trainings, logged or run in another way. `least`: the steps a run must have to be one."""

    title: str
    make: Callable[[Run], Run]
    least: int = 0

    def of(self, runs: Sequence[Run]) -> list[Run]:
        return [self.make(run) for run in runs if run.steps >= self.least]


_AFTER: Final = 2000
"""Steps there must be after a restart or a phase for its silence to say something."""

VARIANTS: Final = (
    *(Variant(f"every {n}th value", partial(sampled, stride=n)) for n in (10, 50, 100)),
    *(Variant(f"mean of {n} values", partial(averaged, stride=n)) for n in (10, 50, 100)),
    *(Variant(f"restarted at {at:,}", partial(restarted, at=at), at + _AFTER) for at in (1000, 5000, 10_000)),
    Variant("phase at 10,000", partial(with_phase, at=10_000), 10_000 + _AFTER),
)
