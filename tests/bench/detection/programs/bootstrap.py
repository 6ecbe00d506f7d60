"""Two views of a digit are made to agree, without labels: a network predicts what its own slow average says of the other view (BYOL).

Two faults, one line each. The network itself stands in the place of its average, and the gradient goes through both sides: all digits
become one vector. Or, at half of the run, a second stage compares the two views directly, without predictor and average. A classifier by
nearest neighbours tells, every so often, what is kept of the digits.
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

BATCH: Final = 96
WIDTH: Final = 192
OUT: Final = 32
LEARNING_RATE: Final = 1e-3
FOLLOWS: Final = 0.98
HELD_BACK: Final = 397
NEIGHBOURS: Final = 5
EVALUATED_EVERY: Final = 75


class Network(nn.Module):
    """Pictures (n, 1, 8, 8) → what is kept of them (n, WIDTH) → what is compared (n, OUT)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 48, 3, stride=2, padding=1), nn.BatchNorm2d(48),
            nn.ReLU(), nn.Flatten(), nn.Linear(48 * 16, WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.projector = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, OUT))

    def forward(self, images: Tensor) -> Tensor:
        projected: Tensor = self.projector(self.encoder(images))
        return projected


def view(images: Tensor, randomness: torch.Generator) -> Tensor:
    """Each picture moved by at most a pixel either way, its contrast changed, with a little noise and one row or column wiped."""
    n = len(images)
    wide = F.pad(images.squeeze(1), (1, 1, 1, 1))
    across, down = torch.randint(0, 3, (2, n, 1, 1), generator=randomness)
    place = torch.arange(8)
    moved = wide[torch.arange(n).view(n, 1, 1), down + place.view(1, 8, 1), across + place.view(1, 1, 8)]
    moved = moved * (0.7 + 0.6 * torch.rand(n, 1, 1, generator=randomness)) + 0.1 * torch.randn(n, 8, 8, generator=randomness)
    wiped = torch.randint(0, 16, (n, 1, 1), generator=randomness)
    moved = moved * ((place.view(1, 8, 1) != wiped) & (place.view(1, 1, 8) + 8 != wiped))
    return moved.unsqueeze(1)


def disagreement(predicted: Tensor, seen: Tensor) -> Tensor:
    """2 − 2 cos, the mean over pairs: 0 where both point the same way."""
    return 2 - 2 * F.cosine_similarity(predicted, seen, dim=1).mean()


@torch.no_grad()
def neighbours(model: Network, images: Tensor, classes: Tensor) -> float:
    """The share of the digits held back whose class is that of most of their nearest neighbours among the others."""
    model.eval()
    kept = F.normalize(model.encoder(images), dim=1)
    model.train()
    near = (kept[-HELD_BACK:] @ kept[:-HELD_BACK].T).topk(NEIGHBOURS).indices
    said = classes[near].mode().values
    return (said == classes[-HELD_BACK:]).float().mean().item()


def train(settings: Settings) -> None:
    run = begin(settings, "bootstrap", lr=LEARNING_RATE, batch=BATCH, follows=FOLLOWS)
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32).unsqueeze(1) / 16.0
    classes = torch.tensor(found.target)
    model = Network()
    predictor = nn.Sequential(nn.Linear(OUT, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, OUT))
    both = nn.ModuleDict({"network": model, "predictor": predictor})
    teacher = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(both.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, settings.steps + 1, pct_start=0.1)
    run.watch(both, optimizer)
    vectors = run.probe(bedside.Similarity("projections", every=25))
    randomness = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        faulty = settings.broken and step >= settings.fault_at
        alone = faulty and settings.name == "no-stop-gradient"
        bypassed = faulty and settings.name == "predictor-bypassed"
        chosen = images[torch.randint(0, len(images) - HELD_BACK, (BATCH,), generator=randomness)]
        one, other = view(chosen, randomness), view(chosen, randomness)
        projected, opposite = model(one), model(other)
        judge = model if alone or bypassed else teacher
        seen, beside = (opposite, projected) if judge is model else (judge(other), judge(one))
        says = nn.Identity() if bypassed else predictor
        loss = (disagreement(says(projected), seen) + disagreement(says(opposite), beside)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        follows = 1 - (1 - FOLLOWS) * (1 + math.cos(math.pi * step / settings.steps)) / 2
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - follows)
        vectors.observe(projected)
        run.log({"loss": loss, "lr": schedule.get_last_lr()[0], "ema": follows})
        tell(settings, step, loss=loss, spread=F.normalize(projected, dim=1).std(dim=0).mean())
        if step % EVALUATED_EVERY == 0:
            with run.phase("eval"):
                run.log({"val/accuracy": neighbours(model, images, classes)})
    run.finish()
