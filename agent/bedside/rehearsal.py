"""The rehearsal before a long run: everything that will happen later happens once now, within two minutes, and is judged.

This file knows the order of the checks, the time they may take and how the verdict reads. What each check does is told in
`preflight_batch` and `preflight_run`. (It is not called `preflight`: `bedside.preflight` is the function.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, Unpack

from bedside_protocol.records import Snapshot

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.optim import Optimizer

State: TypeAlias = Literal["ok", "warn", "fail", "not checked"]
SECONDS: Final = 120.0
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, and in words what came of it."""

    name: str
    state: State
    words: str

    def __str__(self) -> str:
        return f"{self.state:11}  {self.name}: {self.words}"


@dataclass(frozen=True, slots=True)
class Preflight:
    """The verdict: passed where nothing failed. What could not be checked says so, and does not fail."""

    passed: bool
    checks: tuple[Check, ...]
    seconds: float = 0.0

    def count(self, state: State) -> int:
        return sum(check.state == state for check in self.checks)

    def headline(self) -> str:
        """`preflight passed: 9 ok, 1 warn, 0 fail, 2 not checked, in 3 s`"""
        counts = ", ".join(f"{self.count(state)} {state}" for state in ("ok", "warn", "fail", "not checked"))
        return f"preflight {'passed' if self.passed else 'FAILED'}: {counts}, in {self.seconds:.0f} s"

    def snapshot(self, step: int) -> Snapshot:
        """The verdict as a run records it. Its seconds are a scalar and no cost: they were taken of no step."""
        scalars = {
            "passed": float(self.passed),
            "failed": float(self.count("fail")),
            "warned": float(self.count("warn")),
            "not_checked": float(self.count("not checked")),
            "seconds": self.seconds,
        }
        return Snapshot("preflight", "preflight", step, scalars, {}, {"verdict": tuple(map(str, self.checks))})


Loss: TypeAlias = "Callable[[Any, Any], Tensor]"
"""`loss(model, batch)`: one training loss as a scalar tensor."""


class Given(TypedDict, total=False):
    """What a preflight may be given besides a model, a batch and a loss: see `bedside.preflight`."""

    optimizer: Optimizer | Sequence[Optimizer] | None
    batches: Sequence[Any]
    modes: Mapping[str, Callable[..., object]] | None
    save: Callable[[str], object] | None
    steps: int
    length: int | None
    stride: int
    available: int | None


@dataclass(frozen=True)
class Plan:
    """What is rehearsed."""

    model: Module
    batch: Any
    loss: Loss
    optimizers: Sequence[Optimizer] = ()
    batches: Sequence[Any] = ()
    modes: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    save: Callable[[str], object] | None = None
    steps: int = 100
    length: int | None = None
    stride: int = 1
    available: int | None = None

    @property
    def all_batches(self) -> list[Any]:
        return [self.batch, *self.batches]


Left: TypeAlias = Callable[[], float]
"""Seconds that are left."""
Trial: TypeAlias = Callable[[Plan, Left], Iterator[Check]]


def plan_of(model: Module, batch: Any, loss: Loss, given: Given) -> Plan:
    """A plan out of what a script gives: one optimizer, several or none; wrapped ones are unwrapped. Raises `TypeError`."""
    rest: dict[str, Any] = dict(given)
    optimizer = rest.pop("optimizer", None)
    several = [] if optimizer is None else list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    rest["optimizers"] = [getattr(one, "optimizer", one) for one in several]  # accelerate's wraps the real one
    return Plan(model, batch, loss, **rest | {"batches": list(rest.get("batches", ())), "modes": dict(rest.get("modes") or {})})


def preflight(model: Module, batch: Any, loss: Loss, **given: Unpack[Given]) -> Preflight:
    """Rehearse what a script gives. Never raises."""
    try:
        return rehearse(plan_of(model, batch, loss, given))
    except Exception as error:  # arguments of a wrong form are said like every other finding
        return Preflight(False, (Check("preflight", "fail", words_of(error)),))


def rehearse(plan: Plan, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> Preflight:
    """Try everything in `plan`, within about `seconds`, and put model, optimizers and random states back bit for bit. Never raises.

    A trial that is under way is not interrupted; those that then have no time left say so.
    """
    from .as_it_was import as_it_was
    from .preflight_batch import BATCH_TRIALS
    from .preflight_run import RUN_TRIALS

    began = clock()

    def left() -> float:
        return began + seconds - clock()

    checks: list[Check] = []
    try:
        with as_it_was(plan.model, plan.optimizers):
            for name, trial in (*BATCH_TRIALS, *RUN_TRIALS):
                checks += tried(name, trial, plan, left)
    except Exception as error:  # a model that cannot be copied, or put back, must not go into a long run unnoticed
        checks.append(Check("putting back", "fail", words_of(error)))
    return Preflight(all(check.state != "fail" for check in checks), tuple(checks), clock() - began)


def tried(name: str, trial: Trial, plan: Plan, left: Left) -> Iterator[Check]:
    """What a trial finds; an exception is a finding."""
    if left() <= 0:
        yield Check(name, "not checked", "no time was left")
        return
    try:
        yield from trial(plan, left)
    except Exception as error:  # this is what is being looked for
        yield Check(name, "fail", words_of(error))


def words_of(error: BaseException) -> str:
    """An exception on one line, with where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace is not None else ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_WORDS] + where
