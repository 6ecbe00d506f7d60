"""The columns of the list of runs: which there are at a width, how wide each is, and a run in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bedside_tui.draw import number
from bedside_tui.run_row import RunRow
from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, line, pad, pad_left
from bedside_tui.widgets.status import BADGES, LIFECYCLE

HEALTH: dict[str, str] = {"red": "✖ red", "amber": "▲ amber", "ok": "● ok", "pending": "◌ pending", "none": "unknown"}

FIXED = 3 + 7 + 2 + 10 + 8
"""Cells of the columns that are there at any width: glyph, step, health, when."""

SHORT = 100
"""Columns below which a reason is cut to its first word, and tags and best values have no column."""

LEAST_STATE, MOST_STATE = 14, 40
LOSS, BEST, VERDICT, TAGS, NOTES = 8, 20, 9, 18, 4


@dataclass(frozen=True, slots=True)
class RunColumns:
    """Widths in cells; 0 for a column that is not there."""

    name: int
    state: int
    best: int
    verdict: int
    tags: int
    notes: int
    wide: bool

    @classmethod
    def of(cls, rows: Sequence[RunRow], width: int) -> RunColumns:
        """Columns that fill `width`: the name and the state take what the others leave. Verdicts need a column where there are some."""
        wide = width >= SHORT
        verdict = max((len(row.verdict) for row in rows), default=0)
        tags = max((len(" ".join(row.tags)) for row in rows), default=0) if wide else 0
        book = min(max(VERDICT, verdict + 1), 2 * VERDICT if wide else VERDICT), min(tags, TAGS) + 1 if tags else 0
        notes = NOTES if any(row.notes for row in rows) and wide else 0
        best = BEST if wide else LOSS
        left = max(16, width - FIXED - best - sum(book) - notes)
        said = max((len(state_of(row, wide=wide)) + 1 for row in rows), default=0)
        name = min(max((len(row.title) + 2 for row in rows), default=0), max(8, left - min(said, LEAST_STATE)))
        return cls(name, min(MOST_STATE, max(min(said, LEAST_STATE), left - name)), best, book[0], book[1], notes, wide)

    def heading(self) -> Line:
        best = pad_left("best" if self.wide else "loss", self.best)
        before = f"   {pad('run', self.name)}{pad('state', self.state)}{pad_left('step', 7)}{best}  {pad('health', 10)}"
        book = f"{pad('verdict', self.verdict)}{pad('tags', self.tags)}{pad('✎', self.notes)}"
        return line((f"{before}{book}{pad_left('when', 6)} ", "quiet"))

    def line(self, row: RunRow) -> Line:
        """` ✖ world/v7.0.5  killed (9)  95,210  1.31  ✖ red  failed  3 d`."""
        glyph, tone = LIFECYCLE[row.lifecycle]
        title: Tone = "strong" if row.lifecycle in ("running", "paused", "starting", "stalled") else "plain"
        state, best = state_of(row, wide=self.wide), row.best_said if self.wide else number.value(row.loss)
        return line(
            " ", (f"{glyph} ", tone), (pad(row.title, self.name - 1) + " ", title), (pad(state, self.state - 1) + " ", "plain"),
            pad_left(number.count(row.step, 7), 7), pad_left(" " + best, self.best),
            "  ", (pad(HEALTH[row.health], 10), BADGES[row.health][1]),
            (_cell(row.verdict, self.verdict), "plain"), (_cell(" ".join(row.tags), self.tags), "second"),
            (_cell(str(row.notes or ""), self.notes), "quiet"), (pad_left(row.when or "now", 6) + " ", "quiet"),
        )  # fmt: skip


def state_of(row: RunRow, *, wide: bool) -> str:
    """How the run is, and where there is room why."""
    words = row.lifecycle + (" here" if row.here and row.lifecycle == "running" else "")
    if not row.reason or row.lifecycle in ("running", "starting", "finished"):
        return words
    reason = row.reason if wide else row.reason.partition(":")[0]
    return f"{words} ({reason})" if row.lifecycle == "killed" else f"{words} {reason}"


def _cell(text: str, size: int) -> str:
    return pad(text, size - 1) + " " if size else ""
