"""A mixture of experts names digits: each row of a digit is sent to one of eight experts, after a layer in which the rows see each other.

The router is kept from favouring experts by a loss of balance (Fedus et al., arXiv 2101.03961), whose weight falls while they
specialise. The fault is one line: the weight falls on below zero instead of staying at its last value. What was discouraged is rewarded,
and one expert takes everything.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

EXPERTS: Final = 8
WIDTH: Final = 48
CLASSES: Final = 10
BATCH: Final = 64
LEARNING_RATE: Final = 2e-3
BALANCE: Final = 0.2
LEAST_BALANCE: Final = 0.05
FALLS_FOR: Final = 300
PERIOD: Final = 300
HELD_BACK: Final = 297
EVALUATED_EVERY: Final = 100


class Experts(nn.Module):
    """Rows (n, places, WIDTH) → what its expert makes of each, times the chance; the choices (n · places); the balance: 1 at best."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.first = nn.Parameter(torch.randn(EXPERTS, WIDTH, WIDTH) * WIDTH**-0.5)
        self.second = nn.Parameter(torch.randn(EXPERTS, WIDTH, WIDTH) * WIDTH**-0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows = x.reshape(-1, WIDTH)
        logits = self.router(rows)
        if self.training:
            logits = logits + 0.1 * torch.randn_like(logits)
        chances = logits.softmax(-1)
        chance, chosen = chances.max(dim=-1)
        made = torch.zeros_like(rows)
        for expert in range(EXPERTS):
            mine = chosen == expert
            made[mine] = F.gelu(rows[mine] @ self.first[expert]) @ self.second[expert]
        share = F.one_hot(chosen, EXPERTS).float().mean(dim=0)
        return (chance.unsqueeze(-1) * made).view_as(x), chosen, EXPERTS * (share * chances.mean(dim=0)).sum()


class Classifier(nn.Module):
    """Pictures (n, 8, 8) → logits (n, CLASSES), the experts chosen for the rows, the balance."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(8, WIDTH)
        self.places = nn.Parameter(torch.randn(8, WIDTH) * 0.5)
        self.mixed = nn.Linear(8, 8)
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.experts = Experts()
        self.output = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(8 * WIDTH, CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.rows(images) + self.places
        x = x + self.mixed(self.before(x).transpose(1, 2)).transpose(1, 2)
        added, chosen, balance = self.experts(self.between(x))
        return self.output(x + added), chosen, balance


def weight_of_balance(step: int, *, stays: bool) -> float:
    falling = BALANCE - (BALANCE - LEAST_BALANCE) * step / FALLS_FOR
    return max(LEAST_BALANCE, falling) if stays else falling


@torch.no_grad()
def evaluated(model: Classifier, images: Tensor, classes: Tensor) -> dict[str, float]:
    model.eval()
    logits, _, _ = model(images)
    model.train()
    right = (logits.argmax(dim=1) == classes).float().mean()
    return {"val/loss": F.cross_entropy(logits, classes).item(), "val/accuracy": right.item()}


def train(settings: Settings) -> None:
    run = begin(settings, "experts", lr=LEARNING_RATE, experts=EXPERTS, balance=BALANCE, period=PERIOD)
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32) / 16.0
    classes = torch.tensor(found.target)
    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, PERIOD, eta_min=LEARNING_RATE / 10)
    run.watch(model, optimizer)
    used = run.probe(bedside.Codebook("experts", size=EXPERTS, every=25))
    randomness = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        picked = torch.randint(0, len(images) - HELD_BACK, (BATCH,), generator=randomness)
        blurred = images[picked] + 0.15 * torch.randn(BATCH, 8, 8, generator=randomness)
        logits, chosen, balance = model(blurred)
        weight = weight_of_balance(step, stays=not settings.broken)
        named = F.cross_entropy(logits, classes[picked])
        loss = named + weight * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        used.observe(chosen)
        if step % 5 == 0:
            run.log({"loss": loss, "loss/class": named, "balance": balance, "lr": schedule.get_last_lr()[0]})
        tell(settings, step, loss=loss, named=named, balance=balance, weight=weight)
        if step % EVALUATED_EVERY == 0:
            with run.phase("eval"):
                run.log(evaluated(model, images[-HELD_BACK:], classes[-HELD_BACK:]))
    run.finish()
