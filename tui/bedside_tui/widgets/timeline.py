"""The timeline as rows: one a mark, newest first."""

from __future__ import annotations

from dataclasses import replace

from bedside_tui.draw import number
from bedside_tui.draw.cells import Style
from bedside_tui.store.view import Mark, View
from bedside_tui.widgets.lines import Line, fit, line, pad_left

KIND_TONES: dict[str, Style] = {
    "command": "accent", "checkpoint": "ok", "note": "second", "event": "quiet", "problem": "amber", "lost": "amber", "gap": "amber",
    "stack": "accent",
}  # fmt: skip


def tone_of(mark: Mark) -> Style:
    """Alarms by their severity, the others by what they are."""
    if mark.badge in ("red", "amber", "ok"):
        return mark.badge
    return KIND_TONES.get(mark.kind, "quiet")


def judgement_of(view: View, mark: Mark) -> str:
    """Of the mark of a checkpoint, what it is suspect of, or that it is the last good one where later ones are suspect; else empty."""
    saved = view.checkpoints[-1] if mark.path and view.checkpoints else None
    if saved is None or not any(each.suspect for each in view.checkpoints):
        return ""
    found = next((each for each in view.checkpoints if (each.path, each.step) == (mark.path, mark.step)), None)
    if found is None:
        return ""
    if found.suspect:
        return f"suspect: {found.suspect_of}"
    return "the last good one" if saved.suspect and found is view.last_good else ""


def mark_row(view: View, mark: Mark, width: int, *, clock: bool = False) -> Line:
    """` 11,900 ✖ codebook collapse fired (vq)`, with the run's time in front where `clock` is set."""
    word, _, why = judgement_of(view, mark).partition(": ")
    if word == "suspect":
        mark = replace(mark, glyph="▲", badge="amber")
    time = f" {number.clock(mark.time):>8} " if clock else ""
    tone = tone_of(mark)
    body: Style = "strong" if mark.badge == "red" else "plain"
    step = f" {pad_left(number.count(mark.step), 8)} "
    said: Line = line((f"{word}  " if word else "", tone), (mark.text, body), (f"  {why}" if why else "", "quiet"))
    return fit(line((time + step, "quiet"), (f"{mark.glyph} ", tone), *said), width)
