"""How things look: which colours each tone has in each palette, and the glyphs of a terminal that has only ASCII.

A tone says what a piece of text means ("red", "quiet"); nothing else in the viewer names a colour, except pictures, whose colours are
their data. No state is told by colour alone: the words and symbols stand in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from rich.color import Color
from rich.style import Style

Tone = Literal[
    "plain", "quiet", "rule", "strong", "accent", "ok", "amber", "red", "alarm", "key", "mode", "cursor",
    "curve", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth",
]  # fmt: skip
"""`alarm`: the whole line of a red alarm. `mode`: the line that says this is not now. `cursor`: the cell one types in. `curve` to `eighth`:
data, as far apart as eight colours beside red and amber can be."""

Colour: TypeAlias = tuple[int, int, int]

PaletteName = Literal["dark", "light", "ansi", "mono"]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Colours of one kind of terminal: background, the selected row, and a style a tone."""

    name: PaletteName
    dark: bool
    background: str
    selected: Style
    tones: Mapping[Tone, Style]
    heat: tuple[Colour, ...] = ()
    """The ramp of heat maps from the lowest to the highest; empty where shades must do."""

    @property
    def ground(self) -> Style:
        """What lies under everything: the background, or the terminal's own."""
        return Style() if self.ansi else Style.parse(f"on {self.background}")

    @property
    def ansi(self) -> bool:
        """Whether it uses only the terminal's own sixteen colours and its own background."""
        return self.name in ("ansi", "mono")


def _styles(**tones: str) -> dict[Tone, Style]:
    return {tone: Style.parse(style) for tone, style in tones.items()}  # type: ignore[misc]


def _ramp(*stops: Colour, places: int = 12) -> tuple[Colour, ...]:
    """Colours from the first stop over the others to the last, evenly."""
    colours = []
    for place in range(places):
        at = place / (places - 1) * (len(stops) - 1)
        first = min(int(at), len(stops) - 2)
        mixed = [round(a + (b - a) * (at - first)) for a, b in zip(stops[first], stops[first + 1], strict=True)]
        colours.append((mixed[0], mixed[1], mixed[2]))
    return tuple(colours)


# One hue, from just off the background to the far end of light and dark: red and amber stay free for what is wrong.
DARK = Palette(
    "dark", True, "#101418", Style.parse("on #24303a"),
    _styles(
        plain="#b4bcc4", quiet="#77818b", rule="#4a545e", strong="bold #e4e9ee", accent="#6fb3c8", curve="#6fb3c8",
        second="#c9a86a", third="#a78fc9", fourth="#8fc06c", fifth="#d98fb6", sixth="#d4dae0", seventh="#7090e0", eighth="#b98468",
        ok="#7fa98a", amber="bold #e5b567", red="bold #ff6b63", alarm="bold #ffffff on #8c2a2a",
        key="bold #c8d0d8", mode="#cfe8f1 on #1f4a5a", cursor="#101418 on #6fb3c8",
    ),
    _ramp((26, 34, 42), (60, 120, 142), (208, 236, 244)),
)  # fmt: skip

LIGHT = Palette(
    "light", False, "#fafaf7", Style.parse("on #dde7ec"),
    _styles(
        plain="#3c444c", quiet="#6d757d", rule="#b4bac0", strong="bold #14181c", accent="#1f6f87", curve="#1f6f87",
        second="#8a5a00", third="#6a4c9c", fourth="#3f7d20", fifth="#a83a78", sixth="#2c3238", seventh="#2f4fb0", eighth="#7d4a34",
        ok="#3c7a4c", amber="bold #965c00", red="bold #b3201a", alarm="bold #ffffff on #a8251f",
        key="bold #14181c", mode="#0f3a47 on #cfe3ea", cursor="#ffffff on #1f6f87",
    ),
    _ramp((232, 238, 240), (102, 162, 180), (14, 52, 66)),
)  # fmt: skip

