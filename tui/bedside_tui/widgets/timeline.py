"""The timeline as rows: one a mark, newest first."""

from __future__ import annotations

from bedside_tui.draw import number
from bedside_tui.draw.cells import Style
from bedside_tui.store.view import Mark
from bedside_tui.widgets.lines import Line, fit, line, pad_left

KIND_TONES: dict[str, Style] = {
    "command": "accent", "checkpoint": "ok", "note": "second", "event": "quiet", "problem": "amber", "lost": "amber", "gap": "amber",
}  # fmt: skip


def tone_of(mark: Mark) -> Style:
    """Alarms by their severity, the others by what they are."""
    if mark.badge in ("red", "amber", "ok"):
        return mark.badge
    return KIND_TONES.get(mark.kind, "quiet")


def mark_row(mark: Mark, width: int, *, clock: bool = False) -> Line:
    """` 11,900 ✖ codebook collapse fired (vq)`, with the run's time in front where `clock` is set."""
    time = f" {number.clock(mark.time):>8} " if clock else ""
    tone = tone_of(mark)
    body: Style = "strong" if mark.badge == "red" else "plain"
    step = f" {pad_left(number.count(mark.step), 8)} "
    return fit(line((time + step, "quiet"), (f"{mark.glyph} ", tone), (mark.text, body)), width)
