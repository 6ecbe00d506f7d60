"""How N is divided: which fault is tried how often, in which parts and order, and how long what is left will take. Numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fault_table import Fault


@dataclass(frozen=True, slots=True)
class Part:
    """Some tries of one fault, in one stage."""

    fault: Fault
    times: int
    alone: bool
    """Nothing else of ours runs beside it."""


def parts_of(faults: Sequence[Fault], tries: int) -> list[Part]:
    """All parts for `N = tries`: those alone first, then the others; each fault spread evenly: whoever interrupts has some of all."""
    placed = [(not part.alone, part.alone or place, part) for fault in faults for place, part in _of(fault, tries)]
    return [part for *_, part in sorted(placed, key=lambda item: item[:2])]


def _of(fault: Fault, tries: int) -> list[tuple[float, Part]]:
    """A fault's parts, each with its place in the whole, from 0 to 1."""
    whole = _scaled(fault.tries, tries)
    alone = min(whole, _scaled(fault.alone, tries)) if fault.alone else 0
    found = []
    for count, by_itself in ((alone, True), (whole - alone, False)):
        sizes = [min(fault.part, count - done) for done in range(0, count, fault.part)]
        found += [((number + 0.5) / len(sizes), Part(fault, size, by_itself)) for number, size in enumerate(sizes)]
    return found


def _scaled(of_a_thousand: int, tries: int) -> int:
    return max(1, round(of_a_thousand * tries / 1000))


def seconds_left(left: Sequence[Part], took: Sequence[tuple[Part, float]], jobs: int) -> float:
    """How long these parts will take, by what a try of their fault (or of any, where it has not been tried) took; NaN before the first."""
    if not took:
        return float("nan")
    by_fault: dict[str, list[float]] = {}
    for part, seconds in took:
        by_fault.setdefault(part.fault.words, []).append(seconds / part.times)
    usual = sum(seconds for _, seconds in took) / len(took)
    each = {name: sum(found) / len(found) for name, found in by_fault.items()}
    return sum((each[part.fault.words] * part.times if part.fault.words in each else usual) / (1 if part.alone else jobs) for part in left)
