"""The story of a scripted run whose loss explodes: judged by rules of its own, which act, with a checkpoint on either side of the break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bedside_protocol.records import (
    AlertChanged,
    AlertShelved,
    Body,
    CheckpointSaved,
    CommandChanged,
    ExpectationDeclared,
    RulesDeclared,
    Verb,
)
from bedside_tui.sources.scripted_plan import EXPLODES_AT, Plan

RULES = """\
[rules.explosion]
on_amber = ["checkpoint"]
on_red = ["notify"]

[rules.overfitting]
off = true

[rules.slow-data]
title = "waiting for data"
watch = { metric = "system/data_wait*" }
when = { beyond = { amber_above = 0.2 } }
horizon = "hour"
"""
"""What the run's own file says."""


def explosion(plan: Plan) -> Iterator[tuple[float, Body]]:
    """Everything beside the curves, with its times."""
    yield 0.001, RulesDeclared("mine.toml", RULES)
    for text in ("loss < 0.5 by {:.0f}", "psnr > 15 after {:.0f}"):
        yield 0.002, ExpectationDeclared(text.format(plan.steps // 5))
    yield 0.003, ExpectationDeclared(f"eval/psnr > 30 by {2 * plan.steps}", "red")
    yield from _expectations(plan)
    yield from _waiting(plan)
    yield from _break(plan)


def _expectations(plan: Plan) -> Iterator[tuple[float, Body]]:
    looked, broke = plan.steps // 5, int((EXPLODES_AT + 0.02) * plan.steps)
    yield 0.02, AlertChanged("expectation", "loss", "not_checked", message=f"before step {looked:,}")
    yield plan.time(looked), AlertChanged("expectation", "loss", "ok", step=looked)
    yield plan.time(looked), AlertChanged("expectation-2", "psnr", "ok", step=looked)
    yield (
        plan.time(broke),
        AlertChanged(
            "expectation-2", "psnr", "firing", "amber", broke, broke, 11.2, f"11.2, expected > 15 after {looked}", "expectation", 1
        ),
    )
    yield 0.02, AlertChanged("expectation-3", "eval/psnr", "not_checked", message=f"before step {2 * plan.steps:,}")


def _waiting(plan: Plan) -> Iterator[tuple[float, Body]]:
    """An alarm that can wait, and that somebody has put aside; then another that nobody has."""
    for rank, at in (("", 0.4), (" rank 1", 0.6)):
        step = int(at * plan.steps)
        target = f"system/data_wait{rank}"
        yield plan.time(step), AlertChanged("slow-data", target, "firing", "amber", step, step - 40, 0.31, "0.31 for 40 steps", "", 1)
    yield plan.time(0.45 * plan.steps), AlertShelved("slow-data", "system/data_wait", "you", 3600.0)


def _break(plan: Plan) -> Iterator[tuple[float, Body]]:
    began, red = int(EXPLODES_AT * plan.steps), int((EXPLODES_AT + 0.015) * plan.steps)
    for share in (0.3, 0.6, 0.8):
        step = int(share * plan.steps)
        yield plan.time(step), CheckpointSaved(f"ckpt/step_{step:06d}.pt", 48_200_000, step)
    amber = AlertChanged(
        "explosion", "loss", "firing", "amber", began + 20, began, 0.41, f"0.41 after 0.02, since step {began:,}", "explosion", 1
    )
    yield plan.time(began + 20), amber
    yield from _asked(plan, "checkpoint", began + 20, f"ckpt/step_{began + 21:06d}.pt")
    yield (
        plan.time(red),
        replace(amber, severity="red", step=red, value=3.1, message=f"3.1 after 0.02, since step {began:,}"),
    )
    yield from _asked(plan, "notify", red, "")


def _asked(plan: Plan, verb: Verb, step: int, path: str) -> Iterator[tuple[float, Body]]:
    """What the explosion's rule asks for, to the end."""
    who, time, command = "rule explosion on loss", plan.time(step), f"rule-{verb}"
    yield time + 0.01, CommandChanged(command, verb, "requested", who)
    yield time + 0.02, CommandChanged(command, verb, "accepted", who)
    if path:
        yield time + 0.3, CheckpointSaved(path, 48_200_000, step + 1, seconds=0.21, command=command)
    yield time + 0.31, CommandChanged(command, verb, "applied", who, f"saved {path}" if path else "told by mail", step + 1)
