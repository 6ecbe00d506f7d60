"""The log of a day's run, for `bench_day`: 50,000 rows of 200 metrics over 24 hours, and all that a hub writes beside them.

Two shapes of the same records. `paced` is what a hub writes of such a run: it flushes within 250 ms, so nearly every row and every
tick is a chunk of its own. `packed` fills chunks to their 64 KiB, as after an import. Values are float32, as a training on a GPU logs
them, but for a learning rate, so that blocks are stored as float64.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.codec import encode_record
from bedside_protocol.records import (
    HUB_RANK,
    AlertAcknowledged,
    AlertChanged,
    Array,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    LifecycleChanged,
    Metrics,
    Note,
    ProbeDeclared,
    Record,
    RunStarted,
    Snapshot,
    Tick,
)
from bedside_protocol.runlog import TARGET_CHUNK, seal_chunk

Shape = Literal["packed", "paced"]

ROWS: Final = 50_000
SECONDS: Final = 86_400.0
PACE: Final = SECONDS / ROWS
CODES: Final = 1024
WITHIN: Final = 0.25
"""Seconds within which a hub writes what it has."""

_FIRST: Final = ("loss", "loss/recon", "loss/commit", "val/loss", "lr", "grad norm", "accuracy", "tokens per second")
_OF_A_BLOCK: Final = ("loss/aux", "grad norm", "update ratio", "activation", "entropy", "rms", "max", "dead")
NAMES: Final = (*_FIRST, *(f"block.{block}/{what}" for block in range(24) for what in _OF_A_BLOCK))


def values(seed: int = 0) -> NDArray[np.float64]:
    """(200, 50,000): falling losses and wandering rest, with a few NaN."""
    random = np.random.default_rng(seed)
    steps = np.arange(1, ROWS + 1)
    made = np.empty((len(NAMES), ROWS))
    for row, name in enumerate(NAMES):
        noise = random.normal(size=ROWS)
        made[row] = 0.1 + 3 / np.sqrt(steps) + 0.02 * noise if "loss" in name else 1 + 0.001 * noise.cumsum() + 0.1 * noise
    made = made.astype(np.float32).astype(np.float64)
    made[NAMES.index("lr")] = 3e-4 * 0.5 * (1 + np.cos(np.pi * steps / ROWS))
    made[random.integers(0, len(NAMES), 40), random.integers(0, ROWS, 40)] = np.nan
    return made


def records() -> Iterator[Record]:
    """The day, in the order of time, without places in the log."""
    start = [
        Record(0.0, RunStarted("day", "day-1", "bench", 1_790_000_000.0, config={"lr": 3e-4, "codes": CODES}), 0),
        Record(0.0, LifecycleChanged("running"), HUB_RANK),
        Record(0.0, ProbeDeclared("vq", "codebook", 250, {"size": CODES}), 0),
    ]
    ticks = (Record(float(second), Tick(int(second / PACE)), HUB_RANK) for second in range(1, int(SECONDS)))
    end = [Record(SECONDS + 1, Ended("finished", ROWS), 0), Record(SECONDS + 1, LifecycleChanged("finished", "", ROWS), HUB_RANK)]
    yield from start
    yield from heapq.merge(_rows(), ticks, _told(), key=lambda record: record.time)
    yield from end


def _rows() -> Iterator[Record]:
    rows = values()
    for at in range(ROWS):
        time = round((at + 1) * PACE, 6)
        yield Record(time, Metrics(NAMES, np.array([at + 1]), np.array([time]), np.ascontiguousarray(rows[:, at : at + 1])))


def _told() -> Iterator[Record]:
    """Snapshots, alerts, checkpoints, commands, events and notes."""
    random = np.random.default_rng(1)
    for step in range(1, ROWS + 1):
        time = round(step * PACE, 6) + 0.01
        if step % 250 == 0:
            usage = random.multinomial(10_240, random.dirichlet(np.full(CODES, 0.3)))
            used = float((usage > 0).sum())
            scalars = {"used": used, "dead": CODES - used, "perplexity": used * 0.7}
            yield Record(time, Snapshot("vq", "codebook", step, scalars, {"usage": Array("histogram", usage)}, cost=0.004))
        if step % 500 == 0:
            yield Record(time, Event("epoch", step, {"n": step // 500}))
        if step % 1000 == 0:
            yield Record(time, CommandChanged(f"c{step}", "checkpoint", "requested", "sven"), HUB_RANK)
            yield Record(time, CheckpointSaved(f"ckpt/step_{step:06}.pt", 48_000_000, step, command=f"c{step}"))
            yield Record(time, CommandChanged(f"c{step}", "checkpoint", "applied", step=step))
        if step % 400 == 0:
            target, rule = NAMES[int(random.integers(8))], ("loss-level", "explosion", "spike")[step // 400 % 3]
            severity: Literal["amber", "red"] = "amber" if step % 1200 else "red"
            alert = AlertChanged(rule, target, "firing", severity, step, step - 5, 1.0, "above its level", "", step)
            yield Record(time, alert, HUB_RANK)
            yield Record(time + 0.2, replace(alert, state="cleared", step=step), HUB_RANK)
        if step % 2400 == 0:
            yield Record(time + 0.3, AlertAcknowledged("", "", "sven"), HUB_RANK)
        if step % 1250 == 0:
            yield Record(time, Note("looks calm from here", "sven", step), HUB_RANK)


def write(path: Path, shape: Shape) -> None:
    """Write the day at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        for chunk in _chunks(shape):
            file.write(chunk)
    part.replace(path)


def _chunks(shape: Shape) -> Iterator[bytes]:
    counters: dict[int, int] = {}
    waiting: list[Record] = []
    frames: list[bytes] = []
    size = place = 0
    for record in records():
        flushed = shape == "paced" and waiting and record.time >= waiting[0].time + WITHIN
        if flushed or size >= TARGET_CHUNK:
            yield seal_chunk(frames, waiting, place - len(waiting) + 1, counters)
            waiting, frames, size = [], [], 0
        place += 1
        counters[record.rank] = counters.get(record.rank, 0) + 1
        record = replace(record, counter=counters[record.rank], seq=place)
        waiting.append(record)
        frames.append(encode_record(record))
        size += len(frames[-1])
    yield seal_chunk(frames, waiting, place - len(waiting) + 1, counters)
