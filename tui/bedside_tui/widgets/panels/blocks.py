"""How a panel is put together: pieces that are told how many rows they get, under each other or side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import EMPTY, Line, beside, cut_text, filled, fit, line, wrapped


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a panel: it can do with `least` rows, has no use for more than `most`, and is left out where there are not even those."""

    draw: Callable[[int], list[Line]]
    least: int = 1
    most: int = 1000


def still(lines: Sequence[Line], least: int = 1) -> Block:
    """Lines that are what they are: all of them, or as many as fit, if at least so many do."""
    return Block(lambda height: list(lines[:height]), min(least, len(lines)), len(lines))


def stacked(blocks: Sequence[Block], height: int) -> list[Line]:
    """The blocks under each other, the first ones first served; a blank line between them where there is room."""
    shown = [block for block in blocks if block.most > 0]
    heights: list[int] = []
    left = max(0, height)
    for block in shown:
        given = block.least if block.least <= left else 0
        heights.append(given)
        left -= given
    gaps = max(0, sum(1 for given in heights if given) - 1)
    apart = gaps <= left
    left -= gaps if apart else 0
    for place, block in enumerate(shown):
        more = min(left, block.most - heights[place]) if heights[place] else 0
        heights[place] += more
        left -= more
    lines: list[Line] = []
    for block, given in zip(shown, heights, strict=True):
        drawn = block.draw(given)[:given] if given else []
        if drawn:
            lines += [EMPTY, *drawn] if lines and apart else drawn
    return lines[: max(0, height)]


def sides(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: int = 3) -> list[Line]:
    """Two pieces beside each other, from the same line on."""
    return beside(left, right, left_width, " " * gap)


def heading(text: str, width: int) -> Line:
    """The quiet line above a picture."""
    return line((cut_text(f"   {text}", width), "quiet"))


def sentence(text: str, width: int, glyph: str = " ", tone: Tone = "quiet", most: int = 3) -> list[Line]:
    """A text in at most so many lines, with its mark before the first."""
    parts = wrapped(text, max(1, width - 5))
    if len(parts) > most:
        parts = [*parts[: most - 1], cut_text(" ".join(parts[most - 1 :]), max(1, width - 5))]
    text_tone: Tone = "quiet" if glyph == " " else "plain"
    return [line(" ", (f" {glyph}" if not place else "  ", tone), " ", (part, text_tone)) for place, part in enumerate(parts)]


def short(name: str, width: int) -> str:
    """A name in at most so many cells; a dotted or slashed one keeps its end, which tells it from its neighbours."""
    if cell_len(name) <= width or not ("." in name or "/" in name):
        return cut_text(name, width)
    kept = name[-max(0, width * 4) :]
    while kept and cell_len(kept) > width - 1:
        kept = kept[1:]
    return f"…{kept}" if width > 0 else ""


def without_common(names: Sequence[str]) -> list[str]:
    """Dotted names without the parts with which all of them begin: `blocks.0.mlp`, `blocks.1.mlp` → `0.mlp`, `1.mlp`."""
    if len(names) < 2:
        return list(names)
    split = [name.split(".") for name in names]
    common = 0
    while all(len(parts) > common + 1 for parts in split) and len({parts[common] for parts in split}) == 1:
        common += 1
    return [".".join(parts[common:]) for parts in split]


def exactly(lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """Lines cut and filled to a place, for what stands beside something."""
    return [fit(row, width) for row in filled(lines, height)]
