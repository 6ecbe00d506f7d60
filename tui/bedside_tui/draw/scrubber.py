"""The line of a recording: its marks, what of it has been seen, and where one is."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_tui.draw.cells import Line, Pin, Style, pinned, spans


def scrubber(
    first: float,
    last: float,
    now: float,
    width: int,
    *,
    pins: Sequence[Pin] = (),
    seen: Sequence[tuple[float, float]] = (),
    ascii: bool = False,
) -> Line:
    """Spans of exactly `width` cells, for a recording from `first` to `last` seconds: `├──●──▲─━━━┿────┤`.

    Pins are glyphs at their times, the worst where several share a cell; `seen` are stretches already shown, drawn bright; `┿` is
    `now` and lies over everything.
    """
    width = max(0, width)
    if width < 3:
        return [(" " * width, "plain")]
    ends, quiet, bright, here = ("||", "-", "=", "+") if ascii else ("├┤", "─", "━", "┿")
    room = width - 2
    track: list[tuple[str, Style]] = [(quiet, "rule")] * room
    for begin, end in seen:
        for cell in range(_cell(begin, first, last, room), _cell(end, first, last, room) + 1):
            track[cell] = bright, "accent"
    for cell, span in pinned(pins, first, last, room, ascii=ascii).items():
        track[cell] = span
    track[_cell(now, first, last, room)] = here, "strong"
    return spans([(ends[0], "rule"), *track, (ends[1], "rule")])


def _cell(time: float, first: float, last: float, room: int) -> int:
    """The cell of a time; the ends of the recording are the ends of the line."""
    if not last > first or time != time:
        return room - 1
    share = (min(max(time, first), last) - first) / (last - first)
    return min(room - 1, int(share * room))


def time_at(cell: int, first: float, last: float, width: int) -> float:
    """The time in the middle of a cell of the line, for a mouse or a percentage."""
    room = max(1, width - 2)
    return first + (last - first) * min(max((cell - 0.5) / room, 0.0), 1.0)
