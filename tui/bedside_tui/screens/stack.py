"""Where the training is, was when it stalled, or crashed: the newest stack known at this moment."""

from __future__ import annotations

from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, line
from bedside_tui.widgets.stack import stack_lines


class StackScreen(RunScreen):
    """One stack. The cursor scrolls, the filter chooses threads."""

    where = ("lists", "stack")
    idle = frozenset({"open"})

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        stack = frame.view.stack
        if stack is None:
            return [self.heading(frame, "stack", width), *self.empty(*_nothing(frame))]
        ago = f"{number.duration(frame.view.time - stack.time)} ago" if frame.view.time - stack.time >= 1 else "now"
        head = self.heading(frame, f"stack at step {number.count(stack.step)} · {ago} · {stack.why}", width)
        lines = stack_lines(stack, width, self.passes)
        if not lines:
            return [head, *self.empty("no thread contains this text; esc shows all")]
        room = max(1, height - 1)
        self.choice.offer(range(max(1, len(lines) - room + 1)))
        first = self.choice.place
        shown = lines[first : first + room]
        if len(lines) > first + room:
            shown[-1] = line((f"   +{number.count(len(lines) - first - room + 1)} more, j", "quiet"))
        return [head, *shown]


def _nothing(frame: Frame) -> tuple[str, ...]:
    by_itself = "a stall has one taken by itself, and a crash in native code leaves one"
    if frame.control and not frame.newest.over:
        return "no stack was taken yet", by_itself, "W takes one: where each thread of the training is"
    return "no stack was taken", by_itself, "W asks a live run for one"
