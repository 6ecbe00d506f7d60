"""A line of tabs: what there is to choose from by `tab`, the chosen one marked, and those around it where not all have room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bedside_tui.theme import Tone
from bedside_tui.widgets.lines import Line, Span, fit, line, width_of


class Tab(NamedTuple):
    """One of them: its name, and before it a glyph in a tone of its own where there is something to say."""

    name: str
    glyph: str = ""
    tone: Tone = "plain"


def tabs(offered: Sequence[Tab], place: int, width: int) -> Line:
    """All that fit around the one at `place`; `‹` and `›` say that there are more."""
    drawn = [_drawn(tab, at == place) for at, tab in enumerate(offered)]
    first, last = place, place + 1
    room = width - width_of(drawn[place]) - 4
    while room > 0:
        before = width_of(drawn[first - 1]) if first > 0 else 0
        after = width_of(drawn[last]) if last < len(drawn) else 0
        if after and after <= room and (last - place <= place - first or not before):
            last, room = last + 1, room - after
        elif before and before <= room:
            first, room = first - 1, room - before
        elif after and after <= room:
            last, room = last + 1, room - after
        else:
            break
    spans = [span for tab in drawn[first:last] for span in tab]
    return fit((Span("‹" if first else " ", "quiet"), *spans, Span("›" if last < len(drawn) else " ", "quiet")), width)


def _drawn(tab: Tab, chosen: bool) -> Line:
    spans = line((f" {tab.glyph}" if tab.glyph else "", tab.tone), (f" {tab.name} ", "strong" if chosen else "quiet"))
    return tuple(span._replace(selected=chosen) for span in spans)
