"""A world model of a small grid world: 6×6 tokens out of 32, moved by keys and turned by a camera; a next-frame predictor over its codes.

A frame is the world on a torus. A key rolls it by a cell, the camera turns it by a quarter, so that a frame has exactly the codes of
the one before, elsewhere. The model sees a temporal buffer of two frames, and both actions.

In the broken form the buffer is written before a frame is predicted instead of after. Its newest slot then holds, in training, the frame
to be predicted, and in a rollout, where that frame does not exist yet, zeros. The teacher-forced loss falls sooner than the healthy
form's, because copying is easy, and ends as low. Free-running, the first frame has one code left, with confidence and whatever the
sampling. Actions do nothing either, and are not to blame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bedside
from bedside.cases.case import Settings
from bedside.cases.sampling import VARIANTS, Sampler
from bedside.cases.training import begin, generator, tell

SIDE = 6
CELLS = SIDE * SIDE
CODES = 32
SLOTS = 2
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # keys: none, up, down, left, right
TURNS = (0, 1, -1)  # camera: none, a quarter left, a quarter right
WIDTH = 48
BATCH = 48
LEARNING_RATE = 4e-3
ROLLOUT = 8
WORLDS = 4  # rolled out


def _sources() -> Tensor:
    """(keys, camera, CELLS): from which cell each cell of the next frame comes."""
    cells = torch.arange(CELLS).view(SIDE, SIDE)
    return torch.stack([torch.stack([torch.rot90(torch.roll(cells, move, (0, 1)), turn).reshape(-1) for turn in TURNS]) for move in MOVES])


def clips(count: int, frames: int, sources: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (count, frames, CELLS); the keys and the camera (count, frames) that led to each frame, those of frame 0 without effect."""
    keys = torch.randint(0, len(MOVES), (count, frames), generator=random)
    camera = torch.randint(0, len(TURNS), (count, frames), generator=random)
    made = [torch.randint(0, CODES, (count, CELLS), generator=random)]
    for t in range(1, frames):
        made.append(made[-1].gather(1, sources[keys[:, t], camera[:, t]]))
    return torch.stack(made, 1), keys, camera


def buffer(frames: Tensor, t: int, early: bool) -> Tensor:
    """What the model sees to predict frame t, (n, SLOTS, CELLS), out of the frames there are; a slot nothing was written to is zero.

    `early`: written before the prediction, so that the newest slot is frame t itself, where there is one.
    """
    newest = t if early else t - 1
    empty = torch.zeros_like(frames[:, 0])
    times = range(newest - SLOTS + 1, newest + 1)
    return torch.stack([frames[:, at] if 0 <= at < frames.shape[1] else empty for at in times], 1)


class WorldModel(nn.Module):
    """Each cell of the next frame asks all cells of the buffer, knowing its own place and the actions."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Embedding(CODES, WIDTH)
        self.place = nn.Parameter(torch.randn(SLOTS * CELLS, WIDTH))
        self.cell = nn.Embedding(CELLS, WIDTH)
        self.keys = nn.Embedding(len(MOVES), WIDTH)
        self.camera = nn.Embedding(len(TURNS), WIDTH)
        self.ask = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CODES)

    def forward(self, seen: Tensor, keys: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
        """Buffer (n, SLOTS, CELLS), keys (n), camera (n) → logits (n, CELLS, CODES), attention (n, CELLS, SLOTS·CELLS)."""
        actions = self.keys(keys) + self.camera(camera)
        queries = self.ask(self.cell.weight + actions.unsqueeze(1))
        attention = (queries @ self.place.T / WIDTH**0.5).softmax(-1)
        found = attention @ self.code(seen.flatten(1))
        return self.head(self.norm(found)), attention


def train(settings: Settings) -> None:
    early = settings.broken
    run = begin(settings, "grid-world", buffer_written="before" if early else "after", slots=SLOTS, batch=BATCH, lr=LEARNING_RATE)
    sources = _sources()
    model = WorldModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    real, real_keys, real_camera = clips(WORLDS, ROLLOUT, sources, generator(settings, 1))

    def dream(sampler: Sampler, count: int) -> bedside.Frames:
        frames, entropy = real[:, :1], [torch.zeros(WORLDS)]
        for t in range(1, count):
            logits, _ = model(buffer(frames, t, early), real_keys[:, t], real_camera[:, t])
            entropy.append(torch.distributions.Categorical(logits=logits).entropy().mean(-1))
            frames = torch.cat([frames, sampler(logits).unsqueeze(1)], 1)
        return bedside.Frames(codes=frames, entropy=torch.stack(entropy, 1))

    run.watch(model, optimizer)
    run.probe(bedside.Rollout("dream", dream, ROLLOUT, variants=VARIANTS, reference=real, every=300, model=model))
    given = {"buffer": buffer(real[:, :1], 1, early), "keys": real_keys[:, 1], "camera": real_camera[:, 1]}
    ratio = {"keys/camera": ("keys", "camera")}
    run.probe(bedside.Sensitivity("inputs", lambda buffer, keys, camera: model(buffer, keys, camera)[0], given, ratio=ratio, every=300))
    apart = run.probe(bedside.Divergence("forced against free", every=100))
    looks = run.probe(bedside.Attention("buffer", every=100))
    samples = run.probe(bedside.Samples("first frame"))
    random = generator(settings)

    for step in run.steps(range(1, settings.steps + 1)):
        frames, keys, camera = clips(BATCH, SLOTS + 1, sources, random)
        t = 1 + step % SLOTS  # the first prediction too, when there is one frame to see
        logits, attention = model(buffer(frames, t, early), keys[:, t], camera[:, t])
        loss = F.cross_entropy(logits.flatten(0, 1), frames[:, t].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        looks.observe(attention.unsqueeze(1))
        if apart.armed or samples.armed:
            with torch.no_grad():
                forced, free = (model(buffer(seen, 1, early), keys[:, 1], camera[:, 1])[0] for seen in (frames, frames[:, :1]))
            apart.observe(forced, free)
            pictures = {"target": frames[:, 1], "forced": forced.argmax(-1), "free": free.argmax(-1)}
            samples.observe(**{name: codes.view(-1, SIDE, SIDE) / CODES for name, codes in pictures.items()})
        run.log({"loss": loss})
        tell(settings, step, loss=loss)
    run.finish()
