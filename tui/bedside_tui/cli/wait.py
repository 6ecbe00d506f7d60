"""`bedside wait [RUN] --until EXPRESSION`: until something is true of a run, and what that was.

A log is judged from its beginning, so that what was true before the question came is not missed; a run that was started again in the same
log is judged from there. The exit code is 0 once the expression held, 1 where the run ended without, 2 where the expression is not
understood, 124 where the time was up.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final, Literal

from bedside_protocol.records import AlertChanged, Ended, Metrics, Record, RunStarted, Snapshot, Tick
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import Failure
from bedside_tui.cli.following import has_caught_up, updates_of
from bedside_tui.cli.options import add_json, add_run, chosen_run, length_of_time
from bedside_tui.cli.wait_terms import AlertAtLeast, Expression, MetricIs, Moment, StepAtLeast, Term, terms_of
from bedside_tui.cli.wait_words import Slip, read_expression
from bedside_tui.draw import number
from bedside_tui.liveness import LastWord
from bedside_tui.places import RunPlace

Outcome = Literal["met", "over", "timeout"]

EXIT_CODES: Final[dict[Outcome, int]] = {"met": 0, "over": 1, "timeout": 124}
NOT_UNDERSTOOD: Final = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--until",
        required=True,
        metavar="EXPRESSION",
        help="such as 'alert>=red or step>=5000', 'state=over', '\"val/acc\">0.9 and step>=100'",
    )
    parser.add_argument("--timeout", type=length_of_time, default=math.inf, metavar="TIME", help="90s, 30m, 8h or 7d (default: for ever)")
    add_json(parser)
    parser.epilog = (
        "Exit codes: 0 it held, 1 the run ended without, 2 the expression is not understood, 3 no such run, 124 the time was up."
    )


def run(options: argparse.Namespace) -> int:
    try:
        expression = read_expression(options.until)
    except Slip as slip:
        raise Failure(slip.why, f"  {options.until}", f"  {' ' * slip.at}^", code=NOT_UNDERSTOOD) from None
    waiting = Waiting(expression)
    outcome = await_it(waiting, chosen_run(options), time.monotonic() + options.timeout)
    print(json.dumps(to_json(waiting, outcome), indent=2, allow_nan=False) if options.json else to_text(waiting, outcome, options.timeout))
    return EXIT_CODES[outcome]


def await_it(waiting: Waiting, place: RunPlace, deadline: float) -> Outcome:
    """Follow the run until the expression has held, the run is over, or the monotonic clock shows `deadline`."""
    caught_up = False
    with closing(updates_of(place, deadline)) as updates:
        for update in updates:
            if update is None:
                continue
            waiting.take(update.records)
            caught_up = caught_up or has_caught_up(update.status)
            if waiting.met and caught_up:
                return "met"
            if update.status.state == "ended":
                return "over"
    return "timeout"


class Waiting:
    """An expression, and a run as its log has told it so far: up to the first moment at which the expression holds."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.terms: Sequence[Term] = tuple(dict.fromkeys(terms_of(expression)))
        self._begin()
        self._names = {term.name for term in self.terms if isinstance(term, MetricIs)}
        self._every_row = any(isinstance(term, StepAtLeast) for term in self.terms)
        self._asked: dict[tuple[int, tuple[str, ...]], list[tuple[int, str]]] = {}

    def __repr__(self) -> str:
        return f"<Waiting {'met' if self.met else 'at'} {self.moment}>"

    def _begin(self) -> None:
        self.moment = Moment()
        self.met = False
        self.alarm: AlertChanged | None = None
        """The worst that fires."""
        self._word = LastWord()
        self._firing: dict[tuple[str, str], AlertChanged] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Records in the order of the log."""
        for record in records:
            if isinstance(record.body, RunStarted):
                self._begin()
            if not self.met:
                self.met = any(self.expression.holds(self.moment) for _ in self._moments(record))

    def _moments(self, record: Record) -> Iterator[None]:
        """Put the moment through all that a record tells, stopping after each step of it."""
        self._word.take((record,))
        self.moment.time = record.time
        self.moment.state = self._word.lifecycle
        match record.body:
            case Metrics() as block:
                yield from self._rows(record.rank, block)
            case AlertChanged() as change:
                self._judged(change)
            case Tick(step=step) | Snapshot(step=step) | Ended(step=step):
                self.moment.step = max(self.moment.step, step)
            case _:
                pass
        yield

    def _rows(self, rank: int, block: Metrics) -> Iterator[None]:
        """The block's rows where the expression asks for what may change with each, else its last one."""
        asked = self._columns(rank, block.names)
        first = 0 if asked or self._every_row else max(0, block.steps.size - 1)
        columns = [(name, block.values[place, first:].tolist()) for place, name in asked]
        for row, (step, seconds) in enumerate(zip(block.steps[first:].tolist(), block.times[first:].tolist(), strict=True)):
            self.moment.time = seconds
            if rank == 0:
                self.moment.step = max(self.moment.step, step)
            for name, values in columns:
                self.moment.metrics[name] = values[row]
            yield

    def _columns(self, rank: int, names: tuple[str, ...]) -> list[tuple[int, str]]:
        """(place, name as a screen shows it) of the metrics asked for."""
        if (rank, names) not in self._asked:
            shown = ((place, safe(name) + (f" @{rank}" if rank > 0 else "")) for place, name in enumerate(names))
            self._asked[rank, names] = [(place, name) for place, name in shown if name in self._names]
        return self._asked[rank, names]

    def _judged(self, change: AlertChanged) -> None:
        self.moment.step = max(self.moment.step, change.step)
        self._firing.pop((change.rule, change.target), None)
        if change.state == "firing":
            self._firing[change.rule, change.target] = change
        firing = self._firing.values()
        self.alarm = next((alarm for alarm in firing if alarm.severity == "red"), next(iter(firing), None))
        self.moment.alert = (self.alarm.severity or None) if self.alarm is not None else None


