"""Two looks at a field of 49 places: a coarse one with a fixed query, and a fine one whose query comes from the question asked.

The question names a place; the answer is what lies there. Both looks answer it, and are trained on it. In the broken form the softmax runs
over the queries instead of the places: there is one query, every weight is 1, and what is found is the sum of all places, whatever was
asked. Both losses fall, for a sum still says what is frequent in a field; they fall together, and their ratio is 1 but for the dropout's
noise. In the healthy form the fine look leaves the coarse one behind within the first hundred steps. An attention
probe beside it can only say that the broken form's weights do not sum to 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

PLACES = 49
THINGS = 8
WIDTH = 48
BATCH = 64
LEARNING_RATE = 2e-3
OVER_PLACES, OVER_QUERIES = -1, -2


def questions(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Fields (BATCH, PLACES), each with a few things more frequent than the rest; the places asked for and what is there (BATCH)."""
    shares = torch.rand(BATCH, THINGS, generator=random).pow(3) + 0.02
    fields = torch.multinomial(shares, PLACES, replacement=True, generator=random)
    asked = torch.randint(0, PLACES, (BATCH,), generator=random)
    return fields, asked, fields[torch.arange(BATCH), asked]


class Fovea(nn.Module):
    def __init__(self, softmax_over: int) -> None:
        super().__init__()
        self.softmax_over = softmax_over
        self.thing = nn.Embedding(THINGS, WIDTH)
        self.place = nn.Parameter(torch.randn(PLACES, WIDTH))
        self.coarse = nn.Parameter(torch.randn(1, WIDTH))
        self.question = nn.Sequential(nn.Embedding(PLACES, WIDTH), nn.Linear(WIDTH, WIDTH))
        self.answer = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.1), nn.Linear(WIDTH, THINGS)
        )  # fmt: skip

    def look(self, fields: Tensor, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fields (n, PLACES), queries (1 or n, WIDTH) → answers (n, THINGS), features (n, WIDTH), attention (n, 1, PLACES)."""
        logits = (queries.unsqueeze(1) @ self.place.T / WIDTH**0.5).expand(len(fields), -1, -1)
        attention = logits.softmax(self.softmax_over)
        features = (attention @ self.thing(fields)).squeeze(1)
        return self.answer(features), features, attention


def train(settings: Settings) -> None:
    softmax_over = OVER_QUERIES if settings.broken else OVER_PLACES
    run = begin(settings, "fovea", softmax_over=softmax_over, places=PLACES, batch=BATCH, lr=LEARNING_RATE)
    model = Fovea(softmax_over)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    run.probe(bedside.Ratio("gain", "loss/coarse", "loss/fine", success=1.05, strong=1.15, every=250))
    features = run.probe(bedside.Similarity("features"))
    looks = run.probe(bedside.Attention("fine look"))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        fields, asked, wanted = questions(random)
        guess, seen, _ = model.look(fields, model.coarse)
        better_guess, seen_better, attention = model.look(fields, model.question(asked))
        coarse, fine = F.cross_entropy(guess, wanted), F.cross_entropy(better_guess, wanted)
        optimizer.zero_grad()
        (coarse + fine).backward()
        optimizer.step()
        features.observe(seen, seen_better)
        looks.observe(attention.unsqueeze(1))
        run.log({"loss/coarse": coarse, "loss/fine": fine})
        tell(settings, step, coarse=coarse, fine=fine)
    run.finish()
