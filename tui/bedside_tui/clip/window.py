"""Which records stand around a step. A run that went back to a checkpoint has a step more than once: the newest is meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bedside_protocol.metrics import is_system
from bedside_protocol.records import Metrics, Record


class NoSuchStep(LookupError):
    """The recording has no such step; the text says which it has."""


@dataclass(frozen=True, slots=True)
class Window:
    """Positions of records, counted from 0: `first` is in it, `end` is not; None where it holds the end of the log."""

    first: int
    end: int | None


@dataclass(frozen=True, slots=True)
class _Block:
    """Where a block of values stands, and its steps."""

    position: int
    low: int
    high: int


def find_window(records: Iterable[Record], at: int, around: int) -> Window:
    """The records of `around` steps before step `at` and after it. Raises `NoSuchStep`."""
    stretches = _stretches(records)
    if not stretches:
        raise NoSuchStep("it tells no values, so it has no steps")
    number = next((number for number in reversed(range(len(stretches))) if _holds(stretches[number], at)), None)
    if number is None:
        low = min(block.low for stretch in stretches for block in stretch)
        high = max(block.high for stretch in stretches for block in stretch)
        raise NoSuchStep(f"it has no step {at:,}: steps {low:,} to {high:,}")
    stretch = stretches[number]
    first = next(block.position for block in stretch if block.high >= at - around)
    after = [block.position for block in stretch if block.low > at + around]
    after += [later[0].position for later in stretches[number + 1 :]]
    return Window(first, after[0] if after else None)


def _stretches(records: Iterable[Record]) -> list[list[_Block]]:
    """Blocks of what the training said of itself, cut where its steps go back."""
    stretches: list[list[_Block]] = []
    last = 0
    for position, record in enumerate(records):
        body = record.body
        if not isinstance(body, Metrics) or record.rank != 0 or not body.steps.size or all(is_system(name) for name in body.names):
            continue
        block = _Block(position, int(body.steps.min()), int(body.steps.max()))
        if not stretches or int(body.steps[0]) < last:
            stretches.append([])
        stretches[-1].append(block)
        last = int(body.steps[-1])
    return stretches


def _holds(stretch: list[_Block], step: int) -> bool:
    return min(block.low for block in stretch) <= step <= max(block.high for block in stretch)
