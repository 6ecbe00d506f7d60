"""A generator draws points on a ring of eight heaps and a critic tells them from true ones: a healthy pair.

Neither loss falls for good, for each is measured against the other; what improves is the distance of the drawn points to their heaps.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

HEAPS: Final = 8
SPREAD: Final = 0.1
BATCH: Final = 128
NOISE: Final = 8
WIDTH: Final = 64
LEARNING_RATE: Final = 1e-3


def network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, outputs))


def centres() -> Tensor:
    """The middles of the heaps (8, 2), on a circle of radius 2."""
    angles = torch.arange(HEAPS) * (2 * math.pi / HEAPS)
    return 2 * torch.stack([angles.cos(), angles.sin()], dim=1)


def points(randomness: torch.Generator) -> Tensor:
    """True points (BATCH, 2)."""
    chosen = torch.randint(0, HEAPS, (BATCH,), generator=randomness)
    return centres()[chosen] + SPREAD * torch.randn(BATCH, 2, generator=randomness)


def train(settings: Settings) -> None:
    run = begin(settings, "gan", batch=BATCH, lr=LEARNING_RATE)
    maker, critic = network(NOISE, 2), network(2, 1)
    making = torch.optim.Adam(maker.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.9))
    judging = torch.optim.Adam(critic.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.9))
    pair = nn.ModuleDict({"generator": maker, "discriminator": critic})  # held here: a run holds what it watches weakly
    run.watch(pair, making, judging)
    randomness = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        true, drawn = points(randomness), maker(torch.randn(BATCH, NOISE, generator=randomness))
        critic_loss = F.softplus(-critic(true)).mean() + F.softplus(critic(drawn.detach())).mean()
        judging.zero_grad()
        critic_loss.backward()
        judging.step()

        maker_loss = F.softplus(-critic(drawn)).mean()
        making.zero_grad()
        maker_loss.backward()
        making.step()

        distance = torch.cdist(drawn.detach(), centres()).amin(dim=1).mean()
        run.log({"loss/discriminator": critic_loss, "loss/generator": maker_loss, "distance": distance})
        tell(settings, step, discriminator=critic_loss, generator=maker_loss, distance=distance)
    run.finish()
