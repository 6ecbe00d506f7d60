"""A run that never was: the records of a plausible VQ training that stays healthy, whose codebook collapses, or whose loss explodes. A pure
function of its arguments.

For pictures, documentation and tests. The curves are drawn, not trained; names, units, arrays and the lives of alarms and commands are
those of real runs, so that the screens cannot tell the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import (
    HUB_RANK,
    AlertChanged,
    AlertShelved,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    LifecycleChanged,
    Metrics,
    Note,
    Record,
    RulesDeclared,
    RunStarted,
)
from bedside_tui.sources.scripted_explosion import explosion
from bedside_tui.sources.scripted_inside import every_other_probe
from bedside_tui.sources.scripted_plan import CODES, EXPLODES_AT, Kind, Plan
from bedside_tui.sources.scripted_probes import usual_probes

WALL_START = 1_795_143_240.0
"""2026-11-20 02:54 UTC."""

OF_THE_HUB = (AlertChanged, AlertShelved, LifecycleChanged, RulesDeclared)
"""What the hub itself says in it."""

_NAMES: dict[Kind, str] = {"collapse": "digits-1", "healthy": "digits-0", "explosion": "digits-2"}


def scripted_run(
    kind: Kind = "collapse",
    *,
    steps: int = 12_431,
    seconds: float = 764.0,
    seed: int = 0,
    ended: bool = False,
    probes: Literal["usual", "all"] = "usual",
) -> list[Record]:
    """Records in the order of time. `ended`: the run says goodbye at the end, otherwise it is still going on.

    `probes`: a codebook, gradients and samples, as most scripts have them; or one of every kind there is.
    """
    plan = Plan(kind, steps, seconds, seed)
    said = [*_beginning(plan), *_metrics(plan), *_system(plan), *usual_probes(plan), *_story(plan)]
    said += every_other_probe(plan) if probes == "all" else ()
    if ended:
        said += [
            (plan.seconds + 0.1, Ended("finished", steps)),
            (plan.seconds + 0.2, LifecycleChanged("finished", "", steps)),
        ]
    said.sort(key=lambda entry: entry[0])
    counters: dict[int, int] = {}
    records = []
    for seq, (time, body) in enumerate(said, start=1):
        rank = HUB_RANK if isinstance(body, OF_THE_HUB) else 0
        counters[rank] = counters.get(rank, 0) + 1
        records.append(Record(time, body, rank, counters[rank], seq))
    return records


def _beginning(plan: Plan) -> Iterator[tuple[float, Body]]:
    yield (
        0.0,
        RunStarted(
            id=f"k3v9-{_NAMES[plan.kind]}",
            name=_NAMES[plan.kind],
            project="tokenizer",
            wall_start=WALL_START,
            host="node-7",
            pid=41_207,
            argv=("train.py", "--codes", str(CODES)),
            config={"codes": CODES, "lr": 3e-4, "commitment": 0.25, "ema": plan.kind != "collapse", "seed": plan.seed},
            python="3.12.4",
            torch="2.13.0",
            git_commit="4f1c2ab",
        ),
    )
    yield 0.0, LifecycleChanged("starting", "no step yet", 0)
    yield plan.time(1), LifecycleChanged("running", "", 1)


def _metrics(plan: Plan) -> Iterator[tuple[float, Body]]:
    """A row every tenth step in blocks of about a second, and an evaluation every thousandth."""
    noise = np.random.default_rng(plan.seed)
    stride = max(1, int(10 * plan.steps / 12_431))
    steps = np.arange(stride, plan.steps + 1, stride)
    curves = _curves(plan, steps, noise)
    names = tuple(curves)
    values = np.stack(list(curves.values()))
    rows = max(1, round(plan.rate / stride))
    for first in range(0, len(steps), rows):
        part = slice(first, first + rows)
        times = steps[part] / plan.rate
        yield float(times[-1]), Metrics(names, steps[part].astype(np.int64), times, values[:, part])
    evaluations = np.arange(1000, plan.steps + 1, 1000, dtype=np.int64)
    for step in evaluations:
        loss = 0.016 + 0.4 * np.exp(-step / 700) + 0.0006 * noise.standard_normal()
        yield (
            plan.time(float(step)),
            Metrics(
                ("eval/loss", "eval/psnr"), np.array([step]), np.array([plan.time(float(step))]), np.array([[loss], [-10 * np.log10(loss)]])
            ),
        )


def _curves(plan: Plan, steps: NDArray[np.int64], noise: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    at = steps / plan.steps
    sick = np.array([plan.sickness(float(step)) for step in steps])

    def jitter(share: float) -> NDArray[np.float64]:
        return np.exp(share * noise.standard_normal(len(steps)))

    broken = np.exp(60 * np.clip(at - EXPLODES_AT, 0, 0.1)) if plan.kind == "explosion" else 1.0
    recon = (0.0128 + 0.31 * np.exp(-at * 34) + 0.03 * np.exp(-at * 6)) * jitter(0.05) * broken
    commit = (0.024 + 0.09 * np.exp(-at * 18) + 0.068 * sick**0.6) * jitter(0.06)
    codebook = (0.009 + 0.05 * np.exp(-at * 18)) * jitter(0.06)
    warm = np.minimum(1.0, at / 0.04)
    lr = 3e-4 * warm * (0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * np.clip((at - 0.04) / 1.4, 0, 1))))
    return {
        "loss": recon + 0.25 * commit * 0.3 + codebook,
        "loss/recon": recon,
        "loss/commit": commit,
        "loss/codebook": codebook,
        "lr": lr,
        "grad_norm": (0.9 + 2.2 * np.exp(-at * 9) + 0.35 * np.sin(at * 40) ** 2) * jitter(0.16),
        "psnr": -10 * np.log10(recon),
        "weight_norm": 41.0 + 6.0 * np.sqrt(at) + 0.01 * noise.standard_normal(len(steps)),
        "ema/decay": np.where(at < 0.1, 0.9, 0.99),
        "acc[nearest]": np.clip(0.975 - 0.6 * np.exp(-at * 12) + 0.004 * noise.standard_normal(len(steps)), 0, 1),
        "samples_per_second": plan.rate * 64 * jitter(0.01),
        "epoch": np.floor(steps / 29.0),
    }


def _system(plan: Plan) -> Iterator[tuple[float, Body]]:
    noise = np.random.default_rng(plan.seed + 1)
    for second in range(1, int(plan.seconds)):
        sway = noise.standard_normal(3)
        vitals = {
            "cpu_percent": 182 + 6 * sway[0],
            "memory": 1.2e9 + 2e5 * second,
            "memory_total": 24e9,
            "memory_available": 17.5e9,
            "step_ms": 1e3 / plan.rate * (1 + 0.02 * sway[1]),
            "step_ms_p95": 1.3e3 / plan.rate,
            "data_wait": 0.03 + 0.004 * sway[2],
        }
        names = tuple(f"system/{name}" for name in vitals)
        step, time = np.array([int(second * plan.rate)]), np.array([float(second)])
        yield float(second), Metrics(names, step, time, np.array(list(vitals.values()))[:, None])


def _story(plan: Plan) -> Iterator[tuple[float, Body]]:
    """What happened on the way: a checkpoint asked for, a pause, notes, and in the sick run its alarms."""
    step = int(0.8044 * plan.steps)
    asked = plan.time(step) - 0.4
    command = "c-1"
    yield asked, CommandChanged(command, "checkpoint", "requested", "you")
    yield asked + 0.02, CommandChanged(command, "checkpoint", "accepted", "you")
    yield asked + 0.03, CommandChanged(command, "checkpoint", "scheduled", "you", step=step)
    yield asked + 0.4, CheckpointSaved(f"ckpt/step_{step:06d}.pt", 48_200_000, step, seconds=0.21, command=command)
    yield asked + 0.41, CommandChanged(command, "checkpoint", "applied", "you", f"saved ckpt/step_{step:06d}.pt", step)
    quarter = plan.steps // 4
    yield plan.time(quarter), Event("lr warm-up over", quarter, {"lr": 3e-4})
    yield plan.time(quarter * 2), Note("reconstructions look sharp, leaving it over night", "you", quarter * 2)
    yield from _judgements(plan)
    if plan.kind == "collapse":
        yield from _alarms(plan)
    elif plan.kind == "explosion":
        yield from explosion(plan)


def _judgements(plan: Plan) -> Iterator[tuple[float, Body]]:
    """Rules that cannot judge at first, and then find nothing."""
    warm, learnt = int(0.081 * plan.steps), int(0.02 * plan.steps)
    for rule in ("codebook-collapse", "codebook-perplexity"):
        yield 0.02, AlertChanged(rule, "vq", "not_checked", message=f"warming up: before step {warm:,}")
        yield plan.time(warm), AlertChanged(rule, "vq", "ok", step=warm)
    for rule in ("nonfinite", "explosion", "loss-level"):
        yield 0.02, AlertChanged(rule, "loss", "not_checked", message=f"before step {learnt:,}")
        yield plan.time(learnt), AlertChanged(rule, "loss", "ok", step=learnt)
    yield plan.time(50) + 0.01, AlertChanged("dead-parameters", "gradients", "ok", step=50)
    yield 0.02, AlertChanged("loss-level", "eval/loss", "not_checked", message="fewer than 50 values")


def _alarms(plan: Plan) -> Iterator[tuple[float, Body]]:
    rising, uneven, collapse = (int(share * plan.steps) for share in (0.838, 0.932, 0.957))
    began, seen = rising - int(0.0097 * plan.steps), rising - int(0.0073 * plan.steps)
    level = AlertChanged("loss-level", "loss/commit", "pending", "amber", seen, began, 0.051, "rising", "loss-level", 1)
    yield plan.time(seen), level
    yield (
        plan.time(rising),
        replace(level, state="firing", step=rising, value=0.058, message=f"level 0.058, was 0.0242, since step {began:,}"),
    )
    yield plan.time(uneven), AlertChanged(
        "codebook-perplexity", "vq", "firing", "amber", uneven, uneven - 100, 97.0,
        f"perplexity 97 of 512 since step {uneven - 100:,}", "codebook-perplexity", 1,
    )  # fmt: skip
    yield plan.time(collapse), AlertChanged(
        "codebook-collapse", "vq", "firing", "red", collapse, collapse - 200, 41.0,
        f"41 of 512 codes since step {collapse - 200:,}", "codebook-collapse", 1,
    )  # fmt: skip