# "dim" and not "bright_black": in some themes of sixteen colours the latter is the background.
# On sixteen colours "error" and "warning" of most themes become the same bright red: here amber is yellow and red is red.
ANSI = Palette(
    "ansi", True, "ansi_default", Style(reverse=True),
    _styles(
        plain="default", quiet="dim", rule="dim", strong="bold default", accent="cyan", curve="cyan",
        second="yellow", third="magenta", fourth="green", fifth="blue", sixth="default", seventh="bright_cyan", eighth="bright_magenta",
        ok="green", amber="bold yellow", red="bold red", alarm="bold white on red",
        key="bold default", mode="reverse cyan", cursor="reverse",
    ),
)  # fmt: skip

MONO = Palette(
    "mono", True, "ansi_default", Style(reverse=True),
    _styles(
        plain="default", quiet="dim", rule="dim", strong="bold", accent="default", curve="default", second="bold", third="dim",
        fourth="default", fifth="bold", sixth="dim", seventh="default", eighth="bold",
        ok="default", amber="bold", red="bold", alarm="bold reverse", key="bold", mode="reverse", cursor="reverse",
    ),
)  # fmt: skip

PALETTES: Mapping[PaletteName, Palette] = {palette.name: palette for palette in (DARK, LIGHT, ANSI, MONO)}


def palette_for(environment: Mapping[str, str], wanted: str = "") -> Palette:
    """The palette for a terminal as its environment describes it; `wanted` is the user's own choice by name."""
    if wanted in PALETTES:
        return PALETTES[wanted]  # type: ignore[index]
    if environment.get("NO_COLOR"):
        return MONO
    colours = environment.get("COLORTERM", "").lower()
    if colours in ("truecolor", "24bit") or "256" in environment.get("TERM", "") or "direct" in environment.get("TERM", ""):
        return DARK
    return ANSI


@lru_cache(maxsize=4096)
def paint(foreground: tuple[int, int, int] | None, background: tuple[int, int, int] | None) -> Style:
    """The style of a picture's cell."""
    return Style(
        color=Color.from_rgb(*foreground) if foreground else None,
        bgcolor=Color.from_rgb(*background) if background else None,
    )


_ASCII = {
    "●": "o", "◌": ".", "○": ".", "✖": "x", "▲": "!", "✓": "+", "⏎": ">", "▶": ">", "◀": "<", "‖": "=", "…": "~",
    "─": "-", "━": "=", "│": "|", "┃": "|", "├": "|", "┤": "|", "┼": "+", "┿": "+", "┬": "+", "┴": "+", "╭": "+", "╮": "+",
    "┌": "+", "┐": "+", "└": "+", "┘": "+", "╰": "+", "╯": "+", "≡": "=", "·": ".", "→": ">", "←": "<", "↑": "^", "↓": "v", "×": "x",
    "≥": ">", "≤": "<", "≈": "~", "°": "o", "µ": "u", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'", "›": ">", "‹": "<", "□": " ",
    "▀": '"', "▄": "_", "█": "#", "▓": "%", "▒": "+", "░": ".", "▁": "_", "▂": "_", "▃": "-", "▅": "=", "▆": "=", "▇": "#",
    "┊": ":", "Δ": "d", "∞": "8", "╳": "X", "◆": "*", "✎": "*", "✗": "x", "■": "#", "✕": "x", "☐": "?", "±": "+", "²": "2", "⣿": "#",
}  # fmt: skip


def _braille(code: int) -> str:
    """A dot pattern as the nearest ASCII mark: by the highest filled row, which is where a curve runs."""
    for bits, mark in ((0x09, "'"), (0x12, "-"), (0x24, "."), (0xC0, "_")):
        if code & bits:
            return mark
    return " "


ASCII_GLYPHS: Mapping[int, str] = {
    **{ord(glyph): mark for glyph, mark in _ASCII.items()},
    **{0x2800 + code: _braille(code) for code in range(256)},
}


def to_ascii(text: str) -> str:
    """The same number of cells in ASCII; what has no likeness becomes `?`, once a cell."""
    if text.isascii():
        return text
    from rich.cells import cell_len

    return "".join(char if char.isascii() else "?" * cell_len(char) for char in text.translate(ASCII_GLYPHS))
