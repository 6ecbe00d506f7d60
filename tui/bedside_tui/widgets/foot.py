"""The lines at the foot of every screen: the scrubber when in time, what was said, the keys that do something here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from bedside_tui.draw import number
from bedside_tui.draw.cells import Pin
from bedside_tui.draw.scrubber import scrubber
from bedside_tui.keys import FOOTER_NAMES, KEYS, SPELLED, Key, Where
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, fit, line, width_of
from bedside_tui.widgets.timeline import tone_of

DIVIDER = " │"


@lru_cache(maxsize=256)  # the same at nearly every drawing, and a quarter of its cost
def footer(
    where: tuple[Where, ...],
    width: int,
    *,
    control: bool = True,
    in_time: bool = False,
    idle: frozenset[str] = frozenset(),
    ascii: bool = False,
) -> Line:
    """The keys of a screen in one line: control first, then the screen's own, then the general; the least needed go when narrow, and of
    them those come back that fit into what is left.

    `idle` are actions that do nothing here.
    """
    groups: list[list[Key]] = [[], [], []]
    for key in KEYS:
        if not key.footer or (key.control and not control) or key.action in idle:
            continue
        if key.control and key.where in ("everywhere", *where):
            groups[0].append(key)
        elif (key.where in where and key.where not in ("lists", "everywhere", "time")) or (key.where == "time" and in_time):
            groups[1].append(key)
        elif key.where == "everywhere" or (key.where == "lists" and "lists" in where):
            groups[2].append(key)
    said = {key: _said(key, ascii) for group in groups for key in group}
    kept = list(said)
    left_out: list[Key] = []
    while _width(groups, kept, said) > width and len(kept) > 1:
        left_out.insert(0, max(reversed(kept), key=lambda key: key.footer))
        kept.remove(left_out[0])
    for key in left_out:
        if _width(groups, [*kept, key], said) <= width:
            kept.append(key)
    return fit(_row(groups, kept, said), width)


def _said(key: Key, ascii: bool) -> Line:
    name = FOOTER_NAMES.get(key.keys[0], key.keys[0])
    if ascii and name.translate(SPELLED) != name:
        name = " ".join(each.translate(SPELLED) for each in name)
    return Span(f" {name}", "key"), Span(f" {key.label}", "quiet")


def _width(groups: Sequence[Sequence[Key]], kept: Sequence[Key], said: Mapping[Key, Line]) -> int:
    dividers = sum(any(key in kept for key in group) for group in groups) - 1
    return sum(width_of(said[key]) for key in kept) + dividers * len(DIVIDER)


def _row(groups: Sequence[Sequence[Key]], kept: Sequence[Key], said: Mapping[Key, Line]) -> Line:
    spans: list[Span] = []
    for group in groups:
        shown = [key for key in group if key in kept]
        if shown and spans:
            spans.append(Span(DIVIDER, "rule"))
        spans += [span for key in shown for span in said[key]]
    return tuple(spans)


def said_line(frame: Frame, width: int) -> Line:
    """What the viewer has to say, or that a screen is view only; blank otherwise, so that nothing moves when it speaks."""
    tones: dict[str, Tone] = {"red": "red", "amber": "amber"}
    return fit(line(" ", (frame.said, tones.get(frame.said_tone, frame.said_tone))), width)


def scrubber_line(frame: Frame, width: int) -> Line:
    """The whole run as a line: its events, what has been seen, and where one is; then the step."""
    head = frame.playhead
    step = f"  step {number.count(frame.view.step)} "
    room = width - len(step) - 1
    if room < 12:
        return fit(line((step, "plain")), width)
    pins = [Pin(mark.time, mark.glyph, tone_of(mark)) for mark in frame.marks if mark.jump]
    track = scrubber(head.begin, head.end, head.time, room, pins=pins, seen=frame.seen, ascii=frame.ascii)
    return (Span(" "), *(Span(text, tone) for text, tone in track), Span(step, "plain"))
