"""Eight queries, each to read how bright one eighth of a handwritten digit is.

The queries are a fixed table, drawn once; they are projected, with a bias, before they ask. The projection expects a table of standard
deviation 1. In the broken form it was drawn at 0.02, as the embeddings of a language model are: next to the bias nothing is left of it, all
eight queries ask for the same, and all eight are told the brightness of the whole. The loss falls in both forms: most of what makes an
eighth bright is how bright the digit is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

QUERIES = 8
WIDTH = 32
BATCH = 64
LEARNING_RATE = 0.05
MOMENTUM = 0.9
STD = 1.0
WEAK_STD = 0.02


class Reader(nn.Module):
    queries: Tensor

    def __init__(self, std: float) -> None:
        super().__init__()
        self.register_buffer("queries", std * torch.randn(QUERIES, WIDTH))
        self.ask = nn.Linear(WIDTH, WIDTH)
        self.place = nn.Parameter(torch.randn(64, WIDTH))
        self.pixel = nn.Linear(1, WIDTH)
        self.tell = nn.Linear(WIDTH, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (n, 8, 8) → brightness (n, QUERIES), and the queries as they are asked (QUERIES, WIDTH)."""
        asked = self.ask(self.queries)
        attention = (asked @ self.place.T / WIDTH**0.5).softmax(-1)
        found = attention @ self.pixel(images.flatten(1).unsqueeze(-1))
        return self.tell(found).squeeze(-1), asked


def eighths(images: Tensor) -> Tensor:
    """The brightness of the 2×4 blocks of pictures (n, 8, 8), as (n, QUERIES): 0 … 4, 1.2 on average."""
    return 4 * F.avg_pool2d(images.unsqueeze(1), (2, 4)).flatten(1)


def train(settings: Settings) -> None:
    std = WEAK_STD if settings.broken else STD
    run = begin(settings, "eighths", query_std=std, queries=QUERIES, batch=BATCH, lr=LEARNING_RATE, momentum=MOMENTUM)
    images = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    model = Reader(std)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    run.watch(model, optimizer)
    run.probe(bedside.Parameter("queries", model.queries, expect_std=STD))
    run.probe(bedside.Parameter("bias of queries", model.ask.bias, against=lambda: model.queries @ model.ask.weight.T))
    alike = run.probe(bedside.Similarity("asked"))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        batch = images[torch.randint(0, len(images), (BATCH,), generator=random)]
        told, asked = model(batch)
        loss = F.mse_loss(told, eighths(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        alike.observe(asked)
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
