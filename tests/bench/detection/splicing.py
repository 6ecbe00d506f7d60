"""Divergences in mid-run: healthy public curves which from a random step on go the way of a curve that did diverge, or ramp up for good.

All public curves that diverge do so by their third step, so none tells what a monitor says of a training that was well for thousands of
steps. Here the values after the splice are the healthy run's level just before it, times the factors of a fault, times the healthy run's
own noise: its values over their rolling median. Three splices a run, each of another form, the five forms in turn (a fifth of all each):

- `jump`: the factors are a public `diverged` curve over its first value, of another problem, unsmoothed.
- `blow-up`: the factors are what a public curve did between its last usual value and its first NaN, over its level before, of
  another problem; NaN follows, and the log ends. Only curves that had learnt by then.
- `ramp of 10`, `100`, `1000` steps, straight in log space, and it stays up. How much of the drop since the first value is lost at its end
  is drawn evenly from half to one and a half of it, in the loss's own unit.

A jump is a divergence only where it lasts: of the donors, from a random one on, the first is taken whose level stays above the middle
between the healthy level and the first value, from 500 steps after the splice to the end of the log.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Record

from .corpus import loss, restarted
from .curve import Curve, blocks, started
from .model import Run, Truth

EARLIEST: Final = 2000
AFTER: Final = 3000
"""Steps a log goes on after the splice, at most."""
LEAST_AFTER: Final = 2000
A_RUN: Final = 3
FORMS: Final = ("jump", "ramp of 10", "blow-up", "ramp of 100", "ramp of 1000")
RULES: Final = ("loss-level", "explosion", "nonfinite")

_WINDOW: Final = 51
_SETTLED: Final = 500
_USUAL: Final = 1.5
"""A value up to this factor above the median of the `_WINDOW` before it is a usual one, for the beginning of a blow-up."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """What a sick curve did, as factors of the level it had: (n,), n at most `AFTER`."""

    name: str
    program: str
    factors: Values


@dataclass(frozen=True, slots=True)
class Donors:
    jumps: tuple[Donor, ...]
    blow_ups: tuple[Donor, ...]


def donors(runs: Iterable[Run]) -> Donors:
    """Those among the runs of the corpus."""
    jumps: list[Donor] = []
    blow_ups: list[Donor] = []
    for run in runs:
        if run.truth.family == "diverged":
            values = loss(run).values
            jumps.append(Donor(run.name, run.program, values[1 : AFTER + 1] / values[0]))
        elif run.truth.family == "nan_late":
            factors = _blow_up(loss(run).values)
            if len(factors):
                blow_ups.append(Donor(run.name, run.program, factors))
    return Donors(tuple(jumps), tuple(blow_ups))


def _blow_up(values: Values) -> Values:
    """The values from the last usual one to the first that is not finite, over the level before; empty where it had learnt nothing, or
    went from a usual value to NaN."""
    end = int(np.flatnonzero(~np.isfinite(values))[0])
    begin = end
    while begin > _WINDOW and values[begin - 1] > _USUAL * np.median(values[begin - 1 - _WINDOW : begin - 1]):
        begin -= 1
    before = float(np.median(values[max(0, begin - _WINDOW) : begin]))
    learnt = before < values[0]
    return values[begin:end][:AFTER] / before if learnt else values[:0]


def splices(runs: Iterable[Run], donors: Donors) -> Iterator[Run]:
    """Three of each healthy run that is long enough; which, where and how depends on the names of the runs and of the donors alone."""
    number = 0
    for run in runs:
        if not run.truth.is_healthy or run.steps < EARLIEST + LEAST_AFTER:
            continue
        for place in range(A_RUN):
            source = random.Random(f"{run.name} {place}")
            at = source.randrange(EARLIEST, run.steps - LEAST_AFTER)
            yield _splice(run, at, FORMS[number % len(FORMS)], donors, source)
            number += 1


def resumed(spliced: Run) -> Run:
    """The same log without its beginning: it continues another, and what was logged of the healthy training is a random part of it, of at
    least a thousand steps."""
    onset = spliced.truth.onset
    cut = random.Random(f"{spliced.name} resumed").randrange(200, onset - 1000)
    return replace(restarted(spliced, cut), source="spliced, resumed")


def _splice(run: Run, at: int, form: str, donors: Donors, source: random.Random) -> Run:
    lost = source.uniform(0.5, 1.5)
    candidates = _candidates(run, form, donors, source)
    first_nan = at + len(candidates[0].factors) + 1 if form == "blow-up" else None
    truth = Truth(form, onset=at + 1, rules=RULES, first_nan=first_nan)
    records = partial(_records, run, at, form, candidates, lost)
    return Run(f"{run.name} {form} at {at}", run.program, "spliced", truth, records, min(run.steps, at + AFTER))


def _candidates(run: Run, form: str, donors: Donors, source: random.Random) -> Sequence[Donor]:
    """Those of other problems, from a random one on; none for a ramp. Raises ValueError where there are none."""
    if form.startswith("ramp"):
        return ()
    found = [donor for donor in (donors.jumps if form == "jump" else donors.blow_ups) if donor.program != run.program]
    if not found:
        raise ValueError(f"no {form} of another problem than {run.program}")
    begin = source.randrange(len(found))
    return (*found[begin:], *found[:begin])


def _records(run: Run, at: int, form: str, donors: Sequence[Donor], lost: float) -> Sequence[Record]:
    return (started(run.name, run.program), *blocks(spliced(loss(run), at, form, donors, lost)))


def spliced(curve: Curve, at: int, form: str, donors: Sequence[Donor], lost: float) -> Curve:
    """The curve's first `at` values, and then the fault: the first of the donors that makes a divergence of it, or a ramp by which the
    share `lost` of the drop is lost. Raises ValueError where no donor does."""
    values = curve.values[: at + AFTER]
    level, first = float(np.median(values[at - _WINDOW : at])), float(np.median(values[:10]))
    noise = values[at:] / _rolling_median(values[at - _WINDOW :], len(values) - at)
    if form.startswith("ramp"):
        factors = _ramp(int(form.rsplit(" ", 1)[1]), (level + lost * (first - level)) / level, len(noise))
    else:
        factors = (_lasting(donors, (level + first) / 2 / level) if form == "jump" else donors[0].factors)[: len(noise)]
    after = level * factors * noise[: len(factors)]
    if form == "blow-up":
        after = np.append(after, np.full(min(_WINDOW, len(noise) - len(after)), np.nan))
    return Curve(curve.steps[: at + len(after)], np.concatenate([values[:at], after]))


def _lasting(donors: Sequence[Donor], needed: float) -> Values:
    for donor in donors:
        if float(_rolling_median(donor.factors, len(donor.factors) - _SETTLED).min()) >= needed:
            return donor.factors
    raise ValueError(f"no donor stays {needed:.3g} times above its level")


def _ramp(steps: int, factor: float, length: int) -> Values:
    return np.asarray(factor ** np.minimum(1.0, np.arange(1, length + 1) / steps), np.float64)


def _rolling_median(values: Values, count: int) -> Values:
    """The medians of the windows that end at the last `count` values."""
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW)[-count:]
    return np.asarray(np.median(windows, axis=1), np.float64)
