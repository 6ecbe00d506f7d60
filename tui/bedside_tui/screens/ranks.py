"""The ranks of a run, a row each: how it is, how far, how fast, and who holds the others up.

Rank 0 stands for the run on every other screen; here the others are beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final, cast

from bedside_protocol.lifecycle import SILENT_AFTER
from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.rank_view import RankView
from bedside_tui.store.view import View
from bedside_tui.theme import Tone
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, cut_text, line, pad, pad_left, select, width_of
from bedside_tui.widgets.standing import Apart, standings

SLOWER: Final = 1.5
"""Times the median step of all ranks from which one is a straggler: ranks wait for each other, so what is slow shows in the time of a step
only where it is not spent waiting."""
BEHIND: Final = 2
"""Steps behind the farthest rank that are no chance, where they take longer than `BEATS`."""
BEATS: Final = 1.5
"""Seconds: steps are told by heartbeats half a second apart, and what two ranks tell may be that much older or newer."""
_HEAD: Final = "    rank  state           step   behind      step in   heard        loss"


class RanksScreen(RunScreen):
    """One row a rank. Rows are known by their ranks; `enter` shows where one stands."""

    where = ("lists", "ranks")

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        ranks = frame.view.ranks
        if not ranks:
            return [
                self.heading(frame, "ranks", width),
                *self.empty(
                    "one process: this run has no other ranks", "torchrun --nproc-per-node 8 train.py; every process calls bedside.init()"
                ),
            ]
        listed = {rank.rank: rank for rank in ranks if self.passes(f"rank {rank.rank}", rank.state, rank.host)}
        chosen = cast("int | None", self.choice.offer(list(listed)))
        lines = [self.heading(frame, heading_of(ranks), width), line((cut_text(_HEAD, width), "quiet"))]
        room = max(0, height - len(lines))
        first = window(len(listed), self.choice.place, room)
        paces = [rank.step_seconds for rank in ranks if rank.step_seconds == rank.step_seconds]
        usual = median(paces) if paces else float("nan")
        apart = apart_of(frame.view)
        for rank in list(listed.values())[first : first + room]:
            row = rank_row(rank, usual, held=frame.view.lifecycle == "paused", apart=rank.rank in apart, width=width)
            lines.append(select(row, width) if rank.rank == chosen else row)
        return lines

    def action_open(self) -> None:
        """Where the rank stands; of one process there is nothing to open."""
        if isinstance(self.choice.chosen, int):
            self.viewer.show_stack(self.choice.chosen)


def heading_of(ranks: Sequence[RankView]) -> str:
    """`ranks · 0–3 of 8 here`: those of other machines are not watched."""
    numbers = [rank.rank for rank in ranks]
    world = ranks[0].world
    if len(numbers) == world:
        return f"ranks · all {number.count(world)}"
    together = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 1
    shown = f"{numbers[0]}–{numbers[-1]}" if together else ", ".join(map(str, numbers))
    return f"ranks · {shown} of {number.count(world)} here"


def apart_of(view: View) -> frozenset[int]:
    """In a run that stalls, the ranks that its newest stacks set apart from the others: they wait for these."""
    if view.lifecycle != "stalled":
        return frozenset()
    return frozenset(one.rank for one in standings(view.stacks, view.ranks) if one.apart is not Apart.NOT)


def rank_row(rank: RankView, usual: float, *, held: bool, width: int, apart: bool = False) -> Line:
    """One rank. `usual`: seconds of a median step. `held`: the run is, so nobody is behind by slowness. `apart`: the others wait for it."""
    glyph, word, tone = state_of(rank, usual, held, apart)
    late: Tone = "amber" if is_behind(rank, usual) and not held else "plain"
    slow: Tone = "amber" if is_slow(rank, usual) else "plain"
    silent: Tone = "amber" if rank.silent > SILENT_AFTER else "quiet"
    head = line(
        (f"  {glyph} {rank.rank:>4}  ", tone),
        (pad(word, 11), tone),
        f"{pad_left(number.count(rank.step), 9)}",
        (pad_left(number.count(rank.behind) if rank.behind else "·", 9), late if rank.behind else "quiet"),
    )
    if word == "ended":
        return (*head, *line((f"   {cut_text(rank.state, max(0, width - 41))}", tone)))
    pieces = line(
        (pad_left(number.milliseconds(rank.step_seconds), 13), slow),
        (pad_left(number.duration(rank.silent), 8), silent),
        (pad_left(number.value(rank.loss), 12), "plain"),
    )
    row = (*head, *pieces)
    where = f"   {rank.host} {rank.pid}" if rank.pid else f"   {rank.host}"
    return (*row, *line((where, "quiet"))) if width_of(row) + len(where) <= width else row


def state_of(rank: RankView, usual: float, held: bool, apart: bool) -> tuple[str, str, Tone]:
    """Its glyph, its state in a word, and how that is coloured."""
    if rank.state.startswith(("finished", "stopped")):
        return "■", rank.state.partition(" ")[0], "quiet"
    if rank.state not in ("running", "silent", "suspended"):
        return "✖", "ended", "alarm"
    if rank.state != "running":
        return "▲", rank.state, "amber"
    if held:
        return "‖", "held", "quiet"
    if apart:
        return "▲", "elsewhere", "amber"
    if is_slow(rank, usual) or is_behind(rank, usual):
        return "▲", "straggler", "amber"
    return "●", "running", "ok"


def is_behind(rank: RankView, usual: float) -> bool:
    """Whether it is farther behind than the beats by which steps are told may make it look."""
    return rank.behind > BEHIND and not rank.behind * usual <= BEATS


def is_slow(rank: RankView, usual: float) -> bool:
    """Whether its steps take longer than those of the others."""
    return rank.step_seconds > SLOWER * usual
