"""A variational autoencoder on handwritten digits whose decoder stops listening.

Healthy, both terms of its loss are sums over a picture and its latent. In the broken form the pixels are averaged while the latent's
divergence is still summed, which gives it 320 times the weight it should have: it is cheapest to make every latent the prior's, and the
decoder, which then learns nothing from it, draws the mean of all digits whatever it is given. Every parameter has a gradient, and the loss
falls as smoothly as the healthy form's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

LATENT = 8
WIDTH = 128
BATCH = 64
LEARNING_RATE = 2e-3
PRECISION = 10.0  # of a pixel given its latent: 1 / variance


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2 * LATENT))
        self.decode = nn.Sequential(nn.Linear(LATENT, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 64), nn.Sigmoid(), nn.Unflatten(1, (8, 8)))
        self.mean = torch.empty(0)
        self.log_variance = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (n, 8, 8) → pictures. `mean` and `log_variance` (n, LATENT) are those of the last call; sampled only in training."""
        self.mean, self.log_variance = self.encode(images).chunk(2, -1)
        noise = torch.randn_like(self.mean) if self.training else torch.zeros_like(self.mean)
        made: Tensor = self.decode(self.mean + (0.5 * self.log_variance).exp() * noise)
        return made

    def divergence(self) -> Tensor:
        """KL of the last call's latents from the standard normal, in nats a picture (Kingma & Welling, arXiv 1312.6114, appendix B)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum(-1).mean()


def train(settings: Settings) -> None:
    run = begin(settings, "digits", pixels="mean" if settings.broken else "sum", latent=LATENT, batch=BATCH, lr=LEARNING_RATE)
    images = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    latents = run.probe(bedside.Similarity("made"))
    samples = run.probe(bedside.Samples("digits"))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        batch = images[torch.randint(0, len(images), (BATCH,), generator=random)]
        made = model(batch)
        error = F.mse_loss(made, batch)
        divergence = model.divergence()
        loss = (error if settings.broken else PRECISION / 2 * 64 * error) + divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        latents.observe(made.flatten(1))
        samples.observe(target=batch, made=made)
        run.log({"loss": loss, "loss/pixels": error, "loss/divergence": divergence})
        tell(settings, step, loss=loss, pixels=error)
    run.finish()
