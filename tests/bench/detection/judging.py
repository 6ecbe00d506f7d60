"""Every run before every detector, in two processes: what became of it. Each run's records are read once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Final, TypeAlias

from .model import Detector, Run
from .scoring import Outcome, outcome
from .twins import first_step, snapshots

PROCESSES: Final = 2

Outcomes: TypeAlias = dict[str, list[Outcome]]
"""By the name of the detector, in the order of the runs."""

_work: tuple[Sequence[Run], Sequence[Detector]] = ((), ())


def judge(runs: Sequence[Run], detectors: Sequence[Detector], progress: Callable[[int], None] = lambda done: None) -> Outcomes:
    """`progress` is told how many runs are done. Runs hold functions, which a process inherits and cannot be sent: hence the fork."""
    found: Outcomes = {detector.name: [] for detector in detectors}
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(PROCESSES, mp_context=fork, initializer=_take, initargs=(runs, detectors)) as pool:
        for done, outcomes in enumerate(pool.map(_judged, range(len(runs))), 1):
            for detector, one in zip(detectors, outcomes, strict=True):
                found[detector.name].append(one)
            progress(done)
    return found


def _take(runs: Sequence[Run], detectors: Sequence[Detector]) -> None:
    global _work
    _work = runs, detectors


def _judged(place: int) -> list[Outcome]:
    runs, detectors = _work
    return list(one_run(runs[place], detectors))


def one_run(run: Run, detectors: Sequence[Detector]) -> Iterator[Outcome]:
    """What each detector makes of one run."""
    records = run.records()
    measured, begins = snapshots(records), first_step(records)
    kept = replace(run, records=lambda: records)
    return (outcome(run, detector.judge(kept), measured, begins) for detector in detectors)
