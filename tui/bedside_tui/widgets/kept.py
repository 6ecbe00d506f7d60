"""Lines that cost much to draw, kept while nothing has changed that they show."""

from __future__ import annotations

import math
from collections.abc import Callable

from bedside_tui.draw.cells import Line
from bedside_tui.store.view import View
from bedside_tui.widgets.curves import KEPT
from bedside_tui.widgets.frame import Frame


class Kept:
    """The lines drawn last: made anew when the key or the view is another, but in a live run no more than once a second."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._view: View | None = None
        self._at = -math.inf
        self._lines: list[Line] = []

    def lines(self, key: tuple[object, ...], frame: Frame, make: Callable[[], list[Line]]) -> list[Line]:
        """What `make` makes, or made last. `key`: everything but the run that the lines depend on."""
        live = frame.playhead.mode == "now"
        fresh = frame.view is self._view or (live and frame.now - self._at < KEPT)
        if key != self._key or not fresh:
            self._key, self._view, self._at, self._lines = key, frame.view, frame.now, make()
        return self._lines
