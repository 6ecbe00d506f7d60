"""The lines a newcomer adds to a script, as the README shows them, and around them what a type checker needs to read them whole."""

from __future__ import annotations

from collections.abc import Iterable

import bedside


class Model:
    """Stands for a `torch.nn.Module`: bedside asks nothing of its type."""


class Optimizer:
    """Stands for a `torch.optim.Optimizer`."""


model, optimizer = Model(), Optimizer()
loader: Iterable[list[float]] = [[0.5], [0.25]]


def train_step(batch: list[float]) -> tuple[float, list[int]]:
    """The user's own."""
    return sum(batch), [0]


def save(path: str) -> None:
    """The user's own."""


def main() -> None:
    # the README from here
    run = bedside.init(project="tokenizer", name="digits-1", config={"lr": 3e-4})
    run.watch(model, optimizer)  # gradients, updates, parameters that never learn
    codes = run.probe(bedside.Codebook("vq", size=512))  # usage, perplexity, dead codes
    run.on_checkpoint(save)  # save(path), called between two steps

    for batch in run.steps(loader):  # the step boundary: pause, checkpoint, stop take effect here
        loss, indices = train_step(batch)
        codes.observe(indices)
        run.log({"loss": loss})
    run.finish()
