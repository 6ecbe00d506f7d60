"""Help: the table of keys, and what the symbols mean."""

from __future__ import annotations

from itertools import zip_longest

from bedside_tui.keys import SPELLED, help_rows
from bedside_tui.screens.base import RunScreen
from bedside_tui.seek import FORMS
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, beside, line, pad, rule, wrapped

SYMBOLS = (
    ("✖ RED", "needs somebody now; stays until acknowledged"),
    ("▲ AMBER", "worth a look; clears itself when it is over"),
    ("● ok", "a rule looks at it and finds nothing"),
    ("◌ pending", "something may be wrong, for too short a time to say"),
    ("no symbol", "no rule speaks of it, or none could judge it yet"),
    ("ckpt good", "saved and verified before any red alarm began"),
    ("ckpt suspect", "saved in a red alarm on the model, or an explosion: may hold it"),
)


TWO_COLUMNS = 110
"""Columns from which the sections stand in two columns."""


def help_lines(width: int, wanted: str = "", *, ascii: bool = False) -> list[Line]:
    """Everything the help screen says, in one column, or in two where the width allows; with `wanted` only rows that contain it."""
    columns = 2 if width >= TWO_COLUMNS and not wanted else 1
    each = width // columns - (1 if columns == 2 else 0)
    sections = [*help_rows(), ("moments, after :", list(FORMS)), ("symbols", list(SYMBOLS))]
    kept = [(title, [row for row in rows if wanted.lower() in " ".join(row).lower()]) for title, rows in sections]
    if ascii:
        kept = [(title, [(keys.translate(SPELLED), help_) for keys, help_ in rows]) for title, rows in kept]
    blocks = [_section(title, rows, each) for title, rows in kept]
    if columns == 1:
        return [row for block, (_, rows) in zip(blocks, kept, strict=True) if rows for row in block]
    anywhere, rows, time, cursor, one_screen, moments, symbols = blocks
    left, right = [*anywhere, *one_screen], [*rows, *time, *cursor, *moments, *symbols]
    paired = zip_longest(left, right, fillvalue=())
    return [beside([one], [other], each)[0] for one, other in paired]


def _section(title: str, rows: list[tuple[str, str]], width: int) -> list[Line]:
    name = 15
    lines = [rule(title, width)]
    for keys, help_ in rows:
        first, *further = wrapped(help_, width - name - 4) or [""]
        lines.append(line((f"   {pad(keys, name - 1)} ", "key"), (first, "plain")))
        lines += [line((" " * (name + 3), "quiet"), (part, "plain")) for part in further]
    return [*lines, ()]


class HelpScreen(RunScreen):
    """Keys from their table. The cursor scrolls."""

    where = ("lists",)
    idle = frozenset({"open"})

    def body(self, frame: Frame, width: int, height: int) -> list[Line]:
        lines = help_lines(width, self.filter, ascii=frame.ascii)
        head = self.heading(frame, "keys and symbols", width)
        if not lines:
            return [head, *self.empty("no key does that; esc shows all")]
        room = max(1, height - 1)
        self.choice.offer(range(max(1, len(lines) - room + 1)))
        first = self.choice.place
        shown = lines[first : first + room]
        if len(lines) > first + room:
            shown[-1] = line((f"   +{len(lines) - first - room + 1} more, j", "quiet"))
        return [head, *shown]
