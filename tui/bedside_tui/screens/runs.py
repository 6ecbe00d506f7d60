"""Runs: what there is to look at, live and recorded; `enter` opens one. The list itself is made elsewhere and handed over as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bedside_protocol.records import Lifecycle
from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen, head
from bedside_tui.sources.source import Source
from bedside_tui.store.view import Badge
from bedside_tui.theme import Tone
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, fit, line, pad, pad_left, rule, select, wrapped
from bedside_tui.widgets.status import BADGES, LIFECYCLE, SEVERITIES


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


ALIVE = ("starting", "running", "paused", "stalled", "suspended", "unreachable")

HEALTH: dict[str, str] = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "pending": "◌ pending", "none": "unknown"}


class RunsScreen(RunScreen):
    """The list. Rows are known by the run's id."""

    where = ("lists", "runs")
    idle = frozenset({"next_alarm", "acknowledge", "note"})

    def top_lines(self, frame: Frame, width: int) -> list[Line]:
        """Where no run is open, what there is altogether."""
        if self.viewer.viewing.source is not None:
            return head(frame, width)
        return list_head(self.viewer.run_rows, width)

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        rows = [row for row in self.viewer.run_rows if self.passes(row.title, row.lifecycle, row.result, row.id)]
        chosen = self.choice.offer([row.id for row in rows])
        title = f"runs · {number.count(len(rows))}"
        if self.viewer.viewing.source is not None:
            lines = [self.heading(frame, title, width)]
        else:
            lines = [rule(title + (f" · with “{self.filter}”" if self.filter else ""), width)]
        if not rows:
            return lines + self.empty(*self._why_empty())
        longest = max(len(row.title) for row in rows)
        lines.append(_heading(width, longest))
        room = height - len(lines) - (2 if height > 8 else 0)
        first = window(len(rows), self.choice.place, room)
        for row in rows[first : first + room]:
            drawn = run_line(row, width, longest)
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


def list_head(rows: Sequence[RunRow], width: int) -> list[Line]:
    """The two lines on top of a list without an open run: how many there are, and which that still run need somebody."""
    alive = [row for row in rows if row.lifecycle in ALIVE]
    over = len(rows) - len(alive)
    first = line((" bedside", "strong"), (f"  {number.count(len(alive))} alive  {number.count(over)} over", "plain"))
    sick = [row for row in alive if row.verdict in ("red", "amber")]
    if not sick:
        return [first, line((" ● ok" if alive else " ◌", "ok" if alive else "quiet"), ("  no living run has an alarm", "quiet"))]
    worst = sorted(sick, key=lambda row: row.verdict != "red")
    word, tone = SEVERITIES[worst[0].verdict]
    names = ", ".join(row.title for row in worst)
    return [first, tuple(span._replace(tone=tone) for span in fit(line(f" {word}  {names}"), width))]


FIXED = 3 + 7 + 8 + 2 + 10 + 8 + 8
"""Cells of all columns but the run's and the state's: glyph, step, loss, health, result, when."""

SHORT = 100
"""Columns below which a reason is cut to its first word."""


def _columns(width: int, longest: int) -> tuple[int, int]:
    """Widths of the run's and the state's column: they take what the fixed ones leave."""
    left = max(16, width - FIXED)
    state = min(40, max(14, left - longest - 2))
    return min(longest + 2, max(8, left - state)), state


def _heading(width: int, longest: int) -> Line:
    name, state = _columns(width, longest)
    return line((f"   {pad('run', name)}{pad('state', state)}{pad_left('step', 7)}{pad_left('loss', 8)}  {pad('health', 10)}"
                 f"{pad('result', 8)}{pad_left('when', 6)} ", "quiet"))  # fmt: skip


def run_line(row: RunRow, width: int, longest: int) -> Line:
    """` ✖ world/v7.0.5  killed (9)  95,210  1.31  ✖ red  failed  3 d`."""
    name, state = _columns(width, longest)
    glyph, tone = LIFECYCLE[row.lifecycle]
    words = row.lifecycle + (" here" if row.here and row.lifecycle == "running" else "")
    if row.reason and row.lifecycle not in ("running", "starting", "finished"):
        reason = row.reason if width >= SHORT else row.reason.partition(":")[0]
        words += f" ({reason})" if row.lifecycle == "killed" else f" {reason}"
    badge: Tone = BADGES[row.verdict][1]
    title: Tone = "strong" if row.lifecycle in ("running", "paused", "starting", "stalled") else "plain"
    return line(
        " ", (f"{glyph} ", tone), (pad(row.title, name - 1) + " ", title), (pad(words, state - 1) + " ", "plain"),
        pad_left(number.count(row.step, 7), 7), pad_left(number.value(row.loss), 8), "  ", (pad(HEALTH[row.verdict], 10), badge),
        (pad(row.result, 8), "plain"), (pad_left(row.when or "now", 6) + " ", "quiet"),
    )  # fmt: skip
