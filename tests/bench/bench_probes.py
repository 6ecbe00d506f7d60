"""What the probes cost a training: a 10 M-parameter transformer with a codebook, trained on one core with all default probes and without.

Run it by itself: `make bench-probes` (minutes). Two twins train in short turns, so that a busy machine disturbs both alike; the first part
of each run, in which the budget settles, is not counted. Printed are the share of time by the probes' own accounting, which the budget
holds, and how the twins' steps compare: medians (what a step without measurement pays) and means (measurements included), in
processor time of the training thread, which other processes do not spend, and in wall time, which is as noisy as the machine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import bedside
from bedside_protocol.records import ProbeDeclared, Record, Snapshot
from bedside_protocol.runlog import read_records

WIDTH, LAYERS, HEADS, VOCABULARY, CODES = 384, 5, 6, 1024, 512
BATCH, LENGTH = 4, 32
TURN = 5  # steps: of these only the first seems long to the run, whose clock counts the other twin's turn

Look = Callable[[str, Tensor, Tensor], None]


class Block(nn.Module):
    """A layer whose queries and keys may be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor, layer: str, look: Look | None) -> Tensor:
        batch, length, _ = x.shape
        q, k, v = self.mix(self.norm1(x)).view(batch, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        if look is not None:
            look(layer, q, k)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    """Next-token prediction with a quantizer behind the layers, so that every kind of probe has something to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.codes = nn.Embedding(CODES, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: Tensor, look: Look | None = None) -> tuple[Tensor, Tensor, Tensor]:
        x = self.embed(tokens)
        for number, block in enumerate(self.blocks):
            x = block(x, str(number), look)
        flat = x.reshape(-1, WIDTH)
        chosen = torch.cdist(flat, self.codes.weight).argmin(1)
        quantized = self.codes(chosen)
        through = flat + (quantized - flat).detach()
        return self.head(through).view(*tokens.shape, -1), chosen, F.mse_loss(quantized, flat)


class Seconds(NamedTuple):
    """What a step took."""

    wall: float
    thread: float


class Twin:
    """One of two equal trainings."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.model = Model().train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 3e-4, fused=True)
        self.generator = torch.Generator().manual_seed(seed)

    def timed(self) -> Seconds:
        wall, thread = time.perf_counter(), time.thread_time()
        self.step()
        return Seconds(time.perf_counter() - wall, time.thread_time() - thread)

    def step(self) -> None:
        self.train()

    def train(self, look: Look | None = None) -> tuple[Tensor, Tensor, Tensor]:
        tokens = torch.randint(VOCABULARY, (BATCH, LENGTH + 1), generator=self.generator)
        self.optimizer.zero_grad()
        logits, chosen, commitment = self.model(tokens[:, :-1], look)
        loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1)) + commitment
        loss.backward()
        self.optimizer.step()
        return loss, logits, chosen


class WatchedTwin(Twin):
    """The same with all default probes."""

    def __init__(self, seed: int, directory: Path) -> None:
        super().__init__(seed)
        self.run = bedside.init(name="bench", dir=directory, quiet=True)
        self.run.watch(self.model, self.optimizer)
        self.codebook = self.run.probe(bedside.Codebook("codes", CODES, embedding=self.model.codes))
        self.attention = self.run.probe(bedside.Attention("attention"))
        self.run.probe(bedside.Activations("activations", [block.mlp[1] for block in self.model.blocks]))
        self.distribution = self.run.probe(bedside.Distribution("logits"))
        self.similarity = self.run.probe(bedside.Similarity("tokens"))

    def step(self) -> None:
        loss, logits, chosen = self.train(lambda layer, q, k: self.attention.observe(q=q, k=k, causal=True, layer=layer))
        self.codebook.observe(chosen)
        self.distribution.observe(logits)
        self.similarity.observe(logits)
        self.run.log({"loss": loss})
        self.run.step()


def measured(seed: int, settle: int, steps: int) -> tuple[list[Seconds], list[Seconds], list[Record]]:
    """What the steps took of the bare and of the watched twin once settled, and the recording."""
    with tempfile.TemporaryDirectory(prefix="bs-") as name:
        bare, watched = Twin(seed), WatchedTwin(seed, Path(name))
        for _ in range(settle):
            watched.step()
        for _ in range(5):
            bare.step()
        times: tuple[list[Seconds], list[Seconds]] = ([], [])
        for _ in range(steps // TURN):
            for twin, found in zip((bare, watched), times, strict=True):
                found.extend(twin.timed() for _ in range(TURN))
        watched.run.finish()
        with open(Path(watched.run.directory) / "run.bedside", "rb") as file:
            return *times, list(read_records(file))


def accounting(records: list[Record], settle: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Costs of each probe's measurements after the budget has settled, and the steps between them as last declared."""
    costs: dict[str, list[float]] = defaultdict(list)
    every: dict[str, int] = {}
    for record in records:
        match record.body:
            case ProbeDeclared(probe=probe, every=steps):
                every[probe] = steps
                costs.setdefault(probe, [])
            case Snapshot(probe=probe, step=step, cost=cost) if step > settle:
                costs[probe].append(cost)
    return costs, every


def spread(values: list[float]) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):7.2f} %   ({low:.2f} … {high:.2f})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--settle", type=int, default=600, help="steps before counting begins")
    options.add_argument("--steps", type=int, default=400, help="steps of each twin that are counted")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    size = sum(parameter.numel() for parameter in Model().parameters())
    print(f"{size / 1e6:.1f} M parameters, {BATCH} × {LENGTH} tokens a step, one thread; torch {torch.__version__}", flush=True)
    shares: list[float] = []
    over: dict[str, list[float]] = defaultdict(list)
    for seed in range(chosen.runs):
        bare, watched, records = measured(seed, chosen.settle, chosen.steps)
        costs, every = accounting(records, chosen.settle)
        total = sum(seconds.wall for seconds in watched)
        print(f"run {seed + 1}: a bare step takes {statistics.median(one.wall for one in bare) * 1e3:.0f} ms; {len(watched)} steps counted")
        for probe, seconds in costs.items():
            cost = f"{statistics.median(seconds) * 1e3:8.2f} ms" if seconds else "        none"
            print(f"  {probe:12} every {every[probe]:5} steps  {cost} a measurement  {100 * sum(seconds) / total:6.2f} % of time")
        shares.append(100 * sum(sum(seconds) for seconds in costs.values()) / total)
        for clock in Seconds._fields:
            ones, others = ([getattr(seconds, clock) for seconds in twin] for twin in (watched, bare))
            over[f"median step, {clock} time"].append(100 * (statistics.median(ones) / statistics.median(others) - 1))
            over[f"mean step, {clock} time"].append(100 * (statistics.fmean(ones) / statistics.fmean(others) - 1))
        print(f"  {'together':12} {shares[-1]:.2f} % of time", flush=True)
    print("median over runs (lowest … highest)")
    print(f"{'probes, by their own accounting':44} {spread(shares)}   goal: at most 1 %")
    for label, ratios in over.items():
        print(f"{'watched over bare, ' + label:44} {spread(ratios)}")


if __name__ == "__main__":
    main()
