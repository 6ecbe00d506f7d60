"""A classifier of digits in half precision, whose gradient scaler begins far too high: the first steps overflow and are skipped.

That is how a scaler finds its scale: each step whose gradients are infinite halves it. The loss itself is finite throughout.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F

from bedside.cases.case import Settings
from bedside.cases.digits import Classifier, batches, digits
from bedside.cases.training import begin, tell

SCALE: Final = 2.0**24
"""Eight halvings above what these gradients allow."""
LEARNING_RATE: Final = 5e-4
CLIP: Final = 10.0


def train(settings: Settings) -> None:
    run = begin(settings, "digits", lr=LEARNING_RATE, amp="float16", init_scale=SCALE)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    run.watch(model, optimizer)

    for step, (images, classes) in enumerate(run.steps(batches(settings, *digits(), settings.steps)), 1):
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        scaler.step(optimizer)
        scaler.update()
        run.log({"loss": loss, "grad_norm": norm, "amp/scale": scaler.get_scale()})
        tell(settings, step, loss=loss, norm=norm, scale=scaler.get_scale())
    run.finish()
