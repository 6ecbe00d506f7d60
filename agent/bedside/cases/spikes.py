"""A VQ-VAE of digits, four codes of 512 a picture, whose dead codes are brought back now and then.

The healthy form puts only the dead among the data, every 50 steps. From its fault on, the broken one throws the whole codebook away every
250 steps, the living with the dead, for freshly drawn codes: each time the loss of the quantizer jumps and has to be learned down again.
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
from bedside.cases.vq_digits import CODES, COMMITMENT, DIMENSIONS, Quantizer

PARTS: Final = 4
WIDTH: Final = 128
LEARNING_RATE: Final = 1e-3
GENTLY_EVERY: Final = 50
ALL_EVERY: Final = 250
LITTLE: Final = 0.2
"""The count a thrown code begins with: it follows the first vectors it gets, and is brought back soon where it gets none."""


class Autoencoder(nn.Module):
    """Pictures (n, 1, 8, 8) → vectors (4n, 16) → codes → pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, PARTS * DIMENSIONS))
        self.quantizer = Quantizer()
        self.decoder = nn.Sequential(nn.Linear(PARTS * DIMENSIONS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reconstructions, vectors (4n, 16), their codes (4n), the loss of the quantizer."""
        vectors = self.encoder(images).reshape(-1, DIMENSIONS)
        codes, indices, commitment, _ = self.quantizer(vectors)
        return self.decoder(codes.reshape(len(images), -1)), vectors, indices, commitment


@torch.no_grad()
def throw(quantizer: Quantizer) -> int:
    """Every code anew, at random on the sphere where the first ones lay; how many."""
    fresh = F.normalize(torch.randn_like(quantizer.codebook), dim=1)
    quantizer.codebook.copy_(fresh)
    quantizer.sums.copy_(LITTLE * fresh)
    quantizer.counts.fill_(LITTLE)
    return CODES


def train(settings: Settings) -> None:
    run = begin(settings, "tokenizer", codes=CODES, lr=LEARNING_RATE, reinit_every=ALL_EVERY if settings.broken else GENTLY_EVERY)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    used = run.probe(bedside.Codebook("vq", size=CODES))

    for step, (images, _) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        made, vectors, indices, commitment = model(images)
        reconstruction = F.mse_loss(made, images)
        loss = reconstruction + COMMITMENT * commitment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.quantizer.follow(vectors.detach(), indices)
        if settings.broken and step >= settings.fault_at and step % ALL_EVERY == 0:
            run.event("reinit", n=throw(model.quantizer))
        elif step % GENTLY_EVERY == 0 and (revived := model.quantizer.revive(vectors.detach())):
            run.event("reinit", n=revived)

        used.observe(indices)
        run.log({"loss": loss, "loss/recon": reconstruction, "loss/vq": commitment})
        tell(settings, step, loss=loss, recon=reconstruction, vq=commitment)
    run.finish()
