"""`bedside rules reference RUN RUN RUN`: a rule file made from healthy runs, which tells a run whose level leaves theirs.

It knows how recordings are read and how TOML is written; what the bounds are is `alerts.reference_runs`'.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import reduce
from typing import Final

import numpy as np

from bedside_protocol.alerts.conditions import Leaves
from bedside_protocol.alerts.expecting import literal
from bedside_protocol.alerts.reference_runs import LEAST_RUNS, LEAST_VALUES, Curve, envelope, patience
from bedside_protocol.alerts.roles import trained_on
from bedside_protocol.definitions import NOTHING_SAID, Definitions
from bedside_protocol.metrics import is_system
from bedside_protocol.records import MetricDefined, Metrics, Record
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.options import add_directory
from bedside_tui.library import read_recording
from bedside_tui.places import RunPlace, find_run, roots

_SLACK: Final = 0.1
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Healthy:
    """What one reference run logged: each metric of its first rank as a curve, and what its script said they are."""

    name: str
    curves: Mapping[str, Curve]
    definitions: Definitions


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("RUN", nargs="+", help=f"healthy runs of one training with different seeds, {LEAST_RUNS} or more")
    parser.add_argument("--metrics", metavar="GLOB", action="append", default=[], help="these too, besides the losses that are trained on")
    parser.add_argument(
        "--slack", type=_share, default=_SLACK, metavar="S", help="a share the bounds are apart at least (default %(default)s)"
    )
    add_directory(parser)


def run(options: argparse.Namespace) -> int:
    places = list(dict.fromkeys(find_run(word, roots(options.dir)) for word in options.RUN))
    if len(places) < LEAST_RUNS:
        raise Failure(
            f"{len(places)} different run{'s' * (len(places) != 1)} tell too little of how healthy ones differ: give {LEAST_RUNS} to 5"
        )
    runs = [_read(place) for place in places]
    print("\n".join(document(runs, options.metrics, options.slack)))
    return 0


def _read(place: RunPlace) -> Healthy:
    return read_recording(place, lambda records, heard: healthy(place.id, records))


def healthy(name: str, records: Iterator[Record]) -> Healthy:
    """A recording as a reference. Where a resume goes back, what was logged after it counts; what is not finite is left out."""
    points: dict[str, list[tuple[int, float]]] = {}
    definitions = NOTHING_SAID
    for record in records:
        match record.body:
            case MetricDefined() as defined:
                definitions = definitions.having(defined)
            case Metrics(names=names, steps=steps, values=values) if record.rank <= 0:
                for metric, row in zip(names, values, strict=True):
                    _append(points.setdefault(metric, []), zip(steps.tolist(), row.tolist(), strict=True))
    return Healthy(name, {metric: _curve(taken) for metric, taken in points.items()}, definitions)


def _append(points: list[tuple[int, float]], more: Iterator[tuple[int, float]]) -> None:
    for step, value in more:
        while points and points[-1][0] >= step:
            points.pop()
        if math.isfinite(value):
            points.append((step, value))


def _curve(points: Sequence[tuple[int, float]]) -> Curve:
    return np.array([step for step, _ in points], np.int64), np.array([value for _, value in points], np.float64)


def document(runs: Sequence[Healthy], globs: Sequence[str], slack: float) -> Iterator[str]:
    """A rule file. Raises `Failure` where the runs have nothing in common to make one of."""
    everywhere = reduce(frozenset.intersection, (frozenset(run.curves) for run in runs))
    anywhere = frozenset().union(*(run.curves for run in runs))
    wanted = {name for name in trained_on(anywhere, runs[0].definitions) if not is_system(name)}
    wanted |= {name for name in anywhere if any(fnmatchcase(name, glob) for glob in globs)}
    made = {name: envelope([run.curves[name] for run in runs], slack) for name in sorted(wanted & everywhere)}
    if not any(made.values()):
        raise Failure(f"no loss with {LEAST_VALUES} values or more is in all of {', '.join(safe(run.name) for run in runs)}; see --metrics")
    yield f"# made by `bedside rules reference` from {len(runs)} runs, slack {slack:g}: {', '.join(safe(run.name) for run in runs)}"
    yield from (f"# {safe(name)} is left out: not in all of them" for name in sorted(wanted - everywhere))
    yield from (f"# {safe(name)} is left out: too few values, or no steps they all have" for name, bounds in made.items() if bounds is None)
    taken: set[str] = set()
    for name, bounds in made.items():
        if bounds is not None:
            yield from _table(_rule_name(name, taken), name, bounds, patience(runs[0].curves[name]))


def _table(rule: str, metric: str, bounds: Leaves, points: int) -> Iterator[str]:
    yield f"\n[rules.{rule}]"
    yield 'title = "outside the reference runs"'
    yield f"watch = {{metric = {_quoted(literal(metric))}}}"
    yield f'worst = "amber"\nfor_amber = "{points} points"\nkeep_firing_for = "{points} points"'
    yield 'message = "{value:.4g}, the reference runs allow {low:.4g} to {high:.4g}"'
    yield 'runbook = "reference"'
    yield 'quiet_under = ["nonfinite", "explosion"]'
    yield f"[rules.{rule}.when.leaves]\nwindow = {bounds.window}"
    yield f"steps = {list(bounds.steps)}"
    yield f"low = [{', '.join(_number(bound) for bound in bounds.low)}]"
    yield f"high = [{', '.join(_number(bound) for bound in bounds.high)}]"


def _number(bound: float) -> str:
    """Five digits, as TOML takes them for a float or an integer."""
    return f"{bound:.5g}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _rule_name(metric: str, taken: set[str]) -> str:
    """`reference-loss`, with a number where two metrics would be called the same."""
    plain = f"reference-{re.sub(r'[^a-z0-9]+', '-', metric.lower()).strip('-')}"[: _LONGEST_NAME - 4].rstrip("-")
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    taken.add(name)
    return name


def _share(word: str) -> float:
    share = float(word)
    if not 0.0 <= share < math.inf:
        raise argparse.ArgumentTypeError(f"{word} is no share: 0.1 is a tenth")
    return share
