"""The recordings the benchmark judges: every program trained over several seeds, its healthy form over more.

What a folder does not hold yet is trained, some at a time; it may be stopped and started again. Healthy forms are trained once a
program: cases that share a script share them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from bedside.cases.catalogue import CASES

from .nursery import MODULE, Nursery

HOMES: Final = [str(Path(__file__).parents[3] / folder) for folder in ("agent", "protocol", "tui")]
LOG: Final = "run.bedside"
LIMIT: Final = 1800.0
"""Seconds after which a training is given up, and said to be."""
BROKEN_SEEDS: Final = 5
HEALTHY_SEEDS: Final = 20
JOBS: Final = min(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Training:
    """One form of one case with one seed. `command` trains it, given its name and how."""

    case: str
    program: str
    broken: bool
    seed: int
    steps: int | None = None
    """None: as many as the case has."""
    command: tuple[str, ...] = (MODULE, "bedside.cases")

    @property
    def name(self) -> str:
        return f"{self.case}-{'broken' if self.broken else 'healthy'}-{self.seed}"


STEPS: Final = {"codebook-collapse": 3000, "vq-digits": 2000, "memory-leak": 3000}
"""The codebook has died by step 2,250; a healthy one is full by 1,000. A projection needs a minute of a memory that grows; in the suite
that case takes seconds."""


def wanted(broken_seeds: int = BROKEN_SEEDS, healthy_seeds: int = HEALTHY_SEEDS) -> Iterator[Training]:
    """Of the cases. Low seeds of everything first: what there is of a stopped training is a smaller benchmark, and a whole one."""
    for seed in range(max(broken_seeds, healthy_seeds)):
        programs = set()
        for case in CASES:
            steps = STEPS.get(case.name)
            if case.broken and seed < broken_seeds:
                yield Training(case.name, case.script, True, seed, steps)
            if case.script not in programs and seed < healthy_seeds:
                programs.add(case.script)
                yield Training(case.name, case.script, False, seed, steps)


def recording(folder: Path, training: Training) -> Path:
    return folder / training.name / LOG


def missing(folder: Path, trainings: Sequence[Training]) -> list[Training]:
    """Those that are not recorded yet."""
    return [training for training in trainings if not recording(folder, training).exists()]


def train_all(folder: Path, trainings: Sequence[Training], say: Callable[[str], None], jobs: int = JOBS) -> None:
    """Trains what the folder does not hold, and says of each how it went."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = missing(folder, trainings)
    nurseries: SimpleQueue[Nursery] = SimpleQueue()
    for _ in range(jobs):
        nurseries.put(Nursery(environment(folder)))

    def in_turn(training: Training) -> str:
        nursery = nurseries.get()
        try:
            return train(folder, training, nursery)
        except RuntimeError as died:
            nursery.close()
            nursery = Nursery(environment(folder))
            return f"{training.name}: {died}"
        finally:
            nurseries.put(nursery)

    with ThreadPoolExecutor(jobs) as pool:
        for place, said in enumerate(pool.map(in_turn, todo), 1):
            say(f"{place} of {len(todo)} · {said}")
    for _ in range(jobs):
        nurseries.get().close()


def environment(folder: Path) -> dict[str, str]:
    """What a training finds: our packages, one thread, and a runtime directory of its own."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(HOMES), "BEDSIDE_RUNTIME_DIR": str(folder / "rt"), "OMP_NUM_THREADS": "1"}


def train(folder: Path, training: Training, nursery: Nursery) -> str:
    """Trains one form in a process of its own; what there is to say of it."""
    place = folder / f"{training.name}.part"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    words = [*training.command, training.case, "--seed", str(training.seed), "--dir", str(place)]
    words += [] if training.broken else ["--healthy"]
    words += [] if training.steps is None else ["--steps", str(training.steps)]
    began = time.monotonic()
    code = nursery.run(words, place / "output", LIMIT)
    if code is None:
        return f"{training.name}: given up after {LIMIT:.0f} s"
    found = sorted(place.glob(f"*/{LOG}"))
    if not found:
        return f"{training.name}: nothing recorded; its output is in {place / 'output'}"
    target = recording(folder, training)
    target.parent.mkdir(exist_ok=True)
    found[-1].rename(target)
    shutil.rmtree(place, ignore_errors=True)
    return f"{training.name}: {time.monotonic() - began:.0f} s, exit {code}"
