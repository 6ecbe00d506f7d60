"""What every training of this package begins with and prints: one thread, a seed, a monitored run, a line now and then.

It knows no model and no fault.
"""

from __future__ import annotations

import torch
from torch import Tensor

import bedside
from bedside.cases.case import Settings
from bedside.run import Run

_LINES = 10
"""Progress lines a training prints: enough to see it live, few enough to read."""


def begin(settings: Settings, project: str, **config: bool | float | str) -> Run:
    """Seed torch and begin the run of one form. Called before anything random is made, so that both forms start from the same weights.

    `config` is what a script of this kind would record; the setting that is the fault belongs into it by its own name.
    """
    torch.set_num_threads(1)  # on a busy machine two that wait for each other took twenty times as long
    torch.manual_seed(settings.seed)
    return bedside.init(
        project=project,
        name=settings.run_name,
        config={"case": settings.name, "seed": settings.seed, "steps": settings.steps, **config},
        dir=settings.directory,
    )


def generator(settings: Settings, stream: int = 0) -> torch.Generator:
    """Randomness for data, apart from that of the weights. Streams of one seed differ: training and evaluation draw from their own."""
    return torch.Generator().manual_seed(settings.seed * 1_000 + stream)


def tell(settings: Settings, step: int, **values: float | Tensor) -> None:
    """Print a progress line at some steps of the run, the first and the last among them."""
    if step == 1 or step == settings.steps or step % max(1, settings.steps // _LINES) == 0:
        told = "  ".join(f"{name} {_number(value):.4f}" for name, value in values.items())
        print(f"step {step:6,} of {settings.steps:,}  {told}", flush=True)


def _number(value: float | Tensor) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else value
