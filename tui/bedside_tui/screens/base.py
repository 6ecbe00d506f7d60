"""What every screen of the viewer is: lines drawn from a frame, with a row cursor, a filter, and keys from the table.

A screen keeps what the person chose (a row, a text to filter by) and nothing of the run. The lines on top and at the foot are the same
everywhere; a subclass draws the body between them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen

from bedside_tui.keys import Where, keys_of, presses
from bedside_tui.widgets.choice import Choice
from bedside_tui.widgets.foot import footer, said_line, scrubber_line
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, filled, line, pointed, rule, wrapped
from bedside_tui.widgets.rows import Look, Rows
from bedside_tui.widgets.spans import SpanCompositor
from bedside_tui.widgets.status import age_text, alarm_line, status_line, time_line

if TYPE_CHECKING:
    from bedside_tui.app import BedsideApp
    from bedside_tui.store.history import History
    from bedside_tui.store.view import View


def bindings_of(*wheres: Where) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The table's keys that hold in these places, as the terminal library wants them."""
    return [Binding(press, key.action, key.label, show=False) for key in keys_of(*wheres) for press in presses(key)]


def head(frame: Frame, width: int) -> list[Line]:
    """Alive and alarmed, and when this is if it is not now."""
    lines = [status_line(frame, width), alarm_line(frame, width)]
    return lines if frame.playhead.mode == "now" else [time_line(frame, width), *lines]


def foot(frame: Frame, where: tuple[Where, ...], width: int, idle: frozenset[str] = frozenset()) -> list[Line]:
    """What was said and the keys, and the scrubber if this is not now."""
    in_time = frame.playhead.mode != "now"
    lines = [said_line(frame, width), footer(where, width, control=frame.control, in_time=in_time, idle=idle, ascii=frame.ascii)]
    return [scrubber_line(frame, width), *lines] if in_time else lines


ACROSS = 120
"""Columns in which the cursor moves where no chart is in sight."""


class RunScreen(Screen[None], inherit_bindings=False):
    """A screen about one run. Subclasses give `where` (their name and places in the table of keys) and `body`."""

    where: ClassVar[tuple[Where, ...]] = ("lists",)
    idle: ClassVar[frozenset[str]] = frozenset()
    """Actions of lists that do nothing here, left out of the footer."""
    lists_runs: ClassVar[bool] = False
    """Whether it shows which runs there are, so that the list is kept fresh while it is in sight."""
    AUTO_FOCUS = None
    ALLOW_SELECT = False

    def __init_subclass__(cls, **options: Any) -> None:
        cls.BINDINGS = bindings_of(*cls.where)
        super().__init_subclass__(inherit_bindings=False)

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._compositor = SpanCompositor()
        self.rows = Rows(look)
        self.choice: Choice[Hashable] = Choice()
        self.filter = ""
        self.across = ACROSS
        """Columns of the chart in sight, when it was drawn last."""

    def compose(self) -> ComposeResult:
        yield self.rows

    @property
    def at_alarm(self) -> bool:
        """Whether the cursor is on the alarm line, on screens where it can be."""
        return False

    @property
    def viewer(self) -> BedsideApp:
        """The application, by its own type."""
        return cast("BedsideApp", self.app)

    # --- drawing

    def draw(self, frame: Frame, look: Look) -> None:
        """Put a frame on the terminal. A terminal too small for everything gets the status first, then the alarm, then the body."""
        width, height = self.rows.size
        if not width or not height:
            return
        top, bottom = self.top_lines(frame, width), foot(frame, self.where, width, self.idle)
        room = height - len(top) - len(bottom)
        if room < 3:
            bottom = bottom[-1:] if height > len(top) + 1 else []
            room = max(0, height - len(top) - len(bottom))
        body = filled(self.body(frame, width, room), room) if room else []
        if self.at_alarm:
            top[-1] = pointed(top[-1])
        self.rows.show([*top, *body, *bottom], look)

    def draw_failure(self, sentence: str, look: Look) -> None:
        """What stands where a drawing failed: the sentence, and that the rest of the viewer goes on."""
        width, height = self.rows.size
        parts = wrapped(sentence, max(8, width - 6))
        body = [line(("   " if place else " ✖ ", "red"), part) for place, part in enumerate(parts)]
        self.rows.show(filled([(), *body, *self.empty("other screens may work: v h b l w; q leaves")], height), look)

    def top_lines(self, frame: Frame, width: int) -> list[Line]:
        """The head; another one only where there is no run to speak of."""
        return head(frame, width)

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        """The lines between head and foot: at most `height`, each cut at `width`."""
        raise NotImplementedError(f"{type(self).__name__} has no body")

    def heading(self, frame: Frame, text: str, width: int) -> Line:
        """The rule below the head, with the age of the data at its end."""
        if self.filter:
            text = f"{text} · with “{self.filter}”"
        if frame.cursor is not None and "cursor" in self.where:
            text = f"{text} · ┃ {frame.cursor.said}"
        age, tone = age_text(frame)
        return rule(text, width, age, tone)

    def empty(self, *sentences: str) -> list[Line]:
        """What a body says when there is nothing to show: what would fill it."""
        return [(), *(line(("   " + sentence, "quiet")) for sentence in sentences)]

    # --- the cursor of values, on screens that have charts

    def charted(self, view: View) -> History | None:
        """The series along whose columns the cursor moves: here the metric chosen, or the first."""
        metric = view.metric(self.viewer.metric) or next(iter(view.metrics), None)
        return metric.history if metric is not None else None

    def action_cursor(self, columns: int) -> None:
        self.viewer.move_cursor(self.charted(self.viewer.shown), self.across, columns)

    def action_pin_cursor(self) -> None:
        if self.viewer.viewing.cursor is None:
            self.action_cursor(0)
        self.viewer.pin_cursor()

    def action_go_to_cursor(self) -> None:
        self.viewer.go_to_cursor()

    # --- what the keys of lists do

    def back(self) -> bool:
        """One level up within the screen; False when it is at its top already."""
        if self.filter:
            self.filter = ""
            return True
        return False

    def action_move(self, rows: int) -> None:
        self.choice.move(rows)
        self.viewer.redraw()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.rows.size.height - 8))

    def action_first(self) -> None:
        self.action_move(-1_000_000)

    def action_last(self) -> None:
        self.choice.last()
        self.viewer.redraw()

    def action_panel(self, panels: int) -> None:
        """The next panel, on screens that have several."""
        self.action_move(panels)

    def action_open(self) -> None:
        """What `enter` does; nothing where rows have nothing behind them."""

    def action_filter(self) -> None:
        self.viewer.ask("filter", self.filter, self.set_filter, at_once=True)

    def set_filter(self, text: str) -> None:
        """Show only rows that contain `text`, in any case; empty shows all."""
        self.filter = text
        self.viewer.redraw()

    def passes(self, *texts: str) -> bool:
        """Whether a row with these texts is shown under the filter."""
        return not self.filter or any(self.filter.lower() in text.lower() for text in texts)

    def on_resize(self) -> None:
        self.viewer.redraw()
