"""The line on which a verdict is given: any words, and a few offered."""

from __future__ import annotations

from bedside_protocol.lab_book import VERDICTS
from bedside_tui.screens.dialogs import AskLine
from bedside_tui.widgets.editor import Editor
from bedside_tui.widgets.lines import Line


class AskVerdict(AskLine):
    """`tab` puts the next of the offered words on the line."""

    def lines(self, width: int, height: int) -> list[Line]:
        return [self.editor.line(self.label, width, f"tab: {' '.join(VERDICTS)}  ⏎ done")]

    def press(self, key: str, character: str | None) -> bool:
        if key == "tab":
            said = self.editor.text.strip()
            place = VERDICTS.index(said) + 1 if said in VERDICTS else 0
            self.editor = Editor.of(VERDICTS[place % len(VERDICTS)])
            return False
        return super().press(key, character)
