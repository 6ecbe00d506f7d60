"""A test of a rule as a person writes it: a series of values, and the state the rule must be in at certain steps.

It runs the rule through the engine that judges trainings, alone, so that no other alarm explains it away. Numbers of a probe can be
written, its lists of names cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.notation import NotationError, series
from bedside_protocol.alerts.rule_schema import Reader, meant
from bedside_protocol.alerts.rules import OnMetric, OnProbe, OnRun, Rule
from bedside_protocol.alerts.toml_lines import Path
from bedside_protocol.records import AlertChanged, Body, Metrics, Record, Snapshot, Tick

Expected: TypeAlias = Literal["not checked", "ok", "pending", "amber", "red", "cleared"]

_LAST: Final = 1_000_000_000
"""Steps beyond which nothing is tested."""
_ALONE: Final = ""
"""The name of a series that needs none."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One test in a file."""

    rule: str
    target: str
    """The metric, or the probe; `run` for a rule about the run."""
    series: Mapping[str, str]
    """The values: one line for a metric, `{field = line}` for a probe (a line of one value holds throughout); for the run, its step
    second by second."""
    expect: Mapping[str, Expected]
    """The state after the value of each of these steps (seconds, for the run)."""
    every: int = 1
    """Steps from one value to the next."""
    first: int = 0
    """The step of the first value."""
    pace: float = 1.0
    """Seconds a step takes."""


def trial_of(raw: Any, reader: Reader, path: Path) -> Any:
    """A `[[tests]]` table as a trial; what is wrong in it is noted by the reader."""
    if isinstance(raw, dict) and isinstance(raw.get("series"), str):
        raw = {**raw, "series": {_ALONE: raw["series"]}}
    return reader.table(Trial, raw, path)


def objections(trial: Trial, rules: Sequence[Rule], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """What is impossible in a test: the key it is said of, and why. `known`: all names of rules, also of refused ones."""
    judged = [rule for rule in rules if rule.name == trial.rule]
    if not judged and trial.rule in known:
        pass  # what is wrong with it has been said
    elif not judged:
        yield "rule", f"no rule is called {trial.rule}{meant(trial.rule, known)}"
    elif (_ALONE in trial.series) == isinstance(judged[0].watch, OnProbe):
        yield "series", "write {field = …} for a probe, and one line for anything else"
    if not 1 <= trial.every <= _LAST:
        yield "every", f"every = {trial.every} is impossible: it is from 1 to {_LAST:,}"
    if not 0 <= trial.first <= _LAST:
        yield "first", f"first = {trial.first} is impossible: it is from 0 to {_LAST:,}"
    if trial.pace <= 0:
        yield "pace", f"pace = {trial.pace:g} is impossible: it is more than zero"
    yield from (("expect", f'"{step}" is no step') for step in trial.expect if not step.isdecimal())
    if not trial.expect:
        yield "expect", "nothing is expected: a test that cannot fail"
    if not trial.series:
        yield "series", "a series without values"
    for text in trial.series.values():
        yield from (("series", why) for why in _wrong_series(text, of_steps=bool(judged) and judged[0].watch == OnRun()))


def _wrong_series(text: str, *, of_steps: bool) -> Iterator[str]:
    try:
        values = series(text)
    except NotationError as error:
        yield str(error)
        return
    if not values:
        yield "a series without values"
    if of_steps and not all(value is None or isfinite(value) for value in values):
        yield "the run is always at some step: nan and inf are none"


def failures(trial: Trial, rules: Sequence[Rule]) -> tuple[str, ...]:
    """What came out otherwise than expected, a sentence each; empty where the test passes."""
    states = list(_states(trial, [rule for rule in rules if rule.name == trial.rule]))
    if not any(state for _, state in states):
        return (f"{trial.rule} does not look at {trial.target}",)
    found = []
    for at, expected in sorted((int(step), expected) for step, expected in trial.expect.items()):
        state = next((state for step, state in reversed(states) if step <= at), "") or "not checked"
        if state != expected:
            found.append(f"at {at:,}: expected {expected}, is {state}")
    return tuple(found)


def _states(trial: Trial, rules: Sequence[Rule]) -> Iterator[tuple[int, str]]:
    """The state after each value, empty before the rule has looked."""
    engine, state = Engine(rules), ""
    for at, time, body in _bodies(trial, type(rules[0].watch), getattr(rules[0].watch, "kind", "")):
        for change in engine.observe(Record(time, body)):
            if change.target == trial.target:
                state = _word(change)
        yield at, state


def _word(change: AlertChanged) -> str:
    return str(change.severity) if change.state == "firing" else change.state.replace("_", " ")


def _bodies(trial: Trial, watch: type, kind: str) -> Iterator[tuple[int, float, Body]]:
    lines = {name: series(text) for name, text in trial.series.items()}
    for place in range(max(map(len, lines.values()))):
        at = trial.first + place * trial.every
        time = at * trial.pace
        values = {name: line[place] for name, line in lines.items() if place < len(line)}
        there = {name: value for name, value in values.items() if value is not None}
        if not there:
            continue
        if watch is OnMetric:
            yield at, time, _metric(trial.target, at, time, there[_ALONE])
        elif watch is OnProbe:
            held = {name: line[0] for name, line in lines.items() if len(line) == 1 and line[0] is not None}
            yield at, time, Snapshot(trial.target, kind, at, held | there)
        else:
            yield at, float(at), Tick(int(there[_ALONE]))


def _metric(name: str, step: int, time: float, value: float) -> Metrics:
    return Metrics((name,), np.array([step], np.int64), np.array([time], np.float64), np.array([[value]], np.float64))
