"""Two things are told of a picture of a digit: which it is, and whether a scratch damaged it, which is rare and hard to see.

Two faults, one line each. The rare class is weighted by its share instead of by the inverse: the cheapest answer is *whole* for everything,
right in 92 of 100. Or the head for digits is made anew when the training goes on from its checkpoint, after the optimizer was
made: nobody moves the new one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

CLASSES: Final = 10
BATCH: Final = 96
DAMAGED: Final = 0.08
NOISE: Final = 0.08
SCRATCH: Final = 0.5
LEARNING_RATE: Final = 1.5e-3
WARM_UP: Final = 50
HELD_BACK: Final = 397
LOGGED_EVERY: Final = 2
EVALUATED_EVERY: Final = 80
SAVED_AT: Final = 400
INTERRUPTED_AT: Final = 450


class Inspector(nn.Module):
    """Pictures (n, 1, 8, 8) → logits of the digit (n, CLASSES) and of *whole* and *damaged* (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(32 * 16, 128), nn.ReLU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.digit = nn.Linear(128, CLASSES)
        self.damage = nn.Linear(128, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.trunk(images)
        return self.digit(kept), self.damage(kept)


def scratched(images: Tensor, randomness: torch.Generator) -> tuple[Tensor, Tensor]:
    """The pictures (n, 1, 8, 8) with noise, a faint scratch of four pixels across some, and which those are (n)."""
    n = len(images)
    damaged = torch.rand(n, generator=randomness) < DAMAGED
    row, column = torch.randint(0, 5, (2, n, 1), generator=randomness)
    diagonal = torch.arange(4)
    made = images.squeeze(1) + NOISE * torch.randn(n, 8, 8, generator=randomness)
    made[torch.arange(n).unsqueeze(1), row + diagonal, column + diagonal] += SCRATCH * damaged.unsqueeze(1)
    return made.unsqueeze(1), damaged.long()


@torch.no_grad()
def evaluated(model: Inspector, images: Tensor, digits: Tensor, weights: Tensor) -> dict[str, float]:
    """Both losses on pictures held back, with the same scratches each time; and the share of the damaged that is found."""
    made, damaged = scratched(images, torch.Generator().manual_seed(3))
    model.eval()
    digit, damage = model(made)
    model.train()
    loss = F.cross_entropy(digit, digits) + F.cross_entropy(damage, damaged, weight=weights)
    right = (digit.argmax(dim=1) == digits).float().mean()
    found = damage.argmax(dim=1)[damaged == 1].float().mean()
    return {"val/loss": loss.item(), "val/accuracy": right.item(), "val/recall": found.item()}


def train(settings: Settings) -> None:
    run = begin(settings, "inspection", lr=LEARNING_RATE, batch=BATCH, damaged=DAMAGED)
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16.0
    digits = torch.tensor(data.target)
    shares = torch.tensor([1 - DAMAGED, DAMAGED])
    weights = shares if settings.broken and settings.name == "weights-not-inverted" else 1 / shares
    weights = weights / weights.sum()
    model = Inspector()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    balance = run.probe(bedside.ClassBalance("damage", ["whole", "damaged"], every=25, window=2000))
    randomness = generator(settings)

    def part(begin_at: int, end: int) -> None:
        """Train from step `begin_at` to step `end`, with a checkpoint on the way."""
        for step in run.steps(range(begin_at + 1, end + 1), start=begin_at):
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, step / WARM_UP)
            chosen = torch.randint(0, len(images) - HELD_BACK, (BATCH,), generator=randomness)
            made, damaged = scratched(images[chosen], randomness)
            digit, damage = model(made)
            of_digit = F.cross_entropy(digit, digits[chosen])
            of_damage = F.cross_entropy(damage, damaged, weight=weights)
            loss = of_digit + of_damage
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            balance.observe(damage, damaged)
            if step % LOGGED_EVERY == 0:
                run.log({"loss": loss, "loss/digit": of_digit, "loss/damage": of_damage})
            tell(settings, step, digit=of_digit, damage=of_damage)
            if step % EVALUATED_EVERY == 0:
                with run.phase("eval"):
                    run.log(evaluated(model, images[-HELD_BACK:], digits[-HELD_BACK:], weights))
            if step == SAVED_AT:
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, checkpoint)

    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "saved.pt"
        part(0, min(INTERRUPTED_AT, settings.steps))
        if settings.steps > INTERRUPTED_AT:
            saved = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            if settings.broken and settings.name == "head-made-anew":
                model.digit = nn.Linear(128, CLASSES)
            run.event("resume", step=SAVED_AT)
            part(SAVED_AT, settings.steps)
    run.finish()
