"""Where several ranks stand, the one first that holds the others up: what their stacks and the hub's word on them tell of it.

Ranks wait for each other, so most of those that stand still stand where they wait. Who does not answer, is behind, or stands elsewhere than
most, is the one to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from bedside_protocol.records import StackFrame
from bedside_protocol.stacks import own_call
from bedside_tui.draw import number
from bedside_tui.store.rank_view import RankView
from bedside_tui.store.stack_view import StackView

_DUMB = frozenset({"silent", "suspended"})
"""States in which a rank answers nothing: one that runs has an answer on its way."""


class Apart(IntEnum):
    """What sets a rank apart from the others, worst first."""

    SILENT = 0
    BEHIND = 1
    ELSEWHERE = 2
    NOT = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """One rank that was asked. `stack` is None where it gave no answer; `said`: what sets it apart, in words."""

    rank: int
    stack: StackView | None
    apart: Apart = Apart.NOT
    said: str = ""


def standings(stacks: Sequence[StackView], ranks: Sequence[RankView]) -> list[Standing]:
    """All ranks that were asked together, the one to look at first. `ranks` as the hub saw them, none where there is one process."""
    if len(ranks) < 2:
        return [Standing(stack.rank, stack) for stack in stacks]
    asked = bool(stacks) and bool(stacks[0].command)
    answered = {stack.rank for stack in stacks}
    silent = [rank for rank in ranks if asked and rank.rank not in answered and rank.state in _DUMB]
    farthest = max((stack.step for stack in stacks), default=0)
    usual = _usual_place(stacks)
    found = [Standing(rank.rank, None, Apart.SILENT, f"{rank.state}, heard {number.duration(rank.silent)} ago") for rank in silent]
    found += [_standing(stack, farthest, usual) for stack in stacks]
    return sorted(found, key=lambda one: (one.apart, one.stack.step if one.apart is Apart.BEHIND and one.stack else 0, one.rank))


def _standing(stack: StackView, farthest: int, usual: StackFrame | None) -> Standing:
    if stack.trouble:
        return Standing(stack.rank, stack, Apart.SILENT)
    if stack.step < farthest:
        late = f"{number.count(farthest - stack.step)} steps" if farthest - stack.step > 1 else "a step"
        return Standing(stack.rank, stack, Apart.BEHIND, f"{late} behind the farthest rank")
    if usual is not None and own_call(stack.threads) != usual:
        return Standing(stack.rank, stack, Apart.ELSEWHERE, f"elsewhere: most ranks are at {usual.file}:{usual.line} in {usual.function}")
    return Standing(stack.rank, stack)


def _usual_place(stacks: Sequence[StackView]) -> StackFrame | None:
    """The call of the script's at which more than half of the ranks stand."""
    places = Counter(place for stack in stacks if (place := own_call(stack.threads)) is not None)
    return next((place for place, count in places.most_common(1) if 2 * count > len(stacks)), None)