def to_json(waiting: Waiting, outcome: Outcome) -> dict[str, Any]:
    """The documented object of `wait --json`: how it came out, and the moment at which it did."""
    moment = waiting.moment
    return {
        "outcome": outcome,
        "until": safe(waiting.expression, 1000),
        "held": [safe(term) for term in waiting.terms if term.holds(moment)],
        "step": moment.step,
        "time": moment.time,
        "lifecycle": moment.state,
        "alert": moment.alert,
        "metrics": {safe(name): value if math.isfinite(value) else None for name, value in moment.metrics.items()},
    }


def to_text(waiting: Waiting, outcome: Outcome, timeout: float) -> str:
    """The same for a person, on one line."""
    moment = waiting.moment
    if outcome == "met":
        held = ", ".join(_held(waiting, term) for term in waiting.terms if term.holds(moment))
        return f"met at step {moment.step:,}, {number.duration(moment.time)} into the run: {held}"
    known = "; ".join(filter(None, (_known(waiting, term) for term in waiting.terms)))
    where = f"{moment.state} at step {moment.step:,}{'; ' if known else ''}{known}"
    return f"over without it: {where}" if outcome == "over" else f"not within {number.duration(timeout)}: {where}"


def _held(waiting: Waiting, term: Term) -> str:
    """A term that holds, and for an alarm which."""
    alarm = waiting.alarm
    if not isinstance(term, AlertAtLeast) or alarm is None:
        return safe(term)
    return f"{term} ({alarm.severity}: {safe(alarm.rule)} on {safe(alarm.target)}: {safe(alarm.message)})"


def _known(waiting: Waiting, term: Term) -> str:
    """How that stands which a term asks for, where step and state do not say it."""
    match term:
        case AlertAtLeast():
            return f"{waiting.moment.alert or 'no'} alarm fires"
        case MetricIs(name=name) if name in waiting.moment.metrics:
            return f"{safe(name)} is {number.value(waiting.moment.metrics[name])}"
        case MetricIs(name=name):
            return f"no metric {safe(name)} was logged"
        case _:
            return ""
