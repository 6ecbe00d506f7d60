"""What the viewer asks the person: a line of text, how to stop, and what to do (the palette). They lie over the foot of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from bedside_tui.keys import KEYS, SPELLED, Where
from bedside_tui.seek import EXAMPLES, FORMS, read_seek
from bedside_tui.theme import PALETTES
from bedside_tui.widgets.choice import Choice, window
from bedside_tui.widgets.editor import Editor
from bedside_tui.widgets.lines import Line, ends, line, rule, select, wrapped
from bedside_tui.widgets.rows import Look, Rows

T = TypeVar("T")

StopAnswer = Literal["checkpoint", "stop", "cancel"]


class Dialog(ModalScreen[T | None], inherit_bindings=False):
    """Some lines at the foot of the terminal; `esc` leaves without an answer. Subclasses give `lines` and `press`."""

    AUTO_FOCUS = None
    ALLOW_SELECT = False
    DEFAULT_CSS = "Dialog { background: transparent; } Dialog Rows { dock: bottom; width: 100%; }"

    def __init__(self, look: Look, height: int) -> None:
        super().__init__()
        self.rows = Rows(look)
        self.rows.styles.height = height

    def compose(self) -> ComposeResult:
        yield self.rows

    def on_mount(self) -> None:
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        if self.rows.size.width:
            self.rows.show(self.lines(self.rows.size.width, self.rows.size.height))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key in ("escape", "ctrl+c"):
            self.dismiss(None)
        elif not self.press(event.key, event.character):
            self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """What it shows."""
        raise NotImplementedError(f"{type(self).__name__} shows nothing")

    def press(self, key: str, character: str | None) -> bool:
        """A key; True when it ended the dialog."""
        raise NotImplementedError(f"{type(self).__name__} listens to nothing")


class AskLine(Dialog[str]):
    """One line of text. `changed` hears every keystroke, for a filter that acts while one types."""

    def __init__(self, look: Look, label: str, text: str = "", changed: Callable[[str], None] | None = None) -> None:
        super().__init__(look, 1)
        self.label = label
        self.editor = Editor.of(text)
        self._before = text
        self._changed = changed

    def lines(self, width: int, height: int) -> list[Line]:
        return [self.editor.line(self.label, width, "⏎ done  esc as before")]

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._edit(self.editor.insert(" ".join(event.text.split())))
        self.redraw()

    def press(self, key: str, character: str | None) -> bool:
        if key == "enter":
            self.dismiss(self.editor.text)
            return True
        self._edit(self.editor.press(key, character) or self.editor)
        return False

    def _edit(self, editor: Editor) -> None:
        before, self.editor = self.editor, editor
        if self._changed is not None and editor.text != before.text:
            self._changed(editor.text)


STOP_CHOICES: tuple[tuple[StopAnswer, str, str], ...] = (
    ("checkpoint", "checkpoint and stop", "save at the next step boundary, then end the run there"),
    ("stop", "stop now", "end the run at the next step boundary, without saving"),
    ("cancel", "cancel", "let it run"),
)


class StopDialog(Dialog[StopAnswer]):
    """How to stop, the safe way first."""

    def __init__(self, look: Look, saved: str, warning: Sequence[str] = ()) -> None:
        super().__init__(look, 6 + len(warning))
        self.saved = saved
        self.warning = warning
        self.choice: Choice[StopAnswer] = Choice()
        self.choice.offer([answer for answer, _, _ in STOP_CHOICES])

    def lines(self, width: int, height: int) -> list[Line]:
        rows: list[Line] = [rule("stop the training?", width, self.saved)]
        rows += [line((f" {'  ' if place else '▲ '}{sentence}", "amber")) for place, sentence in enumerate(self.warning)]
        for answer, name, what in STOP_CHOICES:
            row = line("   ", (f"{name:<20} ", "strong"), (what, "plain"))
            rows.append(select(row, width) if answer == self.choice.chosen else row)
        keys = (("⏎", "do it"), ("j k", "choose"), ("esc", "let it run"))
        return [*rows, (), tuple(span for key, what in keys for span in line((f"  {key} ", "key"), (what, "quiet")))]

    def press(self, key: str, character: str | None) -> bool:
        if key in ("j", "down", "tab"):
            self.choice.move(1)
        elif key in ("k", "up", "shift+tab"):
            self.choice.move(-1)
        elif key == "enter":
            self.dismiss(self.choice.chosen)
            return True
        elif key in ("q", "n"):
            self.dismiss("cancel")
            return True
        return False


class Deed(NamedTuple):
    """Something the palette can do: its name, what it means, its key, and the action's name."""

    name: str
    what: str
    key: str
    action: str


