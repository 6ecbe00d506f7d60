"""One line of text being typed: a value and what each key makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bedside_protocol.sanitise import text as safe
from bedside_tui.widgets.lines import Line, cut_text, line

LONGEST = 400
"""Characters a person may type or paste on one line."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Text and the place of the cursor in it. What is pasted passes the sanitiser like everything else."""

    text: str = ""
    cursor: int = 0

    @classmethod
    def of(cls, text: str) -> Editor:
        return cls(text, len(text))

    def insert(self, typed: str) -> Editor:
        """With `typed` at the cursor, as far as there is room."""
        clean = safe(typed, LONGEST)[: LONGEST - len(self.text)]
        return Editor(self.text[: self.cursor] + clean + self.text[self.cursor :], self.cursor + len(clean))

    def press(self, key: str, character: str | None) -> Editor | None:
        """After a key press; None where the key means nothing to a line of text."""
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        if key == "backspace":
            return Editor(before[:-1] + after, max(0, self.cursor - 1))
        if key == "delete":
            return replace(self, text=before + after[1:])
        if key == "ctrl+u":
            return Editor(after, 0)
        if key == "ctrl+w":
            kept = before.rstrip().rpartition(" ")
            kept_text = kept[0] + kept[1]
            return Editor(kept_text + after, len(kept_text))
        moves = {"left": self.cursor - 1, "right": self.cursor + 1, "home": 0, "end": len(self.text)}
        if key in moves:
            return replace(self, cursor=max(0, min(len(self.text), moves[key])))
        if character is not None and character.isprintable():
            return self.insert(character)
        return None

    def line(self, label: str, width: int, hint: str = "") -> Line:
        """` label: text` with the cursor's cell marked, the part around the cursor where not all fits, and a hint at the end."""
        hint = f" {hint} " if hint and len(hint) + len(label) + 24 < width else ""
        room = max(4, width - len(label) - 4 - len(hint))
        first = max(0, self.cursor - room + 1)
        shown = self.text[first : first + room]
        at = self.cursor - first
        under = shown[at] if at < len(shown) else " "
        blank = " " * max(0, room - len(cut_text(shown, room)) - (1 if at >= len(shown) else 0))
        return line(
            (f" {label}: ", "accent"), (shown[:at], "strong"), (under, "cursor"), (shown[at + 1 :], "strong"), blank, (hint, "quiet")
        )
