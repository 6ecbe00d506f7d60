"""A classifier of digits on a cosine schedule that restarts every 400 steps: each restart throws the loss up again, as it is meant to."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F

from bedside.cases.case import Settings
from bedside.cases.digits import Classifier, batches, digits
from bedside.cases.training import begin, tell

PERIOD: Final = 400
LEARNING_RATE: Final = 0.1


def train(settings: Settings) -> None:
    run = begin(settings, "digits", lr=LEARNING_RATE, period=PERIOD)
    model = Classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, PERIOD)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        loss = F.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss, "lr": schedule.get_last_lr()[0]})
        schedule.step()
        tell(settings, step, loss=loss, lr=schedule.get_last_lr()[0])
    run.finish()
