"""The log: everything that happened, newest first, each command with its life; `enter` shows the whole of an entry."""

from __future__ import annotations

from typing import cast

from bedside_tui.draw import number
from bedside_tui.screens.base import RunScreen
from bedside_tui.store.view import CommandView, Mark, View
from bedside_tui.widgets.choice import window
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, line, rule, select, wrapped
from bedside_tui.widgets.timeline import judgement_of, mark_row, tone_of

STACKS_WITHIN = 1.0
"""Seconds of the run in which ranks that are asked together give their stacks: the log has one entry for all of them, of the first's."""


class LogScreen(RunScreen):
    """Entries of the timeline. Rows are known by their place from the beginning, which no new entry changes."""

    where = ("lists", "log")

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        marks = frame.view.marks
        places = [place for place in range(len(marks) - 1, -1, -1) if self.passes(marks[place].text, marks[place].kind)]
        chosen = cast("int | None", self.choice.offer(places))
        shown = f"log · {number.count(len(places))} entries" if len(places) != 1 else "log · 1 entry"
        lines = [self.heading(frame, shown, width)]
        if not places:
            why = "no entry contains this text; esc shows all" if self.filter else "nothing happened yet"
            return lines + self.empty(why, "events, alarms, commands, checkpoints and notes come here; m writes a note")
        detail = [] if chosen is None or height < 12 else _detail(frame.view, marks[chosen], width)[: height // 3]
        room = height - 1 - len(detail)
        first = window(len(places), self.choice.place, room)
        for place in places[first : first + room]:
            row = mark_row(frame.view, marks[place], width, clock=width >= 60)
            lines.append(select(row, width) if place == chosen else row)
        lines += [()] * (height - len(lines) - len(detail))
        return lines + detail

    def action_open(self) -> None:
        """Move in time to the entry, so that every screen shows what was known then."""
        place = self.choice.chosen
        marks = self.viewer.viewing.store.marks
        if isinstance(place, int) and place < len(marks):
            is_stack = marks[place].kind == "stack"
            self.viewer.move_to(marks[place].time + (STACKS_WITHIN if is_stack and self.viewer.shown.ranks else 0.0))
            if is_stack:
                self.viewer.show("stack")


def _detail(view: View, mark: Mark, width: int) -> list[Line]:
    """All of one entry: the text in full, and the moments of a command's life."""
    lines: list[Line] = [rule("entry", width, "⏎ the whole stack, at this moment" if mark.kind == "stack" else "⏎ go to this moment")]
    indent = 4
    judgement = judgement_of(view, mark)
    said = f"{judgement}: {mark.text}" if judgement else mark.text
    for place, text in enumerate(wrapped(said, width - indent - 2)):
        lines.append(line(("    " if place else f"  {mark.glyph} ", tone_of(mark)), text))
    command = _command_at(view, mark)
    if command is not None:
        lines += [_moment(command, at, width) for at in range(len(command.life))]
    return lines


def _command_at(view: View, mark: Mark) -> CommandView | None:
    """The command one of whose moments made this mark; for a checkpoint the one that asked for it."""
    if mark.kind == "checkpoint":
        saving = (command for command in view.commands if command.verb in ("checkpoint", "stop"))
        return next((command for command in saving if command.life[0][0] <= mark.time <= command.life[-1][0]), None)
    if mark.kind != "command":
        return None
    return next((command for command in view.commands if any(moment[0] == mark.time for moment in command.life)), None)


def _moment(command: CommandView, at: int, width: int) -> Line:
    time, state, step, detail = command.life[at]
    where = f"step {number.count(step)}" if step >= 0 else ""
    after = f"+{number.duration(max(0.0, time - command.life[0][0]))}" if at else number.clock(time)
    return line((f"    {after:>9}  ", "quiet"), f"{command.verb} {state}  ", (f"{where}  ", "quiet"), (detail, "quiet"))
