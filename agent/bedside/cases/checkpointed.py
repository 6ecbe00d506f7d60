"""Sorting digits with four checkpointed blocks, some of which never learn.

Reentrant gradient checkpointing follows the tensors among a function's arguments. In the broken form the blocks are given their input in
a dict: nothing in it is followed, and their parameters get no gradient at all, not even zero. The loss falls in both forms, to a level
that could well be the task's: embedding, skip connections and head learn around four frozen random blocks. In the same form the list for
the optimizer, written by hand, forgets the places.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

NUMBERS = 12
LENGTH = 8
WIDTH = 32
BLOCKS = 4
BATCH = 64
LEARNING_RATE = 2e-3


class Block(nn.Module):
    """Attention over all numbers, then a small net a number; what it adds to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.look = nn.Linear(WIDTH, 3 * WIDTH)
        self.net = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.look(self.norm(x)).chunk(3, -1)
        y: Tensor = self.net(F.scaled_dot_product_attention(queries, keys, values))
        return y

    def of_named(self, named: Mapping[str, Tensor]) -> Tensor:
        """The same, for a caller who keeps a batch in a dict."""
        return self.forward(named["x"])


class Sorter(nn.Module):
    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self.named = named
        self.number = nn.Embedding(NUMBERS, WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTH, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, NUMBERS))

    def forward(self, numbers: Tensor) -> Tensor:
        """(n, LENGTH) numbers → logits (n, LENGTH, NUMBERS) of the same in order."""
        x = self.number(numbers) + self.place
        for block in self.blocks:
            assert isinstance(block, Block)
            function, argument = (block.of_named, {"x": x}) if self.named else (block, x)
            x = x + checkpoint(function, argument, use_reentrant=True)
        logits: Tensor = self.head(x)
        return logits


def train(settings: Settings) -> None:
    given = "dict" if settings.broken else "tensor"
    run = begin(settings, "sorter", checkpointing="reentrant", blocks_given=given, blocks=BLOCKS, batch=BATCH, lr=LEARNING_RATE)
    model = Sorter(named=settings.broken)
    learning = [parameter for name, parameter in model.named_parameters() if not (settings.broken and name == "place")]
    optimizer = torch.optim.Adam(learning, lr=LEARNING_RATE)
    run.watch(model, optimizer, every=50)
    random = generator(settings)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "None of the inputs have requires_grad")  # said once, among the first lines of a long log
        for step in run.steps(range(1, settings.steps + 1)):
            numbers = torch.randint(0, NUMBERS, (BATCH, LENGTH), generator=random)
            wanted = numbers.sort(-1).values
            logits = model(numbers)
            loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss, "accuracy": (logits.argmax(-1) == wanted).float().mean()})
            tell(settings, step, loss=loss)
    run.finish()
