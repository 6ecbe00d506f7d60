"""A classifier of digits fed by a stream far away: some fetches always fail and are tried again, each failure costs time.

In the healthy form nine fetches of ten succeed at once, which is this stream's normal. The broken one is the same until its store
begins to fail: then four of ten succeed, and the step waits for its data longer than it computes. Waiting is what the fault is:
a few thousandths of a second each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

import bedside
from bedside.cases.case import Settings
from bedside.cases.digits import BATCH, Classifier, digits
from bedside.cases.training import begin, generator, tell

NORMAL: Final = 0.92
FAILING: Final = 0.4
SECONDS: Final = 0.004  # a failed fetch; one that succeeds costs a twentieth
LEARNING_RATE: Final = 1e-3


class Stream:
    """`steps` batches of digits, each fetched until it comes. `succeeds`: the chance of one fetch, which the store decides."""

    def __init__(self, settings: Settings, fetches: bedside.SuccessRate) -> None:
        self.succeeds = NORMAL
        self._images, self._classes = digits()
        self._steps = settings.steps
        self._fetches = fetches
        self._randomness = generator(settings)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self._steps):
            chosen = torch.randint(0, len(self._images), (BATCH,), generator=self._randomness)
            while not self._fetch():
                pass
            yield self._images[chosen], self._classes[chosen]

    def _fetch(self) -> bool:
        came = float(torch.rand((), generator=self._randomness)) < self.succeeds
        time.sleep(SECONDS / 20 if came else SECONDS)
        self._fetches.observe(came)
        return came


def train(settings: Settings) -> None:
    run = begin(settings, "digits", batch=BATCH, lr=LEARNING_RATE)
    stream = Stream(settings, run.probe(bedside.SuccessRate("fetches")))
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(stream), 1):
        if settings.broken and step == settings.fault_at:
            stream.succeeds = FAILING
        loss = F.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
