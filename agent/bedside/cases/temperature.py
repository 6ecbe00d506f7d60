"""An autoencoder of digits with a discrete bottleneck, 16 choices of 16 each, whose temperature is declared to fall from 1.0 to 0.1.

At its middle the training is saved and goes on from what was saved, as after a requeue. The broken form takes the temperature back
with the rest of the state and never asks the schedule again: it stays where it was, while the log of the settings says otherwise.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.digits import batches, digits
from bedside.cases.training import begin, tell

CHOICES: Final = 16
OF: Final = 16
WIDTH: Final = 128
LEARNING_RATE: Final = 1e-3
FIRST: Final = 1.0
LAST: Final = 0.1


class Autoencoder(nn.Module):
    """Pictures (n, 1, 8, 8) → choices (n, 16, 16) drawn at a temperature → pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CHOICES * OF))
        self.decoder = nn.Sequential(nn.Linear(CHOICES * OF, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, images: Tensor, temperature: float) -> Tensor:
        logits = self.encoder(images).unflatten(1, (CHOICES, OF))
        made: Tensor = self.decoder(F.gumbel_softmax(logits, tau=temperature, dim=-1).flatten(1))
        return made


def train(settings: Settings) -> None:
    def declared(step: int) -> float:
        """From 1.0 down to 0.1 by the same share each step, over the whole training."""
        return FIRST * float((LAST / FIRST) ** (step / settings.steps))

    run = begin(settings, "discrete", lr=LEARNING_RATE, temperature_first=FIRST, temperature_last=LAST)
    run.probe(bedside.Schedule("temperature", "temperature", declared))
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    locked = False
    temperature = FIRST
    for step, (images, _) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        if step == settings.fault_at:
            run.event("resume", temperature=temperature)
            locked = settings.broken
        if not locked:
            temperature = declared(step)
        loss = F.mse_loss(model(images, temperature), images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss, "temperature": temperature})
        tell(settings, step, loss=loss, temperature=temperature)
    run.finish()
