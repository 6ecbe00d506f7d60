"""What a screen is given to draw: the view of the run and everything around it that is not the run.

A frame is a value, made by the application for each drawing. `head` and `foot` make the lines that are the same on every screen of a run:
is it alive, what is it doing, what is safe; is something wrong; where in time we are; what was said; the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bedside_protocol.records import Verb
from bedside_tui.cursor import Cursor
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.view import Mark, View
from bedside_tui.theme import Colour, Tone

Mode = Literal["now", "back", "replay"]
"""`now`: live, at the end. `back`: live, looking back. `replay`: a recording."""


@dataclass(frozen=True, slots=True)
class Playhead:
    """Where in the run's time the view stands. Times are seconds since the run began."""

    mode: Mode
    time: float
    begin: float
    end: float
    playing: bool = False
    speed: str = "1×"


@dataclass(frozen=True, slots=True)
class Asked:
    """A command on its way: `state` is what the run said of it last, `sent` before it said anything."""

    verb: Verb
    state: str
    step: int = -1


@dataclass(frozen=True, slots=True)
class Frame:
    """One drawing's worth of facts."""

    view: View
    source: SourceStatus
    playhead: Playhead
    age: float | None
    """Seconds since the run's last sign of life, None where there never was one, or where it does not matter (a recording)."""
    now: float
    """The viewer's clock, in seconds that only go forward."""
    newest: View
    """The run as known last, whatever moment `view` shows: what is asked of the run is about this."""
    marks: Sequence[Mark] = ()
    """All marks of the run, the future of the playhead included: for the scrubber."""
    seen: Sequence[tuple[float, float]] = ()
    """Stretches of the run's time that were shown, for the scrubber."""
    cursor: Cursor | None = None
    """Where values are read on every chart, None where nobody asked."""
    asked: Asked | None = None
    said: str = ""
    """One line from the viewer to the person: what became of a key press."""
    said_tone: Tone = "plain"
    control: bool = True
    """Whether P, C and S can be obeyed."""
    ascii: bool = False
    """Whether the terminal shows only ASCII."""
    colours: bool = True
    """Whether pictures may be told by colour."""
    heat: tuple[Colour, ...] = ()
    """The ramp of heat maps; empty: by shades."""
