"""A classifier of digits and, every 10 steps, its loss on 400 digits it never learns from.

The healthy form learns from the other 1,397. The broken one was given 40 of them: it knows them by heart in no time, and what it
learns after that is of no use for any other.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

import bedside
from bedside.cases.case import Settings
from bedside.cases.digits import Classifier, batches, digits
from bedside.cases.training import begin, generator, tell

HELD_OUT: Final = 400
FEW: Final = 40
EVAL_EVERY: Final = 10
LEARNING_RATE: Final = 1e-3


def parts(settings: Settings) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """What is learned from and what is held out: pictures and classes each, shuffled by the seed."""
    images, classes = digits()
    order = torch.randperm(len(images), generator=generator(settings, 1))
    held, learned = order[:HELD_OUT], order[HELD_OUT:]
    if settings.broken:
        learned = learned[:FEW]
    return (images[learned], classes[learned]), (images[held], classes[held])


def train(settings: Settings) -> None:
    learned, held = parts(settings)
    run = begin(settings, "digits", lr=LEARNING_RATE, samples=len(learned[0]), held_out=HELD_OUT)
    run.probe(bedside.Ratio("gap", "loss/eval", "loss/train"))
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *learned, settings.steps)), 1):
        loss = F.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        row = {"loss/train": loss.detach()}
        if step % EVAL_EVERY == 0:
            with run.phase("eval"), torch.no_grad():
                row["loss/eval"] = F.cross_entropy(model(held[0]), held[1])
        run.log(row)
        tell(settings, step, **{name.removeprefix("loss/"): value for name, value in row.items()})
    run.finish()
