"""Handwritten digits read row by row: a net that mixes rows, and an attention branch beside it which learns from the third epoch on.

Until then the branch must be an identity, which its output layer is where it begins at zero. In the broken form that layer begins like
any other: attention that has learned nothing is all but uniform, and its mixture of random values is added to every row from step 1. The
loss falls in both forms, to nearly the same value: the net learns around the noise. That it has to is seen in the branch alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

ROWS = 8
WIDTH = 48
BATCH = 64
LEARNING_RATE = 2e-3
STEPS_AN_EPOCH = 100
LEARNS = 2  # the epoch, counted from 0, in which the branch begins to learn


class Branch(nn.Module):
    """Attention over the rows, added to them."""

    def __init__(self, *, identity: bool) -> None:
        super().__init__()
        self.queries, self.keys, self.values, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.attention = torch.empty(0)
        if identity:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, ROWS, WIDTH) → the same; `attention` (n, ROWS, ROWS) is that of the last call."""
        logits = self.queries(rows) @ self.keys(rows).mT / WIDTH**0.5
        self.attention = logits.softmax(-1)
        y: Tensor = rows + self.out(self.attention @ self.values(rows))
        return y


class Reader(nn.Module):
    def __init__(self, *, identity: bool) -> None:
        super().__init__()
        self.rows = nn.Linear(8, WIDTH)
        self.place = nn.Parameter(0.5 * torch.randn(ROWS, WIDTH))
        self.body = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH))
        self.head = nn.Sequential(nn.LayerNorm(ROWS * WIDTH), nn.Linear(ROWS * WIDTH, 10))
        self.branch = Branch(identity=identity)

    def forward(self, images: Tensor) -> Tensor:
        """(n, ROWS, 8) → logits (n, 10)."""
        rows = self.rows(images) + self.place
        logits: Tensor = self.head(self.branch(rows + self.body(rows)).flatten(1))
        return logits


def train(settings: Settings) -> None:
    run = begin(settings, "rows", zero_init=not settings.broken, learns_from_epoch=LEARNS, batch=BATCH, lr=LEARNING_RATE)
    digits = load_digits()
    images, labels = torch.tensor(digits.images, dtype=torch.float32) / 16, torch.tensor(digits.target)
    model = Reader(identity=not settings.broken)
    model.branch.requires_grad_(False)  # until its epoch it does not learn
    others = [parameter for name, parameter in model.named_parameters() if not name.startswith("branch.")]
    optimizer = torch.optim.Adam(others, lr=LEARNING_RATE)
    run.watch(model, optimizer)
    run.probe(bedside.Contribution("branch", model.branch, inactive_until=bedside.epoch(LEARNS)))
    looks = run.probe(bedside.Attention("branch attention"))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        epoch, within = divmod(step - 1, STEPS_AN_EPOCH)
        if within == 0:
            run.epoch(epoch)
            if epoch == LEARNS:
                model.branch.requires_grad_(True)
                optimizer.add_param_group({"params": list(model.branch.parameters())})
        batch = torch.randint(0, len(images), (BATCH,), generator=random)
        logits = model(images[batch])
        loss = F.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        looks.observe(model.branch.attention.unsqueeze(1))
        run.log({"loss": loss, "accuracy": (logits.argmax(-1) == labels[batch]).float().mean()})
        tell(settings, step, loss=loss)
    run.finish()
