"""What may not be said in a condition of a file: each key that is wrong there or beside another, and why. It reads no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from bedside_protocol.alerts.conditions import Expects, Grows, Leaves, Recurs

Said: TypeAlias = Mapping[str, Any]
"""The values of a condition that a file gives, by name."""


def contradictions(kind: type, said: Said) -> Iterator[tuple[str, str]]:
    """The keys that cannot be as they are, each with a sentence. What a condition lacks altogether is said of no key: ""."""
    return _OF[kind](said) if kind in _OF else iter(())


def _expects(said: Said) -> Iterator[tuple[str, str]]:
    lows, highs = [key for key in ("above", "at_least") if key in said], [key for key in ("below", "at_most") if key in said]
    if not lows and not highs:
        yield "", "expects has no bound: give one of below, at_most, above, at_least"
    for low in lows:
        for high in highs:
            one_point = (low, high) == ("at_least", "at_most") and said[low] == said[high]
            if said[low] >= said[high] and not one_point:
                yield high, f"{low} = {said[low]:g} and {high} = {said[high]:g} contradict each other: no value is both"
    if "after" in said and "by" in said and said["after"] > said["by"]:
        yield "by", f"after = {said['after']} and by = {said['by']} contradict each other: no step is both"


def _leaves(said: Said) -> Iterator[tuple[str, str]]:
    steps, low, high = (said.get(key, ()) for key in ("steps", "low", "high"))
    for key, bounds in (("low", low), ("high", high)):
        if key in said and "steps" in said and len(bounds) != len(steps):
            yield key, f"{len(bounds)} of {key} and {len(steps)} steps: each step has one"
    if "steps" in said and not steps:
        yield "steps", "no step is given"
    for before, after in pairwise(steps):
        if after <= before:
            yield "steps", f"{after} comes after {before}: steps rise"
    for place, (least, most) in enumerate(zip(low, high, strict=False)):
        if least > most:
            yield "high", f"low = {least:g} and high = {most:g} contradict each other, at place {place + 1}"
    if said.get("window", 1) < 1:
        yield "window", f"window = {said['window']} is impossible: it is one or more"


def _at_least(least: int, words: str) -> Callable[[Said], Iterator[tuple[str, str]]]:
    """Of a condition that needs its `times`."""

    def of(said: Said) -> Iterator[tuple[str, str]]:
        if said.get("times", least) < least:
            yield "times", f"times = {said['times']} is impossible: {words}"

    return of


_OF: Final[Mapping[type, Callable[[Said], Iterator[tuple[str, str]]]]] = MappingProxyType(
    {
        Expects: _expects,
        Leaves: _leaves,
        Grows: _at_least(1, "a growth is one step or more"),
        Recurs: _at_least(2, "two spikes or more come back"),
    }
)
