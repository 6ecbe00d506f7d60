"""What the keys do that move in time or move the value cursor: each becomes a move, and what it has to say is said."""

from __future__ import annotations

import math
from collections.abc import Callable

from bedside_tui.asking import Verdict
from bedside_tui.cursor import Cursor, Spot, column_step
from bedside_tui.draw import number
from bedside_tui.seek import read_seek
from bedside_tui.store.history import History
from bedside_tui.store.view import View
from bedside_tui.viewer import Viewer


class MovingViewer(Viewer, inherit_bindings=False):
    """A viewer with its keys of time and of the cursor."""

    @property
    def shown(self) -> View:
        """The run at the moment shown."""
        return self.viewing.frame(self._now()).view

    def move_to(self, time: float) -> None:
        """Stand at a second of the run."""
        self._in_time(self.viewing.timeline.move_to, time)

    def action_play(self) -> None:
        self._in_time(self.viewing.timeline.play)

    def action_skip(self, steps: int) -> None:
        self._in_time(self.viewing.timeline.skip, steps)

    def action_record(self, direction: int) -> None:
        self._in_time(self.viewing.timeline.record, direction)

    def action_event(self, direction: int) -> None:
        self._in_time(self.viewing.timeline.event, direction)

    def action_speed(self, factor: float) -> None:
        self._in_time(self.viewing.timeline.speed, factor)

    def action_percent(self, percent: int) -> None:
        self._in_time(self.viewing.timeline.percent, percent)

    def action_end(self) -> None:
        self._in_time(self.viewing.timeline.end)

    def seek(self, text: str) -> None:
        """Go to a moment as a person writes it; what is none changes nothing."""
        if (seek := read_seek(text)) is not None:
            self._in_time(self.viewing.timeline.seek, seek)

    def _in_time(self, move: Callable[..., Verdict | None], *arguments: object) -> None:
        if said := move(*arguments, self._now()):
            self.viewing.say(said.text, said.tone, self._now())
        self.redraw()

    # --- the cursor

    def move_cursor(self, history: History | None, width: int, columns: int) -> None:
        """So many columns on, of those that `history` has on a chart of `width` columns; it begins at the newest."""
        cursor = self.viewing.cursor
        step = column_step(history, width, cursor.at.step if cursor is not None else None, columns) if history is not None else None
        if step is None:
            self.viewing.say("nothing logged yet to put the cursor on", "quiet", self._now())
        else:
            self.viewing.cursor = Cursor(self._spot(step), cursor.pin if cursor is not None else None)
            if cursor is None:
                self.viewing.say(
                    f"cursor at step {number.count(step)}: < > move it, z pins it, u goes there, esc lets it go", "plain", self._now()
                )
        self.redraw()

    def pin_cursor(self) -> None:
        """Differences are taken from here on, or no longer."""
        cursor = self.viewing.cursor
        if cursor is None:
            return
        pin = None if cursor.pin == cursor.at else cursor.at
        self.viewing.cursor = Cursor(cursor.at, pin)
        where = number.count(cursor.at.step)
        self.viewing.say(
            f"pinned at step {where}: Δ is the difference from it; z there again lets it go" if pin else "pin let go", "plain", self._now()
        )
        self.redraw()

    def go_to_cursor(self) -> None:
        """Stand at the moment at which the step under the cursor was reached."""
        cursor = self.viewing.cursor
        if cursor is None or math.isnan(cursor.at.time):
            self.viewing.say("no cursor on a chart: < puts one there", "quiet", self._now())
            self.redraw()
        else:
            self.move_to(cursor.at.time)

    def _spot(self, step: int) -> Spot:
        time = self.viewing.store.time_of_step(step)
        return Spot(step, math.nan if time is None else time)
