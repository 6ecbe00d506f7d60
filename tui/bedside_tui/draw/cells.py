"""Text in terminal cells: how wide it is, cut and padded to an exact width, and the spans in which coloured text is handed on.

Only sanitised text comes here, so a character is a mark on the one before it, one cell or two. Colours are names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

Style: TypeAlias = Literal[
    "plain", "quiet", "rule", "strong", "accent", "ok", "amber", "red",
    "curve", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
]  # fmt: skip
"""What a piece of a drawing means; the viewer's theme has a colour for each."""

Span: TypeAlias = tuple[str, Style]
Line: TypeAlias = list[Span]


class Pin(NamedTuple):
    """A mark at a place of an axis (a step or a second). Of pins that share a cell the worst is shown."""

    at: float
    glyph: str
    style: Style = "quiet"


_WORST: dict[Style, int] = {"red": 3, "amber": 2, "ok": 1, "accent": 1}

_ASCII = str.maketrans({
    "✖": "X", "▲": "!", "●": "o", "◆": "*", "✓": "+", "✗": "x", "✎": "n", "›": ">", "▶": ">", "■": "#", "‖": "=", "○": "o",
    "╳": "x", "·": ".", "…": "~", "—": "-", "┃": "|", "┊": ":",
})  # fmt: skip


def width(text: str) -> int:
    """Cells `text` takes: 0 for combining marks, 2 for wide and fullwidth characters, 1 for all others."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, most: int, *, ascii: bool = False) -> str:
    """At most `most` cells of `text`, with a final `…` (`~` in ASCII) where something is missing."""
    if most <= 0:
        return ""
    if (len(text) <= most and text.isascii()) or (len(text) <= 2 * most + 1 and width(text) <= most):
        return text
    kept, used = [], 0
    for char in text:
        used += _cells(char)
        if used > most - 1:
            break
        kept.append(char)
    else:
        return text
    return "".join(kept) + ("~" if ascii else "…")


def pad(text: str, size: int, side: Literal["left", "right", "middle"] = "left", *, ascii: bool = False) -> str:
    """Exactly `size` cells: cut, or filled so that the text stands at `side`."""
    shown = cut(text, size, ascii=ascii)
    room = max(0, size) - width(shown)
    before = {"left": 0, "right": room, "middle": room // 2}[side]
    return " " * before + shown + " " * (room - before)


def spans(chars: Iterable[tuple[str, Style]]) -> Line:
    """Single cells joined into as few spans as their styles allow."""
    return [("".join(char for char, _ in run), style) for style, run in groupby(chars, key=lambda cell: cell[1])]


def text_of(line: Iterable[Span]) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line)


def plain_glyph(glyph: str) -> str:
    """A mark in ASCII."""
    return glyph if glyph.isascii() else glyph.translate(_ASCII) if glyph.translate(_ASCII).isascii() else "*"


def pinned(pins: Sequence[Pin], low: float, high: float, size: int, *, ascii: bool = False) -> dict[int, Span]:
    """Which cell of `size` shows which pin, for an axis from `low` to `high`; pins outside are left out."""
    shown: dict[int, tuple[int, Span]] = {}
    if size < 1 or not low <= high:
        return {}
    for pin in pins:
        if not low <= pin.at <= high:
            continue
        cell = min(size - 1, int((pin.at - low) / (high - low) * size)) if high > low else size - 1
        rank = _WORST.get(pin.style, 0)
        if cell not in shown or shown[cell][0] <= rank:
            shown[cell] = rank, (plain_glyph(pin.glyph) if ascii else pin.glyph, pin.style)
    return {cell: span for cell, (_, span) in shown.items()}
