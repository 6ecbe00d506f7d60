"""A recurrent network forecasts sums of waves, living on its own forecasts; the horizon is lengthened in stages.

What it adds to is a linear forecast from the latest values, as in LSTNet (Lai et al., arXiv 1703.07015). The fault is one line: gradients
are not clipped. That is harmless while the horizon is short; at the long one, what is amplified at each frame is amplified 96 times.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

BATCH: Final = 48
SEEN: Final = 24
LATEST: Final = 8
TREND: Final = 0.02
WIDTH: Final = 48
LEARNING_RATE: Final = 0.02
CLIPPED_AT: Final = 0.5
HORIZONS: Final = ((0, 12), (160, 24), (320, 96))
"""From this many steps on, so many frames are forecast."""
EVALUATED_EVERY: Final = 50
SAVED_AT: Final = 200
INTERRUPTED_AT: Final = 240


class Forecaster(nn.Module):
    """Series (n, frames) and how many more → forecasts (n, more)."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(1, WIDTH)
        self.change = nn.Linear(WIDTH, 1)
        self.linear = nn.Linear(LATEST, 1)
        self.linear.weight = nn.Parameter(F.one_hot(torch.tensor([LATEST - 1]), LATEST).float())  # at first all stays as it is
        self.dropout = nn.Dropout(0.05)

    def forward(self, series: Tensor, more: int) -> Tensor:
        state = torch.zeros(len(series), WIDTH)
        for frame in range(series.shape[1]):
            state = self.cell(series[:, frame : frame + 1], state)
        latest, made = series[:, -LATEST:], []
        for _ in range(more):
            value = self.linear(latest) + self.change(self.dropout(state))
            made.append(value)
            latest = torch.cat([latest[:, 1:], value], dim=1)
            state = self.cell(value, state)
        return torch.cat(made, dim=1)


def series(frames: int, randomness: torch.Generator, count: int = BATCH) -> Tensor:
    """Two waves of periods between 8 and 40 frames, a trend, and noise: (count, frames)."""
    period = 8 + 32 * torch.rand(2, count, 1, generator=randomness)
    begins = 2 * math.pi * torch.rand(2, count, 1, generator=randomness)
    height = 0.3 + 0.7 * torch.rand(2, count, 1, generator=randomness)
    waves = (height * (2 * math.pi * torch.arange(frames) / period + begins).sin()).sum(dim=0)
    trend = TREND * torch.randn(count, 1, generator=randomness) * torch.arange(frames)
    return waves + trend + 0.05 * torch.randn(count, frames, generator=randomness)


def horizon(step: int) -> int:
    return max(frames for begin_at, frames in HORIZONS if step > begin_at)


@torch.no_grad()
def evaluated(model: Forecaster, frames: int) -> float:
    model.eval()
    held_back = series(SEEN + frames, torch.Generator().manual_seed(5), 128)
    error = (model(held_back[:, :SEEN], frames) - held_back[:, SEEN:]).square().mean()
    model.train()
    return error.item()


def train(settings: Settings) -> None:
    clips = not settings.broken
    run = begin(settings, "forecast", lr=LEARNING_RATE, batch=BATCH, clip=CLIPPED_AT if clips else 0.0)
    model = Forecaster()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    run.watch(model, optimizer)
    by_frame = run.probe(bedside.PerIndex("loss by frame", every=50))
    randomness = generator(settings)

    def part(begin_at: int, end: int) -> None:
        """Train from step `begin_at` to step `end`, with a checkpoint on the way."""
        for step in run.steps(range(begin_at + 1, end + 1), start=begin_at):
            frames = horizon(step)
            given = series(SEEN + frames, randomness)
            losses = (model(given[:, :SEEN], frames) - given[:, SEEN:]).square()
            loss = losses.mean()
            optimizer.zero_grad()
            loss.backward()
            gradient = nn.utils.clip_grad_norm_(model.parameters(), CLIPPED_AT if clips else math.inf)
            optimizer.step()
            by_frame.observe(losses)
            run.log({"loss": loss, "grad_norm": gradient, "horizon": frames})
            tell(settings, step, loss=loss, gradient=gradient, horizon=frames)
            if step % EVALUATED_EVERY == 0:
                with run.phase("eval"):
                    run.log({"val/loss": evaluated(model, HORIZONS[0][1])})
            if step == SAVED_AT:
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, checkpoint)

    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "saved.pt"
        part(0, min(INTERRUPTED_AT, settings.steps))
        if settings.steps > INTERRUPTED_AT:
            saved = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            run.event("resume", step=SAVED_AT)
            part(SAVED_AT, settings.steps)
    run.finish()
