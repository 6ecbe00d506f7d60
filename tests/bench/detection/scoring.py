"""From what a detector said of a run to what that is worth, and from many runs to shares with their intervals. Pure: values in, values out.

What counts: from the onset on every alarm that begins is a detection; before it, and in a healthy run, a false one. One that began
before the onset and goes on, or turns red, after it is none: of no detector. A healthy run of which `Truth`
gives an onset has one odd batch there: one alarm within `ODD` steps of it is true of the run where it is amber and rightly named, or of a
detector that has neither names nor amber. It is counted apart, as excused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from typing import Final

from .model import Alarm, Run, Truth

PROMPT: Final = 100
"""Steps from the onset within which a fault that a metric shows is to be found; where a probe sees it, it is one interval of that probe, as
the script asked for it."""
ODD: Final = 10
CHATTERS: Final = 3
"""Episodes of one rule on one target in one run."""
_Episode = tuple[str, str, int]
"""Rule, target, and which of theirs."""
_Z95: Final = 1.959964
"""The 97.5 % point of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with the Wilson interval of 95 % (Wilson 1927)."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.count / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Everything, of nothing."""
        if not self.of:
            return 0.0, 1.0
        spread = _Z95**2 / self.of
        middle = (self.value + spread / 2) / (1 + spread)
        half = _Z95 * sqrt(self.value * (1 - self.value) / self.of + spread / (4 * self.of)) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run under one detector. Steps are counted from the onset; None where there was no such alarm."""

    run: str
    program: str
    truth: Truth
    steps: int
    begins: int
    """The first step of its log: later than the first of a training where the log is not whole."""
    false: tuple[Alarm, ...]
    """Episodes that had no reason, at their worst."""
    excused: int
    found: tuple[Alarm, ...]
    """Alarms that began since the onset, by step, and where they turned red; empty for a healthy run."""
    chatter: tuple[tuple[str, str], ...]
    """Rules and targets."""
    snapshots: int | None
    """Snapshots of the first alarm's probe from the onset to the alarm; None where its target is no probe."""
    interval: int | None
    """Steps between the last two of them: what the probe's budget made of its schedule."""

    @property
    def is_whole(self) -> bool:
        return self.begins <= ODD

    @property
    def healthy_steps(self) -> int:
        """Steps in which every alarm is a false one."""
        return self.steps if self.truth.is_healthy else max(0, min(self.steps, self.truth.onset - max(1, self.begins)))

    @property
    def first(self) -> int | None:
        return self.found[0].step - self.truth.onset if self.found else None

    @property
    def is_red(self) -> bool:
        return any(alarm.severity == "red" for alarm in self.found)

    @property
    def in_time(self) -> bool:
        return self._is_found_within(self.truth.onset)

    @property
    def shown(self) -> int | None:
        """Steps from the onset until the catalogue's quantity shows the fault for good; None where it never does, or nobody says."""
        return None if self.truth.shown is None else self.truth.shown - self.truth.onset

    @property
    def in_time_of_sign(self) -> bool:
        """The same, counted from the step at which that quantity does: before it an alarm is early."""
        return self.truth.shown is not None and self._is_found_within(self.truth.shown)

    def _is_found_within(self, since: int) -> bool:
        allowed = PROMPT if self.truth.curve or self.truth.every == 1 else self.truth.every
        return bool(self.found) and self.found[0].step <= since + allowed

    @property
    def is_named(self) -> bool:
        return any(alarm.rule in self.truth.rules for alarm in self.found)

    @property
    def alarms(self) -> int:
        """Distinct ones: a rule on a target that comes back, or turns red, is one alarm."""
        return len({(alarm.rule, alarm.target) for alarm in self.found})

    @property
    def lead(self) -> int | None:
        """Steps from the first alarm to the first NaN that comes after it."""
        nan = self.truth.first_nan
        return nan - self.found[0].step if nan is not None and self.found and self.found[0].step < nan else None

    @property
    def after_nan(self) -> int | None:
        """Steps from the first NaN to red, 0 where it was red before; None without a NaN or without red."""
        reds = [alarm.step for alarm in self.found if alarm.severity == "red"]
        return None if self.truth.first_nan is None or not reds else max(0, reds[0] - self.truth.first_nan)


def outcome(run: Run, alarms: Iterable[Alarm], snapshots: Mapping[str, Sequence[int]] | None = None, begins: int = 1) -> Outcome:
    """`snapshots`: the steps at which each probe of the run measured, by its name."""
    truth = run.truth
    said = sorted(alarms, key=lambda alarm: alarm.step)
    unfounded = episodes(alarm for alarm in said if truth.is_healthy or alarm.step < truth.onset)
    found = () if truth.is_healthy else tuple(_begun_since(truth.onset, said))
    excused = next((alarm for alarm in unfounded if _is_odd_batch(truth, alarm)), None)
    seen = _since(truth.onset, found[0], snapshots or {}) if found else []
    return Outcome(
        run=run.name,
        program=run.program,
        truth=truth,
        steps=run.steps,
        begins=begins,
        false=tuple(alarm for alarm in unfounded if alarm is not excused),
        excused=int(excused is not None),
        found=found,
        chatter=tuple(key for key, times in Counter((one.rule, one.target) for one in episodes(said)).items() if times >= CHATTERS),
        snapshots=sum(step >= truth.onset for step in seen) or None,
        interval=seen[-1] - seen[-2] if len(seen) > 1 else None,
    )


