"""What a chart is painted on: cells with a character and a style each, and dots in braille, two across and four down in a cell.

A canvas knows cells, not what they mean: places are rows and columns, counted from the upper left corner. It is kept as arrays, because
the chart of a wide terminal has ten thousand cells and is drawn while somebody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from bedside_tui.draw.cells import Line, Span, Style

DOTS_ACROSS, DOTS_DOWN = 2, 4
"""Dots of braille in a cell."""

_BRAILLE: Final = 0x2800
_BITS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_DOTS_OF: Final = np.array([pattern.bit_count() for pattern in range(256)], np.uint8)
_BLANK: Final = ord(" ")
_STYLES: Final[tuple[Style, ...]] = get_args(Style)
_PLACE: Final = {style: place for place, style in enumerate(_STYLES)}


class Canvas:
    """`height` rows of `width` cells, blank at first. Only characters that take one cell may be written."""

    __slots__ = ("_chars", "_styles")

    def __init__(self, width: int, height: int) -> None:
        self._chars = np.full((height, width), _BLANK, "<u4")
        self._styles = np.full((height, width), _PLACE["quiet"], np.uint8)

    def __repr__(self) -> str:
        return f"<Canvas {self._chars.shape[1]} × {self._chars.shape[0]}>"

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Canvas:
        """The canvas whose lines these are; they are equally wide."""
        canvas = cls(sum(len(text) for text, _ in lines[0]) if lines else 0, len(lines))
        for row, line in enumerate(lines):
            column = 0
            for text, style in line:
                canvas.write(row, column, text, style)
                column += len(text)
        return canvas

    def write(self, row: int, column: int, text: str, style: Style) -> None:
        """Text from a cell on to the right."""
        here = np.s_[row, column : column + len(text)]
        self._chars[here] = np.frombuffer(text.encode("utf-32-le"), "<u4")
        self._styles[here] = _PLACE[style]

    def rule(self, column: int, height: int, char: str, style: Style) -> None:
        """A vertical line through the uppermost `height` rows, behind what stands there."""
        blank = self._chars[:height, column] == _BLANK
        self._chars[:height, column][blank] = ord(char)
        self._styles[:height, column][blank] = _PLACE[style]

    def paint(self, column: int, layers: Sequence[NDArray[np.uint8]], styles: Sequence[Style], mark: str = "") -> None:
        """Layers of cells from a column on to the right and from the uppermost row down, each a pattern of dots a cell (`patterns`).

        Where layers meet, a cell has the dots of all, and the style of the one that has the fewest there: a thin line is seen across a
        broad one. Of layers that have as many, the last lies in front. `mark` stands in every cell that has a dot, in place of braille.
        """
        stacked = np.stack(layers)[::-1]
        pattern = np.bitwise_or.reduce(stacked)
        some = pattern > 0
        thinnest = np.where(stacked > 0, _DOTS_OF[stacked], 255).argmin(axis=0)
        here = np.s_[: pattern.shape[0], column : column + pattern.shape[1]]
        self._chars[here][some] = ord(mark) if mark else pattern[some] + np.uint32(_BRAILLE)
        self._styles[here][some] = np.array([_PLACE[style] for style in reversed(styles)], np.uint8)[thinnest[some]]

    def lines(self) -> list[Line]:
        """The rows, in as few spans as their styles allow."""
        return [list(_spans(chars, styles)) for chars, styles in zip(self._chars, self._styles, strict=True)]


def patterns(dots: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The braille pattern of each cell of a field of dots, whose first row is the uppermost."""
    rows, columns = dots.shape[0] // DOTS_DOWN, dots.shape[1] // DOTS_ACROSS
    fields = dots.view(np.uint8).reshape(rows, DOTS_DOWN, columns, DOTS_ACROSS)
    return np.asarray(np.einsum("rdca,da->rc", fields, _BITS), dtype=np.uint8)


def _spans(chars: NDArray[Any], styles: NDArray[np.uint8]) -> Iterator[Span]:
    text = chars.tobytes().decode("utf-32-le")
    begins = [0, *(np.flatnonzero(styles[1:] != styles[:-1]) + 1).tolist()]
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
        yield text[begin:end], _STYLES[styles[begin]]
