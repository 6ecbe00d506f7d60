"""A small attention network learns to continue digits row by row, and at step 26, for the first time, shows what it would draw.

Drawing reads keys and values of the rows before from a cache. The healthy form makes the cache first; the broken one forgot to, and a
mode that nobody had tried ends the training with `KeyError: 'kv_cache'`.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.digits import batches, digits
from bedside.cases.training import begin, tell

ROWS: Final = 8
WIDTH: Final = 64
LEARNING_RATE: Final = 3e-3
SAMPLE_EVERY: Final = 26

State = dict[str, list[tuple[Tensor, Tensor]]]


class Rows(nn.Module):
    """Rows of pixels (n, t, 8) → the next row after each (n, t, 8), by one layer of causal attention."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(ROWS, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn(ROWS, WIDTH))
        self.queries, self.keys, self.values = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(3))
        self.leave = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, ROWS))

    def forward(self, rows: Tensor) -> Tensor:
        x = self.enter(rows) + self.place[: rows.shape[1]]
        seen = F.scaled_dot_product_attention(self.queries(x), self.keys(x), self.values(x), is_causal=True)
        following: Tensor = self.leave(x + seen)
        return following

    def next_row(self, row: Tensor, at: int, state: State) -> Tensor:
        """One row (n, 8) at place `at` → the next (n, 8). The keys and values of earlier rows come from `state` and are kept there."""
        x = self.enter(row) + self.place[at]
        cache = state["kv_cache"]
        cache.append((self.keys(x), self.values(x)))
        keys, values = (torch.stack(kept, dim=1) for kept in zip(*cache, strict=True))
        seen = F.scaled_dot_product_attention(self.queries(x).unsqueeze(1), keys, values).squeeze(1)
        following: Tensor = self.leave(x + seen)
        return following


@torch.no_grad()
def draw(model: Rows, first: Tensor, state: State) -> Tensor:
    """Pictures (n, 8, 8) from their first rows (n, 8)."""
    rows = [first]
    for at in range(ROWS - 1):
        rows.append(model.next_row(rows[-1], at, state))
    return torch.stack(rows, dim=1)


def train(settings: Settings) -> None:
    run = begin(settings, "rows", lr=LEARNING_RATE, sample_every=SAMPLE_EVERY)
    model = Rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    for step, (images, _) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        rows = images.squeeze(1)
        loss = F.mse_loss(model(rows[:, :-1]), rows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        row = {"loss": loss.detach()}
        if step % SAMPLE_EVERY == 0:
            state: State = {} if settings.broken else {"kv_cache": []}
            row["eval/drawn"] = F.mse_loss(draw(model, rows[:, 0], state), rows)
        run.log(row)
        tell(settings, step, loss=loss)
    run.finish()
