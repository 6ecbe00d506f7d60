"""Where the training is, was when it stalled, or crashed: the newest stack known at this moment. Of several ranks one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.stack_view import StackView
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, ends, line, width_of
from bedside_tui.widgets.rows import Look
from bedside_tui.widgets.stack import stack_lines
from bedside_tui.widgets.standing import Apart, Standing, standings
from bedside_tui.widgets.tabs import Tab, tabs

_HINT = line((" tab", "key"), (" next rank ", "quiet"))


class StackScreen(RunScreen):
    """One stack. The cursor scrolls, the filter chooses threads; of several ranks the one to look at is shown until `tab` chooses."""

    where = ("lists", "stack")
    idle = frozenset({"open"})

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.rank: int | None = None
        """The rank somebody chose; None: the one to look at first."""
        self._offered: Sequence[int] = ()
        self._shown = 0

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        found = standings(frame.view.stacks, frame.view.ranks)
        self._offered = [one.rank for one in found]
        if not found:
            return [self.heading(frame, "stack", width), *self.empty(*_nothing(frame))]
        place = self._offered.index(self.rank) if self.rank in self._offered else 0
        one = found[place]
        self._shown = one.rank
        head = [self.heading(frame, _title(one, frame), width)]
        if len(found) > 1:
            head.append(ends(tabs([_tab(each) for each in found], place, width - width_of(_HINT)), _HINT, width))
        if one.stack is None:
            return [*head, *self.empty(f"no stack: {one.said}", "its process is stopped, or a native call holds the GIL")]
        apart = [line((f"   {one.said}", "amber" if frame.view.lifecycle == "stalled" else "quiet"))] if one.said else []
        return [*head, *apart, *self._scrolled(one.stack, width, height - len(head) - len(apart))]

    def _scrolled(self, stack: StackView, width: int, room: int) -> list[Line]:
        lines = stack_lines(stack, width, self.passes)
        if not lines:
            return self.empty("no thread contains this text; esc shows all")
        room = max(1, room)
        self.choice.offer(range(max(1, len(lines) - room + 1)))
        first = self.choice.place
        shown = lines[first : first + room]
        if len(lines) > first + room:
            shown[-1] = line((f"   +{number.count(len(lines) - first - room + 1)} more, j", "quiet"))
        return shown

    def action_panel(self, panels: int) -> None:
        """The next rank, from the last to the first."""
        if len(self._offered) > 1:
            self.rank = self._offered[(self._offered.index(self._shown) + panels) % len(self._offered)]
            self.action_first()


def _title(one: Standing, frame: Frame) -> str:
    """`stack of rank 5 at step 812 · now · stalled: no step for 62 s`."""
    whose = f"stack of rank {one.rank}" if len(frame.view.ranks) > 1 else "stack"
    if one.stack is None:
        return whose
    ago = f"{number.duration(frame.view.time - one.stack.time)} ago" if frame.view.time - one.stack.time >= 1 else "now"
    return f"{whose} at step {number.count(one.stack.step)} · {ago} · {one.stack.why}"


def _tab(one: Standing) -> Tab:
    glyph = "▲" if one.apart in (Apart.SILENT, Apart.BEHIND) else ""
    return Tab(f"rank {one.rank}", glyph, "amber")


def _nothing(frame: Frame) -> tuple[str, ...]:
    by_itself = "a stall has one taken by itself, and a crash in native code leaves one"
    if frame.control and not frame.newest.over:
        return "no stack was taken yet", by_itself, "W takes one: where each thread of the training is"
    return "no stack was taken", by_itself, "W asks a live run for one"
