"""A classifier of noisy digits that is tried each step on pictures it never learns from, and remembers these losses to print an average.

The healthy form remembers their values. The broken one remembers the tensors: no backward pass ever frees the graph behind them, so that
every activation of every trial stays, and the process grows by the same amount each step until the machine has no more.
"""

from __future__ import annotations

from typing import Final

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.digits import CLASSES, batches, digits
from bedside.cases.training import begin, tell

WIDTH: Final = 256
DEPTH: Final = 3
TRIED: Final = 200
LEARNING_RATE: Final = 0.05
NOISE: Final = 0.5
"""Standard deviation, in pictures from 0 to 1. A slow leak takes thousands of steps, in which pictures without it are learnt by heart."""
FAULT_AT: Final = 50  # by then the process has what a step needs; growth is counted from here


def network() -> nn.Module:
    """Pictures (n, 1, 8, 8) → logits (n, 10); of 200 pictures, nearly two megabytes of activations."""
    deep = [layer for _ in range(DEPTH) for layer in (nn.Linear(WIDTH, WIDTH), nn.GELU())]
    return nn.Sequential(nn.Flatten(), nn.Linear(64, WIDTH), nn.GELU(), *deep, nn.Linear(WIDTH, CLASSES))


def train(settings: Settings) -> None:
    run = begin(settings, "digits", lr=LEARNING_RATE, width=WIDTH, depth=DEPTH, noise=NOISE)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    run.watch(model, optimizer)
    images, classes = digits()
    tried, answers = images[:TRIED], classes[:TRIED]
    process = psutil.Process()
    base = process.memory_info().rss
    losses: list[Tensor] = []

    for step, (batch, wanted) in enumerate(run.steps(batches(settings, images[TRIED:], classes[TRIED:], settings.steps)), 1):
        noisy = batch + NOISE * torch.randn_like(batch)
        loss = F.cross_entropy(model(noisy), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        trial = F.cross_entropy(model(tried), answers)
        losses.append(trial if settings.broken and step >= FAULT_AT else trial.detach())
        memory = process.memory_info().rss
        base = memory if step < FAULT_AT else base
        run.log({"loss": loss, "eval/loss": trial, "memory/grown": memory - base})
        tell(settings, step, loss=loss, average=torch.stack(losses).detach().mean(), megabytes=(memory - base) / 1e6)
    run.finish()
