"""The one widget that draws: it keeps its lines as strips and sends the terminal only the spans of rows that changed.

It knows no run. Textual sends whole dirty regions and compares no cells, so the comparison is made here: at four updates a second that
is the difference between some hundred bytes and a hundred thousand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from bedside_protocol.sanitise import text as safe
from bedside_tui.theme import Palette, Tone, paint, to_ascii
from bedside_tui.widgets.lines import Line, Paint, fit

GAP = 8
"""Unchanged cells between two changes worth sending again rather than moving the cursor (a move with its style is about as long)."""

ONE_CELL = re.compile("[ -~±°²µ·×Δ–—“”’…›‹←→↑↓∞≈≤≥⏎─-◼✎✓-✘⠀-⣿]*")
"""Letters, lines, blocks, braille and our marks: characters of which nobody need ask how wide they are."""

LONGEST = 2000
"""Characters of one span that are looked at: no terminal is wider."""


@dataclass(frozen=True, slots=True)
class Look:
    """How this terminal is to be written to."""

    palette: Palette
    ascii: bool = False


@lru_cache(maxsize=512)
def _style(tone: Tone | Paint, selected: bool, look: Look) -> Style:
    if isinstance(tone, Paint):
        return look.palette.ground + paint(tone.foreground, tone.background)
    style = look.palette.ground + look.palette.tones[tone]
    return style + look.palette.selected if selected else style


def to_strip(row: Line, width: int, look: Look) -> Strip:
    """One line as exactly `width` cells of the terminal. Whatever slipped past the sanitiser at the edge is made visible here."""
    safe_row = tuple(span if span.text.isprintable() else span._replace(text=safe(span.text, LONGEST)) for span in row)
    segments = [
        Segment(to_ascii(span.text) if look.ascii else span.text, _style(span.tone, span.selected, look)) for span in fit(safe_row, width)
    ]
    return Strip(segments, width)


def changed_spans(old: Strip, new: Strip) -> list[tuple[int, int]]:
    """(first cell, cells) of each stretch that differs; the strips are equally wide."""
    tones: dict[Style | None, int] = {}
    before, after = _cells(old, tones), _cells(new, tones)
    if len(before) != len(after):
        return [(0, max(old.cell_length, new.cell_length))]
    places = np.flatnonzero(before != after)
    if not len(places):
        return []
    apart = np.flatnonzero(places[1:] - places[:-1] > GAP + 1).tolist()
    ends = zip([0, *(at + 1 for at in apart)], [*apart, len(places) - 1], strict=True)
    return [(int(places[first]), int(places[last] - places[first]) + 1) for first, last in ends]


def _cells(strip: Strip, tones: dict[Style | None, int]) -> NDArray[np.int64]:
    """A number a cell, the same for the same character in the same style; `tones` numbers the styles. A wide character stands in all of
    its cells, so that a change to it covers them."""
    pieces = [(text, tones.setdefault(style, len(tones))) for text, style, _ in strip]
    text = "".join(text for text, _ in pieces)
    chars = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.int64)
    styles = np.repeat([tone for _, tone in pieces], [len(text) for text, _ in pieces])
    cells = styles << 32 | chars
    return cells if ONE_CELL.fullmatch(text) else np.repeat(cells, [cell_len(char) for char in text])


class Rows(Widget):
    """Lines, one under the other, as they are: no wrapping, no scrolling, no markup."""

    DEFAULT_CSS = "Rows { width: 1fr; height: 1fr; }"

    def __init__(self, look: Look) -> None:
        super().__init__(markup=False)
        self.look = look
        self._strips: list[Strip] = []
        self.sent = 0
        """Cells asked to be redrawn since the start: what an update costs, for tests and for the curious."""

    def show(self, lines: Sequence[Line], look: Look | None = None) -> None:
        """Draw these lines; only what differs from the last ones reaches the terminal. Lines beyond the height are cut."""
        width, height = self.size
        whole = look is not None and look != self.look
        if look is not None:
            self.look = look
        strips = [to_strip(row, width, self.look) for row in lines[:height]]
        strips += [Strip.blank(width, self.look.palette.ground)] * (height - len(strips))
        old, self._strips = self._strips, strips
        if whole or len(old) != height or (old and old[0].cell_length != width):
            self.sent += width * height
            self.refresh()
            return
        regions = [
            Region(start, y, cells, 1)
            for y, (was, now) in enumerate(zip(old, strips, strict=True))
            if was != now
            for start, cells in changed_spans(was, now)
        ]
        if regions:
            self.sent += sum(region.width for region in regions)
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.look.palette.ground)

    @property
    def text(self) -> str:
        """What stands there, without colours and trailing blanks."""
        return "\n".join(strip.text.rstrip() for strip in self._strips)
