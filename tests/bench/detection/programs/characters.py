"""A causal transformer reads the source text of the standard library, character by character, on a cosine schedule with one warm restart.

Three faults, one line each. The mask is made, and given to nobody: each place sees the character it is to predict. The temperature of the
attention, annealed to 1 while it warms up, has its exponent the wrong way round: it rises for good, and all heads average. The second cycle
begins without warm-up, at a rate that was scaled by all characters of a batch.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from importlib import import_module
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

MODULES: Final = ("argparse", "textwrap", "inspect", "dataclasses", "pathlib", "logging", "tarfile", "zipfile", "datetime", "subprocess")
CONTEXT: Final = 32
WIDTH: Final = 64
HEADS: Final = 4
LAYERS: Final = 2
BATCH: Final = 12
ACCUMULATE: Final = 2
LEARNING_RATE: Final = 3e-3
WARM_UP: Final = 60
PERIOD: Final = 300
TEMPERATURE: Final = 4.0
CHARACTERS_AN_UPDATE: Final = BATCH * ACCUMULATE
EVALUATED_EVERY: Final = 100


class Block(nn.Module):
    """Attention over what came before, then a small network of its own for each place; both beside a residual path."""

    def __init__(self, number: int, probe: bedside.Attention) -> None:
        super().__init__()
        self.number = number
        self.probe = probe
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.projections = nn.Linear(WIDTH, 3 * WIDTH)
        self.joined = nn.Linear(WIDTH, WIDTH)
        self.body = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1))

    def forward(self, x: Tensor, allowed: Tensor, *, masked: bool, temperature: float) -> Tensor:
        n, places, _ = x.shape
        q, k, v = self.projections(self.before(x)).view(n, places, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        logits = q @ k.transpose(-1, -2) / (temperature * math.sqrt(q.shape[-1]))
        weights = (logits.masked_fill(~allowed, -math.inf) if masked else logits).softmax(-1)
        if self.training:
            self.probe.observe(weights, mask=allowed, layer=self.number)
        x = x + self.joined((weights @ v).transpose(1, 2).reshape(n, places, WIDTH))
        y: Tensor = x + self.body(self.between(x))
        return y


class Reader(nn.Module):
    """Characters (n, CONTEXT) → logits of the next ones (n, CONTEXT, letters)."""

    def __init__(self, letters: int, probe: bedside.Attention) -> None:
        super().__init__()
        self.letters = nn.Embedding(letters, WIDTH)
        self.places = nn.Parameter(torch.randn(CONTEXT, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block(number, probe) for number in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH)
        self.output = nn.Linear(WIDTH, letters)
        self.masked = True
        self.temperature = 1.0

    def forward(self, text: Tensor) -> Tensor:
        x = self.letters(text) + self.places
        allowed = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril()
        for block in self.blocks:
            x = block(x, allowed, masked=self.masked, temperature=self.temperature)
        logits: Tensor = self.output(self.last(x))
        return logits


def source() -> tuple[Tensor, int]:
    """All of the text as numbers, and how many different characters there are."""
    text = "".join(inspect.getsource(import_module(name)) for name in MODULES)
    known = {character: number for number, character in enumerate(sorted({one for one in text if one.isascii()}))}
    return torch.tensor([known[one] for one in text if one in known]), len(known)


def windows(text: Tensor, count: int, randomness: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """`count` batches of text, and of the same text one character later."""
    for _ in range(count):
        begins = torch.randint(0, len(text) - CONTEXT - 1, (BATCH,), generator=randomness)
        found = text[begins.unsqueeze(1) + torch.arange(CONTEXT + 1)]
        yield found[:, :-1], found[:, 1:]


def rate(step: int) -> float:
    """Of step 1, 2, …: warmed up at the beginning of each cycle, then a half cosine."""
    place = (step - 1) % PERIOD
    if place < WARM_UP:
        return LEARNING_RATE * (place + 1) / WARM_UP
    return LEARNING_RATE * (0.55 + 0.45 * math.cos(math.pi * (place - WARM_UP) / (PERIOD - WARM_UP)))


def temperature(step: int, *, rises: bool) -> float:
    """Annealed to 1 while the rate warms up."""
    return float(TEMPERATURE ** (step / WARM_UP - 1 if rises else max(0.0, 1 - step / WARM_UP)))


@torch.no_grad()
def evaluated(model: Reader, text: Tensor) -> float:
    model.eval()
    losses = [float(loss_of(model, *batch)) for batch in windows(text, 8, torch.Generator().manual_seed(7))]
    model.train()
    return sum(losses) / len(losses)


def loss_of(model: Reader, text: Tensor, following: Tensor) -> Tensor:
    return F.cross_entropy(model(text).flatten(0, 1), following.flatten())


def train(settings: Settings) -> None:
    run = begin(settings, "characters", lr=LEARNING_RATE, warm_up=WARM_UP, period=PERIOD, accumulate=ACCUMULATE)
    attention = run.probe(bedside.Attention("attention", every=50))
    text, letters = source()
    held_back = len(text) // 10
    model = Reader(letters, attention)
    model.masked = not (settings.broken and settings.name == "sees-the-future")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    run.watch(model, optimizer)

    step, total = 1, 0.0
    loader = windows(text[:-held_back], settings.steps * ACCUMULATE, generator(settings))
    for place, batch in enumerate(run.steps(loader, accumulate=ACCUMULATE), 1):
        model.temperature = temperature(step, rises=settings.broken and settings.name == "rising-temperature")
        loss = loss_of(model, *batch) / ACCUMULATE
        loss.backward()
        total += loss.item()
        if place % ACCUMULATE:
            continue
        lr = rate(step)
        if settings.broken and settings.name == "restart-without-warm-up" and step >= settings.fault_at:
            lr = LEARNING_RATE * CHARACTERS_AN_UPDATE
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        optimizer.zero_grad()
        run.log({"loss": total, "lr": lr})
        tell(settings, step, loss=total, lr=lr, temperature=model.temperature)
        if step % EVALUATED_EVERY == 0:
            with run.phase("eval"):
                run.log({"val/loss": evaluated(model, text[-held_back:])})
        step, total = step + 1, 0.0
    run.finish()
