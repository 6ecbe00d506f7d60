"""Lines that cost much to draw, kept while nothing has changed that they show, and in a live run for a while."""

from __future__ import annotations

import math
from collections.abc import Callable

from bedside_tui.draw.cells import Line
from bedside_tui.store.view import View
from bedside_tui.widgets.curves import KEPT
from bedside_tui.widgets.frame import Frame


class Kept:
    """The lines drawn last."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._view: View | None = None
        self._at = -math.inf
        self._lines: list[Line] = []

    def lines(self, key: tuple[object, ...], frame: Frame, make: Callable[[], list[Line]], seconds: float = KEPT) -> list[Line]:
        """What `make` makes, or made last. `key`: everything but the run that the lines depend on; in a live run they may be as old as
        `seconds`."""
        live = frame.playhead.mode == "now"
        fresh = frame.view is self._view or (live and frame.now - self._at < seconds)
        if key != self._key or not fresh:
            self._key, self._view, self._at, self._lines = key, frame.view, frame.now, make()
        return self._lines
