"""Pairs of a key and a value, and a query that names one key: what is its value? Attention by cosine has to find it.

Cosines lie between -1 and 1, so they need a temperature far below 1 to say anything to a softmax over 64 keys. In the broken form it was
forgotten: weights stay within a factor of e² of each other and attention is uniform for good, whatever is learned. The loss falls,
slower than in the healthy form: a mean over all values says which are frequent, and a little of the rest seeps through.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

PAIRS = 64
VALUES = 16
SIZE = 24
WIDTH = 32
HEADS = 2
BATCH = 64
LEARNING_RATE = 3e-3
TEMPERATURE = 0.05


def questions(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keys (BATCH, PAIRS, SIZE), values (BATCH, PAIRS), queries (BATCH, SIZE) that resemble one key each, and that key's value (BATCH)."""
    keys = torch.randn(BATCH, PAIRS, SIZE, generator=random)
    values = torch.randint(0, VALUES, (BATCH, PAIRS), generator=random)
    asked = torch.randint(0, PAIRS, (BATCH,), generator=random)
    queries = keys[torch.arange(BATCH), asked] + 0.2 * torch.randn(BATCH, SIZE, generator=random)
    return keys, values, queries, values[torch.arange(BATCH), asked]


class Retriever(nn.Module):
    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.ask = nn.Linear(SIZE, HEADS * WIDTH)
        self.key = nn.Linear(SIZE, HEADS * WIDTH)
        self.value = nn.Embedding(VALUES, WIDTH)
        self.head = nn.Sequential(nn.Linear(HEADS * WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, VALUES))

    def forward(self, keys: Tensor, values: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, VALUES), and the attention (n, HEADS, 1, PAIRS) they come from."""
        q = F.normalize(self.ask(queries).unflatten(-1, (HEADS, 1, WIDTH)), dim=-1)
        k = F.normalize(self.key(keys).unflatten(-1, (HEADS, WIDTH)).transpose(1, 2), dim=-1)
        attention = (q @ k.mT / self.temperature).softmax(-1)
        found = attention @ self.value(values).unsqueeze(1)
        return self.head(found.flatten(1)), attention


def train(settings: Settings) -> None:
    temperature = 1.0 if settings.broken else TEMPERATURE
    run = begin(settings, "retrieval", temperature=temperature, pairs=PAIRS, batch=BATCH, lr=LEARNING_RATE)
    model = Retriever(temperature)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    looks = run.probe(bedside.Attention("reader", every=50))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        keys, values, queries, wanted = questions(random)
        logits, attention = model(keys, values, queries)
        loss = F.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        looks.observe(attention)
        run.log({"loss": loss, "accuracy": (logits.argmax(-1) == wanted).float().mean()})
        tell(settings, step, loss=loss)
    run.finish()
