"""A small corpus: one healthy run, and one of each fault, made of numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from detection import corpus
from detection.model import Run
from numpy.typing import NDArray

STEPS = 6000


def falling(steps: int, seed: int, start: float = 2.0, end: float = 0.2) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(0.0, 0.05, steps)
    return np.asarray((end + (start - end) * np.exp(-np.arange(steps) / 500)) * np.exp(noise), np.float64)


def diverged(to: float) -> NDArray[np.float64]:
    return np.asarray(falling(STEPS, 1, 1.0, 1.0) * np.where(np.arange(STEPS) < 2, 1.0, to), np.float64)


def blown_up() -> NDArray[np.float64]:
    values = falling(STEPS, 2)
    values[3000:3004] = values[2999] * np.array([3.0, 9.0, 27.0, 81.0])
    values[3004:] = np.nan
    return values


@pytest.fixture
def public(tmp_path: Path) -> list[Run]:
    """`lasting` rises for good, `fleeting` does not rise enough; both are of other problems than `well`."""
    made = [
        ("well", "a", "healthy", falling(STEPS, 0), None, 0),
        ("off", "a", "healthy_offlr", falling(3000, 3), None, 0),
        ("own", "a", "diverged", diverged(500.0), None, 0),
        ("fleeting", "b", "diverged", diverged(1.5), None, 0),
        ("lasting", "c", "diverged", diverged(50.0), None, 0),
        ("blown", "b", "nan_late", blown_up(), 3004, 0),
        ("cut", "b", "nan_late", blown_up(), 4004, 1000),
    ]
    entries = []
    for name, problem, label, values, first_nan, before in made:
        np.savez(tmp_path / f"{name}.npz", loss=values.astype(np.float32), step0=before)
        entries.append({"file": f"{name}.npz", "problem": problem, "label": label, "n": len(values), "first_nan": first_nan})
    (tmp_path / "labels.json").write_text(json.dumps(entries))
    return list(corpus.runs(tmp_path))


@pytest.fixture
def well(public: list[Run]) -> Run:
    return public[0]
