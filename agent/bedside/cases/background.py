"""Small coloured grids, of which nine cells in ten are background: a convolutional net paints each object in the colour its shape asks for.

A second module, a memory of rules drawn at random, is trained from the seventh epoch on and belongs behind a gate until then; with it
comes a push against the background, which is common enough. In the broken form the gate is open from the first step: what an untrained
memory adds to the features is noise, another at every step and many times as large as they are. The loss falls all the same, from ln 10
to where it is cheapest to call everything background, and more than nine cells in ten are right. First every cell is coloured, then none.
Once the memory is trained it finds its way, and leaves nothing to see but six epochs lost.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.training import begin, generator, tell

COLOURS = ("background", "blue", "red", "green", "yellow", "grey", "magenta", "orange", "cyan", "brown")
GREY = 5
SIDE = 12
OBJECTS = 3
SHAPES = (((0, 0), (0, 1), (0, 2)), ((0, 0), (1, 0), (2, 0)), ((0, 0), (0, 1), (1, 0), (1, 1)), ((0, 0), (1, 1), (2, 2)))
PAINTS = (1, 2, 3, 4)
WIDTH = 24
RULES = 16
BATCH = 32
LEARNING_RATE = 4e-3
MEMORY_LEARNING_RATE = 0.05
STEPS_AN_EPOCH = 60
AWAKE = 6  # the epoch, counted from 0, in which the memory begins to learn
ANTI_BACKGROUND = 0.5


def grids(random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Grey objects (BATCH, SIDE, SIDE), and the same in the colours of their shapes."""
    given = torch.zeros(BATCH, SIDE, SIDE, dtype=torch.long)
    wanted = torch.zeros_like(given)
    shapes = torch.randint(0, len(SHAPES), (BATCH, OBJECTS), generator=random).tolist()
    places = torch.randint(0, SIDE - 2, (BATCH, OBJECTS, 2), generator=random).tolist()
    for n in range(BATCH):
        for shape, (y, x) in zip(shapes[n], places[n], strict=True):
            for dy, dx in SHAPES[shape]:
                given[n, y + dy, x + dx] = GREY
                wanted[n, y + dy, x + dx] = PAINTS[shape]
    return given, wanted


class RuleMemory(nn.Module):
    """Adds to each cell a mixture of rules, drawn around what attention over them says."""

    def __init__(self) -> None:
        super().__init__()
        self.rules = nn.Parameter(torch.randn(RULES, WIDTH))
        self.spread = nn.Parameter(torch.full((WIDTH,), 3.0))
        self.gate = 0.0

    def forward(self, features: Tensor) -> Tensor:
        """(n, SIDE, SIDE, WIDTH) → the same."""
        if self.gate == 0.0:
            return features
        attention = (features @ self.rules.T / WIDTH**0.5).softmax(-1)
        drawn: Tensor = attention @ self.rules + self.spread.exp() * torch.randn_like(features)
        return features + self.gate * drawn


class Painter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(len(COLOURS), WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        )  # fmt: skip
        self.norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.memory = RuleMemory()
        self.paint = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, len(COLOURS)))

    def forward(self, given: Tensor) -> Tensor:
        """(n, SIDE, SIDE) colours → logits (n, SIDE, SIDE, colours)."""
        features = self.see(F.one_hot(given, len(COLOURS)).float().movedim(-1, 1)).movedim(1, -1)
        logits: Tensor = self.paint(self.memory(self.norm(features)))
        logits[..., 0] = logits[..., 0] - ANTI_BACKGROUND * self.memory.gate
        return logits


def train(settings: Settings) -> None:
    gate_from_epoch = 0 if settings.broken else AWAKE
    run = begin(settings, "painter", gate_from_epoch=gate_from_epoch, anti_background=ANTI_BACKGROUND, batch=BATCH, lr=LEARNING_RATE)
    model = Painter()
    model.memory.requires_grad_(False)  # until its epoch it does not learn, whether or not it is heard
    others = [parameter for name, parameter in model.named_parameters() if not name.startswith("memory.")]
    optimizer = torch.optim.Adam(others, lr=LEARNING_RATE)
    run.watch(model, optimizer)
    balance = run.probe(bedside.ClassBalance("cells", COLOURS, every=30))
    run.probe(bedside.Contribution("memory", model.memory, inactive_until=bedside.epoch(AWAKE), every=30))
    samples = run.probe(bedside.Samples("grids", every=60))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        epoch, within = divmod(step - 1, STEPS_AN_EPOCH)
        if within == 0:
            run.epoch(epoch)
            if epoch == AWAKE:
                model.memory.requires_grad_(True)
                optimizer.add_param_group({"params": list(model.memory.parameters()), "lr": MEMORY_LEARNING_RATE})
        model.memory.gate = 1.0 if settings.broken else opening(step)

        given, wanted = grids(random)
        logits = model(given)
        loss = F.cross_entropy(logits.flatten(0, 2), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        painted = logits.argmax(-1)
        balance.observe(painted, wanted)
        samples.observe(target=wanted / len(COLOURS), painted=painted / len(COLOURS))
        run.log({"loss": loss, "accuracy": (painted == wanted).float().mean()})
        tell(settings, step, loss=loss)
    run.finish()


def opening(step: int) -> float:
    """How far the memory's gate is open: shut before its epoch, wide open at the end of it."""
    return min(1.0, max(0.0, (step - 1) / STEPS_AN_EPOCH - AWAKE))
