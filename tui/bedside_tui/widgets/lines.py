"""Lines of toned text: the form in which everything is drawn before it meets the terminal.

A line is a tuple of spans, a span is text and what it means (`Tone`), or the colours of a picture's cells (`Paint`). Nothing here
parses markup: text is text. Widths are those the terminal library counts, since it is the one that writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple, TypeAlias

from rich.cells import cell_len, set_cell_size

from bedside_tui.theme import Tone

ELLIPSIS = "…"


class Paint(NamedTuple):
    """Colours that are data: the upper (foreground) and lower (background) half of a picture's cell, 0 to 255."""

    foreground: tuple[int, int, int] | None
    background: tuple[int, int, int] | None


class Span(NamedTuple):
    """A piece of a line. `selected`: under the row cursor."""

    text: str
    tone: Tone | Paint = "plain"
    selected: bool = False


Line: TypeAlias = tuple[Span, ...]
Piece: TypeAlias = str | Span | tuple[str, Tone]

EMPTY: Line = ()


def line(*pieces: Piece) -> Line:
    """A line from pieces: a bare text is plain, a pair is (text, tone); empty texts vanish."""
    spans = (Span(piece) if isinstance(piece, str) else Span(*piece) for piece in pieces)
    return tuple(span for span in spans if span.text)


def width_of(row: Line) -> int:
    """Cells it takes."""
    return sum(cell_len(span.text) for span in row)


def cut_text(text: str, width: int) -> str:
    """At most `width` cells of text; where something was cut the last cell says so."""
    if width <= 0:
        return ""
    if len(text) > width * 4:  # no renderable is built from more than can be shown, however long the text is
        text = text[: width * 4]
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def pad(text: str, width: int) -> str:
    """Exactly `width` cells, cut or filled on the right."""
    cut = cut_text(text, width)
    return cut + " " * (max(0, width) - cell_len(cut))


def pad_left(text: str, width: int) -> str:
    """Exactly `width` cells, filled on the left, for numbers."""
    cut = cut_text(text, width)
    return " " * (max(0, width) - cell_len(cut)) + cut


def fit(row: Line, width: int) -> Line:
    """Exactly `width` cells: cut with an ellipsis, or filled with blanks."""
    fitted: list[Span] = []
    left = max(0, width)
    for place, span in enumerate(row):
        cells = cell_len(span.text)
        if cells > left:
            only_blanks = not any(other.text.strip() for other in row[place + 1 :])
            fitted.append(span._replace(text=pad(span.text.rstrip() if only_blanks else span.text, left)))
            left = 0
            break
        fitted.append(span)
        left -= cells
    if left:
        fitted.append(Span(" " * left))
    return tuple(span for span in fitted if span.text)


def ends(left: Line, right: Line, width: int) -> Line:
    """`left` at the left edge and `right` at the right edge; the left is cut where both do not fit."""
    room = width - width_of(right)
    return fit((*fit(left, room), *right), width)


def pointed(row: Line) -> Line:
    """With `›` in its first cell, where that is blank."""
    if row and row[0].text.startswith(" "):
        return (row[0]._replace(text="›" + row[0].text[1:]), *row[1:])
    return row


def select(row: Line, width: int) -> Line:
    """The row under the cursor: pointed at, and its whole width marked."""
    return marked(pointed(row), width)


def marked(row: Line, width: int) -> Line:
    """Its whole width marked: a further line of the row under the cursor."""
    return tuple(span._replace(selected=True) for span in fit(row, width))


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: str = " ") -> list[Line]:
    """Two columns of lines as one, the left `left_width` wide."""
    return [(*fit(one, left_width), Span(gap), *other) for one, other in zip_longest(left, right, fillvalue=EMPTY)]


def filled(rows: Iterable[Line], height: int) -> list[Line]:
    """Exactly `height` lines."""
    kept = list(rows)[: max(0, height)]
    return kept + [EMPTY] * (height - len(kept))


def rule(title: str, width: int, right: str | Line = "", right_tone: Tone = "quiet") -> Line:
    """` ─ title ───────── right `: the head of a panel. `right` goes first when it gets narrow, then the title is cut."""
    title = cut_text(title, width - 5)
    room = width - cell_len(title) - 5
    ending = line((right, right_tone)) if isinstance(right, str) else right
    if not ending or width_of(ending) + 4 > room:
        ending = ()
    elif ending:
        ending = (Span(" "), *ending, Span(" "))
    return line((" ─ ", "rule"), (f"{title} ", "quiet"), ("─" * (room - width_of(ending) + 1), "rule"), *ending)


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most `width` cells, broken at blanks, and in a word only where the word alone is too long."""
    lines, current = [], ""
    width = max(1, width)
    for word in text.split():
        while cell_len(word) > width:
            if current:
                lines.append(current)
                current = ""
            head = set_cell_size(word, width).rstrip() or word[:1]
            lines.append(head)
            word = word[len(head) :]
        if current and cell_len(current) + 1 + cell_len(word) > width:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}".strip()
    return [*lines, current] if current else lines


def plain(rows: Iterable[Line]) -> str:
    """The text alone, without trailing blanks: what tests compare and `--text` prints."""
    return "\n".join("".join(span.text for span in row).rstrip() for row in rows)
