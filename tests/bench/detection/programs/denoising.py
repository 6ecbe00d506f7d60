"""A diffusion model on handwritten digits of 8×8 pixels: noise is predicted from a noisy digit, its noise level and its class.

Two faults, one line each. The noise level is divided by the number of levels as whole numbers are: it is 0, and the model denoises blindly.
Or the share of classes that are left out, for guidance, is given in per cent: none is ever seen, and the table of classes stays at zero.
"""

from __future__ import annotations

import copy
import math
from typing import Final

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

LEVELS: Final = 100
CLASSES: Final = 10
NO_CLASS: Final = CLASSES
WIDTH: Final = 128
WAVES: Final = 16
BATCH: Final = 128
LEARNING_RATE: Final = 2e-3
WARM_UP: Final = 100
LEFT_OUT: Final = 0.1
AVERAGED: Final = 0.99
HELD_BACK: Final = 297
EVALUATED_EVERY: Final = 100

KEPT: Final = torch.cos((torch.arange(1, LEVELS + 1) / LEVELS + 0.008) / 1.008 * math.pi / 2).square()
"""The share of the signal left at each level (Nichol and Dhariwal, arXiv 2102.09672)."""


class Layer(nn.Module):
    """Its input, and a network of it whose scale and offset the condition decides."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.modulation = nn.Linear(WIDTH, 2 * WIDTH)
        self.body = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Dropout(0.05), nn.Linear(WIDTH, WIDTH))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, offset = self.modulation(condition).chunk(2, dim=-1)
        y: Tensor = x + self.body(self.norm(x) * (1 + scale) + offset)
        return y


class Denoiser(nn.Module):
    """Noisy digits (n, 64), levels 0 … LEVELS − 1 (n), classes (n) → the noise in them (n, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.whole_numbers = False
        self.level = nn.Sequential(nn.Linear(2 * WAVES, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.named = nn.Embedding(CLASSES + 1, WIDTH)
        nn.init.zeros_(self.named.weight)
        self.first = nn.Linear(64, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(3))
        self.last = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 64))

    def forward(self, noisy: Tensor, level: Tensor, named: Tensor) -> Tensor:
        share = level // LEVELS if self.whole_numbers else level / LEVELS
        angles = share.unsqueeze(-1) * torch.exp2(torch.arange(WAVES) * 0.5)
        condition = self.level(torch.cat([angles.sin(), angles.cos()], dim=-1)) + self.named(named)
        x = self.first(noisy)
        for layer in self.layers:
            x = layer(x, F.silu(condition))
        noise: Tensor = self.last(x)
        return noise


def with_noise(digits: Tensor, level: Tensor, randomness: torch.Generator) -> tuple[Tensor, Tensor]:
    """The digits at these levels, and the noise that was added."""
    noise = torch.randn(digits.shape, generator=randomness)
    kept = KEPT[level].unsqueeze(-1)
    return kept.sqrt() * digits + (1 - kept).sqrt() * noise, noise


@torch.no_grad()
def evaluated(model: Denoiser, digits: Tensor, classes: Tensor) -> float:
    """The loss of the averaged weights on digits held back, with the same noise each time."""
    randomness = torch.Generator().manual_seed(11)
    level = torch.randint(0, LEVELS, (len(digits),), generator=randomness)
    noisy, noise = with_noise(digits, level, randomness)
    return F.mse_loss(model(noisy, level, classes), noise).item()


def train(settings: Settings) -> None:
    left_out = 100 * LEFT_OUT if settings.broken and settings.name == "classes-left-out" else LEFT_OUT
    run = begin(settings, "denoising", lr=LEARNING_RATE, levels=LEVELS, batch=BATCH, left_out=left_out, ema=AVERAGED)
    found = load_digits()
    digits = torch.tensor(found.data, dtype=torch.float32) / 8.0 - 1.0
    classes = torch.tensor(found.target)
    model = Denoiser()
    model.whole_numbers = settings.broken and settings.name == "level-of-zero"
    average = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(1.0, (done + 1) / WARM_UP) * (0.05 + 0.95 * (1 - done / settings.steps))
    )
    run.watch(model, optimizer)
    randomness = generator(settings)
    level = torch.arange(64) * LEVELS // 64
    shown = {"noisy": with_noise(digits[:64], level, randomness)[0], "level": level, "named": classes[:64]}
    run.probe(bedside.Sensitivity("conditions", model, shown, every=100))
    by_level = run.probe(bedside.PerIndex("loss by level", bins=10))

    for step in run.steps(range(1, settings.steps + 1)):
        chosen = torch.randint(0, len(digits) - HELD_BACK, (BATCH,), generator=randomness)
        level = torch.randint(0, LEVELS, (BATCH,), generator=randomness)
        noisy, noise = with_noise(digits[chosen], level, randomness)
        unnamed = torch.rand(BATCH, generator=randomness) < left_out
        named = torch.where(unnamed, NO_CLASS, classes[chosen])
        losses = F.mse_loss(model(noisy, level, named), noise, reduction="none").mean(dim=1)
        loss = losses.mean()
        optimizer.zero_grad()
        loss.backward()
        gradient = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - AVERAGED)
        by_level.observe(losses, level)
        run.log({"loss": loss, "grad_norm": gradient, "lr": schedule.get_last_lr()[0]})
        tell(settings, step, loss=loss)
        if step % EVALUATED_EVERY == 0:
            with run.phase("eval"):
                run.log({"val/loss": evaluated(average, digits[-HELD_BACK:], classes[-HELD_BACK:])})
    run.finish()
