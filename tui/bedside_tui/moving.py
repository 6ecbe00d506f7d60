"""What the keys do that move in time: each becomes a move of the timeline, and what it has to say is said."""

from __future__ import annotations

from collections.abc import Callable

from bedside_tui.asking import Verdict
from bedside_tui.seek import read_seek
from bedside_tui.store.view import View
from bedside_tui.viewer import Viewer


class MovingViewer(Viewer, inherit_bindings=False):
    """A viewer with its keys of time."""

    def _view(self) -> View:
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
