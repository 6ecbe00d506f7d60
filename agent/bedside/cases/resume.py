"""A classifier of digits that is interrupted at two thirds and goes on from the checkpoint it made at half, as after a requeue.

Steps count on from the checkpoint, so that those between it and the interruption are in the log twice, with other data. The loss goes
back by as much as had been learned between the two. Nothing is wrong.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F

from bedside.cases.case import Settings
from bedside.cases.digits import Classifier, batches, digits
from bedside.cases.training import begin, tell

LEARNING_RATE: Final = 5e-4


def train(settings: Settings) -> None:
    run = begin(settings, "digits", lr=LEARNING_RATE)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    run.watch(model, optimizer)
    half, interrupted = settings.steps // 2, 2 * settings.steps // 3

    def part(start: int, end: int) -> None:
        """Train from step `start` to step `end`, with a checkpoint at half of all steps."""
        for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), end - start), start=start), start + 1):
            loss = F.cross_entropy(model(images), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
            tell(settings, step, loss=loss)
            if step == half:
                torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, checkpoint)

    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "half.pt"
        part(0, interrupted)
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        run.event("resume", step=half)
        part(half, settings.steps)
    run.finish()
