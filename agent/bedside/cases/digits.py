"""A small network learns to name scikit-learn's 1,797 handwritten digits: the first 1,500 steps of a training that warms up over 2,000.

Three faults of settings, one line each: a rate that jumps, a rate that is zero because the warm-up divides whole numbers, and an output
that is not connected to what should learn. The network, its data and their order are the plain ones from which other scripts depart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

BATCH: Final = 64
WIDTH: Final = 128
CLASSES: Final = 10
LEARNING_RATE: Final = 2e-3
WARM_UP: Final = 2_000
JUMP: Final = 300.0
"""The rate of the loss explosion: what was meant for another optimizer."""


class Classifier(nn.Module):
    """Pictures (n, 1, 8, 8) → logits (n, 10). `connected` off: only the offsets of the classes are reached by the gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        self.output = nn.Linear(WIDTH, CLASSES, bias=False)
        self.offset = nn.Parameter(torch.zeros(CLASSES))
        self.connected = True

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.output(self.body(images))
        return (scores if self.connected else scores.detach()) + self.offset


def digits() -> tuple[Tensor, Tensor]:
    """All of them: pictures (1797, 1, 8, 8) between 0 and 1, and their classes (1797)."""
    found = load_digits()
    return torch.tensor(found.images, dtype=torch.float32).unsqueeze(1) / 16.0, torch.tensor(found.target, dtype=torch.int64)


def batches(settings: Settings, images: Tensor, classes: Tensor, steps: int) -> DataLoader[Any]:
    """`steps` batches, drawn with replacement; the same for the same seed."""
    data = TensorDataset(images, classes)
    sampler = RandomSampler(data, replacement=True, num_samples=steps * BATCH, generator=generator(settings))
    return DataLoader(data, batch_size=BATCH, sampler=sampler)


def warmed_up(step: int) -> float:
    return min(1.0, step / WARM_UP)


_RATES: Final[Mapping[str, Callable[[int], float]]] = {
    "loss-explosion": lambda step: JUMP * warmed_up(step),
    "lr-zero": lambda step: min(1.0, step // WARM_UP),
}
"""The rate of a broken form from its fault on, as a factor."""


def train(settings: Settings) -> None:
    run = begin(settings, "digits", batch=BATCH, lr=LEARNING_RATE, warm_up=WARM_UP)
    model = Classifier()
    model.connected = not (settings.broken and settings.name == "no-learning")
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        faulty = settings.broken and step >= settings.fault_at
        factor = _RATES.get(settings.name, warmed_up) if faulty else warmed_up
        optimizer.param_groups[0]["lr"] = rate = LEARNING_RATE * factor(step)
        logits = model(images)
        loss = F.cross_entropy(logits, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy = (logits.argmax(dim=1) == classes).float().mean()
        run.log({"loss": loss, "accuracy": accuracy, "lr": rate})
        tell(settings, step, loss=loss, accuracy=accuracy, lr=rate)
    run.finish()
