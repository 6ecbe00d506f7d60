"""Which runs to compare with: a list of what there is, found by typing, of which several can be marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bedside_protocol.records import RunStarted
from bedside_tui.draw import number
from bedside_tui.run_row import RunRow
from bedside_tui.screens.dialogs import Dialog
from bedside_tui.screens.run_columns import HEALTH
from bedside_tui.widgets.choice import Choice, window
from bedside_tui.widgets.editor import Editor
from bedside_tui.widgets.lines import Line, line, pad, pad_left, rule, select
from bedside_tui.widgets.rows import Look
from bedside_tui.widgets.status import BADGES

HEIGHT = 14
LOOKING = 1.0
"""Seconds between two looks at the list while it is in sight."""


def others(rows: Sequence[RunRow], run: RunStarted | None) -> list[RunRow]:
    """The runs beside this one: those of the same project that went well first, then the others of it, then all others, each as they were
    given, the newest first."""
    project, id_ = (run.project, run.id) if run is not None else ("", "")
    return sorted((row for row in rows if row.id != id_), key=lambda row: (row.project != project, row.health != "ok"))


def likeliest(rows: Sequence[RunRow], run: RunStarted | None) -> RunRow | None:
    """The run one would lay beside this one; None where there is none of its project."""
    return next((row for row in others(rows, run) if run is not None and row.project == run.project), None)


class CompareDialog(Dialog[list[RunRow]]):
    """The runs that are marked when it ends, at most `most`; the one under the cursor where none is.

    `rows` gives the runs there are now, the likeliest first, or None while they are still looked for.
    """

    def __init__(self, look: Look, rows: Callable[[], Sequence[RunRow] | None], marked: Sequence[str], most: int) -> None:
        super().__init__(look, HEIGHT)
        self.rows_now = rows
        self.marked = list(marked)
        self.most = most
        self.editor = Editor()
        self.choice: Choice[str] = Choice()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(LOOKING, self.redraw)

    def found(self) -> list[RunRow]:
        """The runs whose name contains every word typed."""
        words = self.editor.text.lower().split()
        return [row for row in self.rows_now() or () if all(word in f"{row.title} {row.id}".lower() for word in words)]

    def lines(self, width: int, height: int) -> list[Line]:
        found = self.found()
        chosen = self.choice.offer([row.id for row in found])
        lines: list[Line] = [rule("compare with", width, f"{number.count(len(self.marked))} of at most {self.most}")]
        room = height - 2
        first = window(len(found), self.choice.place, room)
        name = max(12, min(max((len(row.title) for row in found), default=12), width - 46))
        for row in found[first : first + room]:
            drawn = self._row(row, name)
            lines.append(select(drawn, width) if row.id == chosen else drawn)
        if not found:
            lines.append(line((f"   {self._why_empty()}", "quiet")))
        lines += [()] * (height - 1 - len(lines))
        return [*lines, self.editor.line("find", width, "space marks  ⏎ compare  ↑ ↓ choose  esc leave")]

    def _why_empty(self) -> str:
        rows = self.rows_now()
        return "looking for runs…" if rows is None else "no other run is called that" if rows else "there is no other run"

    def _row(self, row: RunRow, name: int) -> Line:
        mark = "◆" if row.id in self.marked else " "
        return line(
            "  ", (f"{mark} ", "accent"), (pad(row.title, name), "strong" if row.id in self.marked else "plain"), "  ",
            (pad(row.lifecycle, 11), "plain"), pad_left(number.count(row.step, 7), 8), "  ",
            (pad(HEALTH[row.health], 10), BADGES[row.health][1]), (pad_left(row.when, 8), "quiet"),
        )  # fmt: skip

    def press(self, key: str, character: str | None) -> bool:
        if key in ("down", "tab"):
            self.choice.move(1)
        elif key in ("up", "shift+tab"):
            self.choice.move(-1)
        elif key == "space":
            self._mark(self.choice.chosen)
        elif key == "enter":
            wanted = self.marked or ([self.choice.chosen] if self.choice.chosen else [])
            known = {row.id: row for row in self.rows_now() or ()}
            self.dismiss([known[id_] for id_ in wanted if id_ in known] or None)
            return True
        else:
            self.editor = self.editor.press(key, character) or self.editor
        return False

    def _mark(self, id_: str | None) -> None:
        if id_ in self.marked:
            self.marked.remove(id_)
        elif id_ is not None and len(self.marked) < self.most:
            self.marked.append(id_)
            self.choice.move(1)
