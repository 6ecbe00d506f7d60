"""Runs: what there is to look at, live and recorded; `enter` opens one. The list itself is made elsewhere and handed over as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bedside_protocol.records import Lifecycle
from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.sources.source import Source
from bedside_tui.store.view import Badge
from bedside_tui.theme import Tone
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, line, pad, pad_left, rule, select, wrapped
from bedside_tui.widgets.status import BADGES, LIFECYCLE


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the list. Texts are shown as they are: they must have passed the sanitiser."""

    id: str
    name: str
    project: str
    lifecycle: Lifecycle
    reason: str
    step: int
    loss: float | None
    verdict: Badge
    """The monitor's worst ever; `none` is *unknown*."""
    result: str
    """The person's own word: worked, failed, empty."""
    when: str
    """How long ago it ended or was last heard, empty while it runs: `now`, `1 d`."""
    dir: str
    here: bool = True
    """Whether it runs on this machine."""

    @property
    def title(self) -> str:
        return "/".join(part for part in (self.project, self.name) if part) or self.id


class Library(Protocol):
    """Where runs are found, and how one is opened."""

    def rows(self) -> Sequence[RunRow]:
        """All runs, newest first. Called every few seconds on a thread of its own while the list is in sight."""

    def open(self, row: RunRow) -> Source:
        """The way to a run's records, not yet started."""


HEALTH: dict[str, str] = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "pending": "◌ pending", "none": "unknown"}


class RunsScreen(RunScreen):
    """The list. Rows are known by the run's id."""

    where = ("lists", "runs")

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        rows = [row for row in self.viewer.run_rows if self.passes(row.title, row.lifecycle, row.result, row.id)]
        chosen = self.choice.offer([row.id for row in rows])
        title = f"runs · {number.count(len(rows))}" + (f" · with “{self.filter}”" if self.filter else "")
        lines = [rule(title, width)]
        if not rows:
            return lines + self.empty(*self._why_empty())
        lines.append(_heading(width))
        room = height - len(lines) - (2 if height > 8 else 0)
        first = window(len(rows), self.choice.place, room)
        for row in rows[first : first + room]:
            drawn = run_line(row, width)
            lines.append(select(drawn, width) if row.id == chosen else drawn)
        where = next((row.dir for row in rows if row.id == chosen), "")
        if height > 8:
            lines += [()] * (height - 1 - len(lines))
            lines.append(line(("   " + (wrapped(where, width - 4) or [""])[0], "quiet")))
        return lines

    def _why_empty(self) -> tuple[str, ...]:
        if self.filter:
            return ("no run contains this text; esc shows all",)
        if self.viewer.library is None:
            return ("there is no list: the viewer was opened on one run",)
        if not self.viewer.runs_read:
            return ("looking for runs…",)
        return ("no run yet: a training appears here when it calls bedside.init(…)", "bedside demo starts one to look at")

    def action_open(self) -> None:
        row = next((row for row in self.viewer.run_rows if row.id == self.choice.chosen), None)
        if row is not None:
            self.viewer.open_run(row)


def _columns(width: int) -> tuple[int, int]:
    """Widths of the run's and the state's column: they take what the fixed ones leave."""
    fixed = 3 + 10 + 10 + 10 + 9 + 8
    left = max(16, width - fixed)
    state = min(30, max(8, left * 2 // 5))
    return left - state, state


def _heading(width: int) -> Line:
    name, state = _columns(width)
    return line((f"   {pad('run', name)}{pad('state', state)}{pad_left('step', 10)}{pad_left('loss', 10)}  {pad('health', 10)}"
                 f"{pad('result', 9)}{pad_left('when', 5)} ", "quiet"))  # fmt: skip


def run_line(row: RunRow, width: int) -> Line:
    """` ✖ world/v7.0.5  killed (9)  95,210  1.31  ✖ red  failed  3 d`."""
    name, state = _columns(width)
    glyph, tone = LIFECYCLE[row.lifecycle]
    words = row.lifecycle + (" here" if row.here and row.lifecycle == "running" else "")
    if row.reason and row.lifecycle not in ("running", "starting", "finished"):
        words += f" ({row.reason})" if row.lifecycle == "killed" else f" {row.reason}"
    badge: Tone = BADGES[row.verdict][1]
    title: Tone = "strong" if row.lifecycle in ("running", "paused", "starting", "stalled") else "plain"
    return line(
        " ", (f"{glyph} ", tone), (pad(row.title, name - 1) + " ", title), (pad(words, state - 1) + " ", "plain"),
        pad_left(number.count(row.step), 10), pad_left(number.value(row.loss), 10), "  ", (pad(HEALTH[row.verdict], 10), badge),
        (pad(row.result, 9), "plain"), (pad_left(row.when or "now", 5) + " ", "quiet"),
    )  # fmt: skip
