"""A recurrent network predicts the next row of digits: of the first four rows of one, or of a strip of four, which has 32.

Which of the two is drawn at random each step. A long strip costs many times more, for its error is the sum over its rows; both are
logged under one name, each with its length as its group. Healthy.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.digits import digits
from bedside.cases.training import begin, generator, tell

SHORT: Final = 4
LONG: Final = 32
BATCH: Final = 32
WIDTH: Final = 64
LEARNING_RATE: Final = 2e-3


class Recurrent(nn.Module):
    """Rows of pixels (n, t, 8) → the row after each (n, t, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(8, WIDTH, batch_first=True)
        self.leave = nn.Linear(WIDTH, 8)

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = self.leave(self.memory(rows)[0])
        return made


def strips(images: Tensor, length: int, randomness: torch.Generator) -> Tensor:
    """Digits under each other, cut to `length` rows (BATCH, length, 8); the long ones hold the turns from one digit to the next."""
    digits_each = -(-length // 8)
    chosen = torch.randint(0, len(images), (BATCH, digits_each), generator=randomness)
    return images[chosen].reshape(BATCH, digits_each * 8, 8)[:, :length]


def train(settings: Settings) -> None:
    run = begin(settings, "rows", lr=LEARNING_RATE, short=SHORT, long=LONG)
    model = Recurrent()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    images, randomness = digits()[0].squeeze(1), generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        length = LONG if float(torch.rand((), generator=randomness)) < 0.5 else SHORT
        rows = strips(images, length, randomness)
        loss = F.mse_loss(model(rows[:, :-1]), rows[:, 1:], reduction="none").sum(dim=(1, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss}, group={"T": length})
        tell(settings, step, length=length, loss=loss)
    run.finish()
