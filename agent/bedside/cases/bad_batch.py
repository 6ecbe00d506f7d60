"""A classifier of digits that is handed one damaged batch, in which every picture has another's name. A spike, and it is over."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F

from bedside.cases.case import Settings
from bedside.cases.digits import CLASSES, Classifier, batches, digits
from bedside.cases.training import begin, tell

BAD: Final = 700
LEARNING_RATE: Final = 5e-4


def train(settings: Settings) -> None:
    run = begin(settings, "digits", lr=LEARNING_RATE)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        if step == BAD:
            classes = (classes + 1) % CLASSES
        loss = F.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
