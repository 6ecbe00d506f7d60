"""Handwritten digits through twelve numbers and back: an autoencoder whose decoder begins with a blank canvas and a gate at zero.

What the twelve numbers say is added to the canvas through the gate, which learns to open (ReZero: Bachlechner et al., arXiv 2003.04887). In
the broken form the gate is a tensor and no parameter: nothing trains it, it stays shut, and the decoder draws the mean of all digits
whatever it is given. The loss falls all the same, smoothly, to a plateau that could well be the twelve numbers' fault.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

NUMBERS = 12
WIDTH = 384
BATCH = 256
LEARNING_RATE = 2e-3


class Autoencoder(nn.Module):
    def __init__(self, *, learned_gate: bool) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, NUMBERS))
        self.project = nn.Linear(NUMBERS, WIDTH)
        self.canvas = nn.Parameter(torch.randn(WIDTH))
        self.gate = nn.Parameter(torch.zeros(())) if learned_gate else torch.zeros(())
        self.draw = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 64), nn.Sigmoid(), nn.Unflatten(1, (8, 8)))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (n, 8, 8) with values in 0 … 1 → the same, made again."""
        made: Tensor = self.draw(self.canvas + self.gate * self.project(self.encode(images)))
        return made


def train(settings: Settings) -> None:
    run = begin(settings, "digits", gate="tensor" if settings.broken else "parameter", numbers=NUMBERS, batch=BATCH, lr=LEARNING_RATE)
    images = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    model = Autoencoder(learned_gate=not settings.broken)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    alike = run.probe(bedside.Similarity("made"))
    samples = run.probe(bedside.Samples("digits", every=100))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        batch = images[torch.randint(0, len(images), (BATCH,), generator=random)]
        made = model(batch)
        loss = F.mse_loss(made, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        alike.observe(made.flatten(1))
        samples.observe(target=batch, made=made)
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
