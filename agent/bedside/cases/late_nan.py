"""A classifier of digits whose temperature is annealed, with a word of warning before its loss is not a number any more.

The temperature falls by the same share each step and stops at 0.5. The broken form has no such floor: from the step at which the other
stops, logits grow as 1/temperature. One label in twenty is wrong, so that there is always something to push against: the norm of
the gradients grows with the logits, twice and twice again, until a probability underflows to zero and its logarithm is infinite.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from bedside.cases.case import Settings
from bedside.cases.digits import CLASSES, Classifier, batches, digits
from bedside.cases.training import begin, generator, tell

DECAY: Final = 0.992
FLOOR: Final = 0.25
FAULT_AT: Final = 173  # the first step at which DECAY**step is below the floor
WRONG: Final = 0.05
LEARNING_RATE: Final = 5e-4


def temperature(step: int, floor: float) -> float:
    return max(floor, DECAY**step)


def mislabelled(classes: Tensor, randomness: torch.Generator) -> Tensor:
    """The classes (n), one in twenty replaced by any."""
    wrong = torch.rand(len(classes), generator=randomness) < WRONG
    return torch.where(wrong, torch.randint(0, CLASSES, classes.shape, generator=randomness), classes)


def train(settings: Settings) -> None:
    floor = 0.0 if settings.broken else FLOOR
    run = begin(settings, "digits", lr=LEARNING_RATE, temperature_decay=DECAY, temperature_floor=floor)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    noise = generator(settings, 1)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        tau = temperature(step, floor)
        chance = torch.softmax(model(images) / tau, dim=1)
        wanted = mislabelled(classes, noise).unsqueeze(1)
        loss = -chance.gather(1, wanted).log().mean()  # as it is written by hand; F.cross_entropy would survive longer
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), float("inf"))
        optimizer.step()
        run.log({"loss": loss, "grad_norm": norm, "temperature": tau})
        tell(settings, step, loss=loss, grad_norm=norm, temperature=tau)
    run.finish()
