"""The rehearsal before a long run: a verdict, and a line a check."""

from __future__ import annotations

from bedside_tui.draw import number
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, line
from bedside_tui.widgets.panels.blocks import sentence, stacked, still
from bedside_tui.widgets.panels.facts import fact_lines, others
from bedside_tui.widgets.panels.given import scalar, texts

MARKS: tuple[tuple[tuple[str, ...], str, Tone], ...] = (
    (("✖", "✗", "fail", "failed", "error"), "✖", "red"),
    (("▲", "!", "warn", "warned", "warning"), "▲", "amber"),
    (("●", "✓", "ok", "pass", "passed"), "●", "ok"),
)
"""How the line of a check begins, and how it is marked: what failed first."""

COUNTS = (("failed", "✖", "red"), ("warned", "▲", "amber"), ("passed", "●", "ok"))


def preflight_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """How many checks failed, warned and passed; then each, failures first, in full where there is room."""
    counts: list[tuple[str, Tone]] = []
    for name, glyph, tone in COUNTS:
        if value := scalar(probe, name):
            counts.append((f" {glyph} {number.count(value)} {name} ", tone))  # type: ignore[arg-type]
    head = line(" ", *counts) if counts else line(("   nothing was checked", "quiet"))
    checks = sorted((_marked(text) for text in texts(probe, "verdict")), key=lambda check: check[0])
    rows = [row for _, glyph, tone, text in checks for row in sentence(text, width, glyph, tone)]
    rest = fact_lines(probe, frame, others(probe, (), ("passed", "failed", "warned")), width)
    return stacked([still([head]), still(rows), still(rest)], height)


def _marked(text: str) -> tuple[int, str, Tone, str]:
    """(order, glyph, tone, text without the mark it begins with)."""
    word, _, rest = text.partition(" ")
    for place, (words, glyph, tone) in enumerate(MARKS):
        if word.rstrip(":").lower() in words:
            return place, glyph, tone, rest.strip() or text
    return len(MARKS), " ", "plain", text