def episodes(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Each at its worst: red right after amber of the same alarm is no episode of its own, but that one grown worse."""
    begun = list[Alarm]()
    last = dict[_Episode, int]()
    for alarm in alarms:
        place = last.get(_episode(alarm))
        if place is not None and (begun[place].severity, alarm.severity) == ("amber", "red"):
            begun[place] = replace(begun[place], severity="red")
        else:
            last[_episode(alarm)] = len(begun)
            begun.append(alarm)
    return begun


def _episode(alarm: Alarm) -> _Episode:
    return alarm.rule, alarm.target, alarm.episode


def _begun_since(onset: int, alarms: Sequence[Alarm]) -> Iterator[Alarm]:
    """The alarms from the onset on, without the red ones of an episode that was amber before it."""
    before = {_episode(alarm): alarm.severity for alarm in alarms if alarm.step < onset}
    for alarm in alarms:
        if alarm.step >= onset and (before.pop(_episode(alarm), ""), alarm.severity) != ("amber", "red"):
            yield alarm


def _is_odd_batch(truth: Truth, alarm: Alarm) -> bool:
    near = truth.is_healthy and truth.onset and truth.onset <= alarm.step <= truth.onset + ODD
    return bool(near) and (not alarm.rule or (alarm.severity == "amber" and alarm.rule in truth.rules))


def _since(onset: int, alarm: Alarm, snapshots: Mapping[str, Sequence[int]]) -> list[int]:
    """The steps of the alarm's probe up to the alarm, the last before the onset included."""
    until = [step for step in snapshots.get(alarm.target, ()) if step <= alarm.step]
    return until[max(0, sum(step < onset for step in until) - 1) :]


def share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> Share:
    return Share(sum(map(holds, outcomes)), len(outcomes))


def sick(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if not one.truth.is_healthy]


def healthy(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.truth.is_healthy]


def recall(outcomes: Iterable[Outcome], *, red: bool) -> Share:
    """Of the sick runs: those with an alarm since the onset, or with a red one."""
    return share(sick(outcomes), lambda one: one.is_red if red else bool(one.found))


def named(outcomes: Iterable[Outcome]) -> Share:
    """Of the runs found, and of which somebody says what they have: those whose alarms say so too."""
    return share([one for one in sick(outcomes) if one.found and one.truth.rules], lambda one: one.is_named)


def disturbed(outcomes: Iterable[Outcome], *, red: bool) -> Share:
    """Of the healthy runs: those with a false alarm, or a false red one."""
    return share(healthy(outcomes), lambda one: any(alarm.severity == "red" or not red for alarm in one.false))


def disturbed_programs(outcomes: Sequence[Outcome]) -> Share:
    """Of the programs with healthy runs: those with any false alarm in them. Runs of one program are not independent, programs are."""
    programs = {one.program for one in healthy(outcomes)}
    return Share(len({one.program for one in healthy(outcomes) if one.false} & programs), len(programs))


def false_rate(outcomes: Iterable[Outcome]) -> float:
    """False episodes per 10,000 healthy steps, those before an onset included; NaN without any."""
    kept = list(outcomes)
    steps = sum(one.healthy_steps for one in kept)
    return sum(len(one.false) for one in kept) * 10_000 / steps if steps else float("nan")


def quantile(values: Iterable[float], q: float) -> float:
    """The smallest value that at least the share `q` does not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(q * len(ordered)) - 1)] if ordered else float("nan")


def latencies(outcomes: Iterable[Outcome]) -> list[int]:
    return [one.first for one in sick(outcomes) if one.first is not None]


LATE: Final = 200
"""A NaN from this step on is a late one; before it there is hardly anything to warn by."""
LEADS: Final = (1, 10, 100, 1000)
"""Edges of the histogram of warnings before NaN, in steps."""


def leads(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many were warned how long before their late first NaN; under `none`, how many were not."""
    bins = {f"{low:,} to {high - 1:,}": 0 for low, high in pairwise(LEADS)} | {f"{LEADS[-1]:,} and more": 0}
    names = list(bins)
    counted = Counter[str]()
    for one in outcomes:
        if one.truth.first_nan is not None and one.truth.first_nan >= LATE:
            counted["none" if one.lead is None else names[sum(one.lead >= edge for edge in LEADS) - 1]] += 1
    return {name: counted[name] for name in ("none", *names)}
