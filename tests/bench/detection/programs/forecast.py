"""A recurrent network forecasts sums of waves, living on its own forecasts; the horizon is lengthened in stages, the run resumed in one.

What it adds to is a linear forecast from the latest values, as in LSTNet (Lai et al., arXiv 1703.07015). Each series is brought to mean 0
and scale 1 by what was seen of it. The fault is one line: the scale has no floor. With the last stage comes data of recorders that were
switched off; zero is divided by zero, and by the next step every weight is NaN.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

BATCH: Final = 48
SEEN: Final = 24
LATEST: Final = 8
WIDTH: Final = 48
LEARNING_RATE: Final = 1e-2
CLIPPED_AT: Final = 1.0
FLOOR: Final = 1e-3
SWITCHED_OFF: Final = 0.05
HORIZONS: Final = ((0, 12), (140, 24), (280, 48))
"""From this many steps on, so many frames are forecast."""
EVALUATED_EVERY: Final = 50
SAVED_AT: Final = 180
INTERRUPTED_AT: Final = 220
LAST_STAGE: Final = 281


class Forecaster(nn.Module):
    """Series (n, frames) and how many more → forecasts (n, more)."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor
        self.cell = nn.GRUCell(1, WIDTH)
        self.change = nn.Linear(WIDTH, 1)
        self.linear = nn.Linear(LATEST, 1)

    def forward(self, series: Tensor, more: int) -> Tensor:
        mean, scale = series.mean(dim=1, keepdim=True), series.std(dim=1, keepdim=True) + self.floor
        seen = (series - mean) / scale
        state = torch.zeros(len(seen), WIDTH)
        for frame in range(seen.shape[1]):
            state = self.cell(seen[:, frame : frame + 1], state)
        latest, made = seen[:, -LATEST:], []
        for _ in range(more):
            value = self.linear(latest) + self.change(state)
            made.append(value)
            latest = torch.cat([latest[:, 1:], value], dim=1)
            state = self.cell(value, state)
        return torch.cat(made, dim=1) * scale + mean


def series(frames: int, randomness: torch.Generator, count: int = BATCH) -> Tensor:
    """Two waves of periods between 6 and 16 frames, and noise: (count, frames)."""
    period = 6 + 10 * torch.rand(2, count, 1, generator=randomness)
    begins = 2 * math.pi * torch.rand(2, count, 1, generator=randomness)
    height = 0.3 + 0.7 * torch.rand(2, count, 1, generator=randomness)
    clean = (height * (2 * math.pi * torch.arange(frames) / period + begins).sin()).sum(dim=0)
    return clean + 0.05 * torch.randn(count, frames, generator=randomness)


def horizon(step: int) -> int:
    return max(frames for begin_at, frames in HORIZONS if step > begin_at)


@torch.no_grad()
def evaluated(model: Forecaster, frames: int) -> float:
    model.eval()
    held_back = series(SEEN + frames, torch.Generator().manual_seed(5), 128)
    error = (model(held_back[:, :SEEN], frames) - held_back[:, SEEN:]).square().mean()
    model.train()
    return float(error)


def train(settings: Settings) -> None:
    run = begin(settings, "forecast", lr=LEARNING_RATE, batch=BATCH, clip=CLIPPED_AT)
    model = Forecaster(0.0 if settings.broken else FLOOR)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    by_frame = run.probe(bedside.PerIndex("loss by frame", every=50))
    randomness = generator(settings)

    def part(begin_at: int, end: int) -> None:
        """Train from step `begin_at` to step `end`, with a checkpoint on the way."""
        for step in run.steps(range(begin_at + 1, end + 1), start=begin_at):
            frames = horizon(step)
            given = series(SEEN + frames, randomness)
            if step >= LAST_STAGE:
                given[torch.rand(BATCH, generator=randomness) < SWITCHED_OFF] = 0.0
            losses = (model(given[:, :SEEN], frames) - given[:, SEEN:]).square()
            loss = losses.mean()
            optimizer.zero_grad()
            loss.backward()
            gradient = nn.utils.clip_grad_norm_(model.parameters(), CLIPPED_AT)
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
