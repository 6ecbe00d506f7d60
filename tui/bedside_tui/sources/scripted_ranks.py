"""A scripted run as one of several ranks: what the others said and the hub saw of them. One is slow, or hangs and the others wait for it.

A pure function of its arguments, as the run is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bedside_protocol.records import (
    HUB_RANK,
    Body,
    LifecycleChanged,
    Metrics,
    RanksSeen,
    RankStarted,
    Record,
    StackFrame,
    StackTaken,
    ThreadStack,
)
from bedside_tui.sources.scripted_stack import waiting_for_data

WORLD = 8
SLOW = 5
"""The rank that is slow, or hangs."""
EVERY = 4.0
"""Seconds between two words on the ranks: enough for a picture."""

_MEETING = (
    StackFrame("site-packages/torch/distributed/distributed_c10d.py", 2501, "all_reduce", "work.wait()"),
    StackFrame("train.py", 61, "step", "dist.all_reduce(counts)"),
    StackFrame("train.py", 89, "main", "step(batch)"),
    StackFrame("train.py", 131, "<module>", "main()"),
)


def of_ranks(run: Sequence[Record], *, hangs: bool = False) -> list[Record]:
    """The run with its other ranks, in the order of time; with `hangs` it comes to stand at its end."""
    end = max(record.time for record in run)
    last = max(int(record.body.steps[-1]) for record in run if isinstance(record.body, Metrics))
    said = [(record.time, record.rank, record.body) for record in run]
    said += [(0.0, rank, RankStarted(WORLD, "node-7", 41_207 + rank)) for rank in range(1, WORLD)]
    for time in np.arange(EVERY, end, EVERY).tolist():
        step = int(last * time / end)
        said.append((time, HUB_RANK, _seen([step] * WORLD)))
        said += [(time, rank, _metrics(rank, step, time, last / end)) for rank in range(1, WORLD)]
    if hangs:
        said += [(end + 62.0, rank, body) for rank, body in _hanging(last)]
    counters: dict[int, int] = {}
    records = []
    for seq, (time, rank, body) in enumerate(sorted(said, key=lambda entry: entry[0]), start=1):
        counters[rank] = counters.get(rank, 0) + 1
        records.append(Record(time, body, rank, counters[rank], seq))
    return records


def _seen(steps: Sequence[int]) -> RanksSeen:
    silent = tuple(0.1 + 0.05 * (rank % 4) for rank in range(WORLD))
    return RanksSeen(WORLD, tuple(range(WORLD)), tuple(steps), silent, ("running",) * WORLD)


def _metrics(rank: int, step: int, time: float, rate: float) -> Metrics:
    """Its loss, and how long a step takes it: the slow one does not wait for the others."""
    loss = 0.022 + 0.3 * np.exp(-step / 400) + 0.0004 * np.sin(rank + step)
    took = 1e3 / rate * (1.7 if rank == SLOW else 1.0 + 0.01 * np.sin(rank))
    return Metrics(("loss", "system/step_ms"), np.array([step]), np.array([time]), np.array([[loss], [took]]))


def _hanging(step: int) -> Iterator[tuple[int, Body]]:
    """All wait for the one that waits for its data; where they are is asked at the stall."""
    reason = "no step for 62 s"
    yield HUB_RANK, LifecycleChanged("stalled", reason, step)
    yield HUB_RANK, _seen([step] * WORLD)
    why, command = f"stalled: {reason}", f"stall-{step}"
    for rank in range(WORLD):
        meets = StackTaken(why, step, (ThreadStack("MainThread", _MEETING, "waits for a lock (futex_do_wait)"),), command=command)
        yield rank, waiting_for_data(why, step, command) if rank == SLOW else meets
