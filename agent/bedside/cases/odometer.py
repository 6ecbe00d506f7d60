"""Where is it now? A recurrent net is told where something starts, then only how far it moves at each of sixteen frames.

It has to keep the position itself. In the broken form the state is made anew at every frame instead of being passed on: what is known
is the start and the last move, nearly enough for the first frames and less and less for later ones. The loss, a mean over all frames,
falls in both forms; that it stops higher looks like a harder task. The profile over frames is flat in one and climbs in the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

FRAMES = 16
WIDTH = 48
BATCH = 64
LEARNING_RATE = 4e-3
MOVE = 0.3
UNSTEADY = 0.3  # standard deviation of what cannot be predicted about a position, the same at every frame


def walks(random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Starts (BATCH, 2), moves (BATCH, FRAMES, 2), and the positions after each move, seen unsteadily."""
    start = torch.randn(BATCH, 2, generator=random)
    moves = MOVE * torch.randn(BATCH, FRAMES, 2, generator=random)
    seen = start.unsqueeze(1) + moves.cumsum(1) + UNSTEADY * torch.randn(BATCH, FRAMES, 2, generator=random)
    return start, moves, seen


class Odometer(nn.Module):
    def __init__(self, *, remembers: bool) -> None:
        super().__init__()
        self.remembers = remembers
        self.begin = nn.Linear(2, WIDTH)
        self.cell = nn.GRUCell(2, WIDTH)
        self.where = nn.Linear(WIDTH, 2)

    def forward(self, start: Tensor, moves: Tensor) -> Tensor:
        """Starts (n, 2), moves (n, FRAMES, 2) → positions (n, FRAMES, 2)."""
        first = state = self.begin(start)
        positions = []
        for move in moves.unbind(1):
            state = self.cell(move, state if self.remembers else first)
            positions.append(self.where(state))
        return torch.stack(positions, 1)


def train(settings: Settings) -> None:
    run = begin(settings, "odometer", state="remade" if settings.broken else "passed", frames=FRAMES, batch=BATCH, lr=LEARNING_RATE)
    model = Odometer(remembers=not settings.broken)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    by_frame = run.probe(bedside.PerIndex("loss by frame", every=100))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        start, moves, seen = walks(random)
        errors = (model(start, moves) - seen).square().mean(-1)
        loss = errors.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        by_frame.observe(errors)
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