def deeds(where: Sequence[Where], metrics: Sequence[str]) -> list[Deed]:
    """What the palette offers on a screen: every key of the table that does something there, every metric's chart, and the colours."""
    here = [key for key in KEYS if key.label and key.where in ("everywhere", *where) and key.action != "palette"]
    return [
        *(Deed(key.label, key.help, key.shown, key.action) for key in here),
        *(Deed(f"chart {name}", "chart of this metric", "", f"chart:{name}") for name in metrics),
        *(Deed(f"colours {name}", "use these colours", "", f"paint:{name}") for name in PALETTES),
    ]


class PaletteDialog(Dialog[Deed]):
    """Everything there is to do, found by typing parts of its name, which may stand in any order; a moment that is typed comes first."""

    def __init__(self, look: Look, deeds: Sequence[Deed]) -> None:
        super().__init__(look, 12)
        self.deeds = deeds
        self.editor = Editor()
        self.choice: Choice[str] = Choice()

    def found(self) -> list[Deed]:
        """Going to the moment typed; then the deeds that contain every word typed, those whose name begins with it first."""
        seek = read_seek(self.editor.text)
        moment = [Deed(seek.said, "", "", f"seek:{self.editor.text}")] if seek is not None else []
        words = self.editor.text.lower().split()
        fitting = [deed for deed in self.deeds if all(word in f"{deed.name} {deed.what}".lower() for word in words)]
        first = words[0] if words else ""
        return [*moment, *sorted(fitting, key=lambda deed: (not deed.name.lower().startswith(first), first not in deed.name.lower()))]

    def lines(self, width: int, height: int) -> list[Line]:
        found = self.found()
        chosen = self.choice.offer([deed.action for deed in found])
        rows: list[Line] = [rule("do", width)]
        room = height - 2
        first = window(len(found), self.choice.place, room)
        name = min(34, max(12, width // 3))
        for deed in found[first : first + room]:
            what = (wrapped(deed.what, max(8, width - name - 14)) or [""])[0]
            row = ends(
                line("   ", (f"{deed.name[:name]:<{name}} ", "strong"), what),
                line((f"{deed.key.translate(SPELLED) if self.rows.look.ascii else deed.key} ", "key")),
                width,
            )
            rows.append(select(row, width) if deed.action == chosen else row)
        if not found:
            rows.append(line(("   nothing is called that, and it is no moment; a moment is", "quiet")))
            rows += [line(f"   {form:<16} ", (what, "quiet")) for form, what in FORMS]
        rows += [()] * (height - 1 - len(rows))
        return [*rows, self.editor.line("do", width, "⏎ do it  ↑ ↓ choose  esc leave" if self.editor.text else f"a name, or {EXAMPLES}")]

    def press(self, key: str, character: str | None) -> bool:
        if key in ("down", "tab"):
            self.choice.move(1)
        elif key in ("up", "shift+tab"):
            self.choice.move(-1)
        elif key == "enter":
            found = {deed.action: deed for deed in self.found()}
            self.dismiss(found.get(self.choice.chosen or ""))
            return True
        else:
            edited = self.editor.press(key, character)
            if edited is not None and edited.text != self.editor.text:
                self.choice = Choice()
            self.editor = edited or self.editor
        return False
