"""The recordings of our own trainings as runs, with what is true of each: which fault, since when, who would name it rightly.

The right rules stand here, of the cases and of the programs that are held out; no detector is told them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from bedside.cases.case import Case
from bedside.cases.catalogue import case as case_named
from bedside.cases.reading import shown_since
from bedside_protocol.definitions import NOTHING_SAID
from bedside_protocol.records import Body, Ended, Metrics, ProbeDeclared, Record, Snapshot
from bedside_protocol.runlog import read_records

from .held_out import Program, program
from .model import Run, Truth
from .trainings import Training, recording

_Body = TypeVar("_Body", bound=Body)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is to be said of a broken form. `probe` sees it; empty where a metric does, a loss where `curve`. `at`: the first step at which
    it acts, where the case's sign is read from an earlier one on."""

    rules: tuple[str, ...]
    probe: str = ""
    curve: bool = False
    at: int | None = None


FAULTS: Final[Mapping[str, Fault]] = {
    "codebook-collapse": Fault(("codebook-collapse", "codebook-perplexity"), "vq"),
    "first-step-rollout-collapse": Fault(("rollout-collapse", "drifting-rollout", "ignored-input"), "dream"),
    "background-collapse": Fault(("early-module", "class-collapse", "few-classes"), "memory"),
    "untrained-branch": Fault(("early-module",), "branch"),
    "dead-parameters": Fault(("dead-parameters", "unowned-parameters"), "gradients"),
    "uniform-attention": Fault(("uniform-attention",), "reader"),
    "equal-pair": Fault(("equal-pair", "invalid-attention"), "gain"),
    "query-collapse": Fault(("wrong-scale", "alike-vectors"), "queries"),
    "mode-collapse": Fault(("constant-output", "alike-vectors"), "structure"),
    "per-index-decay": Fault(("later-worse",), "loss by frame"),
    "loss-explosion": Fault(("explosion", "loss-level"), curve=True),
    "lr-zero": Fault(("frozen-weights", "never-learns"), curve=True),
    "no-learning": Fault(("never-learns", "dead-parameters"), curve=True),
    "late-nan": Fault(("nonfinite", "gradient-growth"), curve=True),
    "memory-leak": Fault(("memory-end", "out-of-memory")),
    "data-stall": Fault(("failing-more",), "fetches"),
    "schedule-not-applied": Fault(("schedule-ignored",), "temperature"),
    "periodic-spikes": Fault(("periodic-spikes", "spike"), curve=True, at=750),  # the first 250th step after the sign's 600
    "overfitting": Fault(("overfitting",), curve=True),
    "crash": Fault(("crash",)),
}

HELD_OUT: Final[Mapping[str, tuple[str, ...]]] = {
    "sees-the-future": ("invalid-attention",),
    "rising-temperature": ("uniform-attention",),
    "restart-without-warm-up": ("loss-level", "explosion"),
    "level-of-zero": ("ignored-input",),
    "classes-left-out": ("ignored-input",),
    "no-stop-gradient": ("alike-vectors",),
    "predictor-bypassed": ("alike-vectors",),
    "scale-without-floor": ("nonfinite", "nonfinite-weights", "gradient-growth", "explosion"),
    "balance-below-zero": ("codebook-collapse", "codebook-perplexity"),
    "weights-not-inverted": ("class-collapse",),
    "head-made-anew": ("unowned-parameters", "dead-parameters"),
}
"""The rules whose words are those of a program's finding."""

ODDITIES: Final[Mapping[str, tuple[int, str]]] = {"single-bad-batch": (700, "spike")}
"""Healthy cases with one odd batch: at which step, and the amber alarm that is true of it."""


def runs(folder: Path, trainings: Iterable[Training]) -> Iterator[Run]:
    """The runs recorded so far, in the order of `trainings`, without those that ended before their fault was at work: whatever else ended
    such a training, its end is nothing to be found."""
    for training in trainings:
        path = recording(folder, training)
        if path.exists() and (run := _run(path, training)) is not None:
            yield run


def read(path: Path) -> Sequence[Record]:
    with open(path, "rb") as file:
        return list(read_records(file))


def _run(path: Path, training: Training) -> Run | None:
    records = read(path)
    steps = last_step(records)
    held_out = program(training.case)
    if training.broken and steps < (held_out.fault_at if held_out else _fault_at(training.case)) - 1:
        return None
    if not training.broken:
        truth = _of_health(training.case)
    elif held_out:
        truth = _of_program(held_out, records, steps)
    else:
        truth = _of_case(training.case, records, steps)
    return Run(training.name, training.program, "held out" if held_out else "twins", truth, partial(read, path), steps)


def _of_health(case: str) -> Truth:
    step, rule = ODDITIES.get(case, (0, ""))
    return Truth("healthy", onset=step, rules=(rule,) if rule else ())


def _of_case(name: str, records: Sequence[Record], steps: int) -> Truth:
    """A fault in a step that never ended is seen at the last that did."""
    fault, onset = FAULTS[name], min(_fault_at(name), steps)
    sign = _case(name).sign
    shown = shown_since(sign, records, onset) if sign else None
    every = schedule(records, fault.probe)
    shown = None if shown is None else min(shown, steps)
    return Truth(name, onset, fault.rules, fault.curve, every, first_nan(records), shown)


def _fault_at(name: str) -> int:
    at = FAULTS[name].at
    return _case(name).fault_at if at is None else at


def _case(name: str) -> Case:
    case = case_named(name)
    if case is None:
        raise LookupError(f"no case is called {name}")
    return case


def _of_program(found: Program, records: Sequence[Record], steps: int) -> Truth:
    every = schedule(records, found.probe) if found.probe else found.every
    rules = HELD_OUT.get(found.name, ())
    onset = min(found.fault_at, steps)
    return Truth(found.name, onset, rules=rules, curve=found.curve, every=every, first_nan=first_nan(records))


def schedule(records: Iterable[Record], probe: str) -> int:
    """Steps between two snapshots of a probe as the script has it, before its budget stretched it; 1 where there is no such probe."""
    return next((body.every for body in _bodies(records, ProbeDeclared) if body.probe == probe), 1)


def first_nan(records: Iterable[Record]) -> int | None:
    """The first step at which a loss is not finite."""
    for body in _bodies(records, Metrics):
        for name, values in zip(body.names, body.values, strict=True):
            if NOTHING_SAID.kind_of(name) == "loss" and not np.isfinite(values).all():
                return int(body.steps[np.argmin(np.isfinite(values))])
    return None


def snapshots(records: Iterable[Record]) -> dict[str, list[int]]:
    """The steps at which each probe measured, by its name, in order and once each: a resumed run makes some twice."""
    steps: dict[str, set[int]] = {}
    for body in _bodies(records, Snapshot):
        steps.setdefault(body.probe, set()).add(body.step)
    return {probe: sorted(measured) for probe, measured in steps.items()}


def first_step(records: Iterable[Record]) -> int:
    """The lowest step at which anything is logged, 0 where nothing is."""
    return min((int(body.steps.min()) for body in _bodies(records, Metrics) if len(body.steps)), default=0)


def last_step(records: Iterable[Record]) -> int:
    """The highest step of a log, 0 where there is none."""
    kept = list(records)
    logged = [int(body.steps.max()) for body in _bodies(kept, Metrics) if len(body.steps)]
    return max([*logged, *(body.step for body in _bodies(kept, Ended)), 0])


def _bodies(records: Iterable[Record], kind: type[_Body]) -> Iterator[_Body]:
    return (record.body for record in records if isinstance(record.body, kind))
