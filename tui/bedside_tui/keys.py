"""The keys: one table, from which the bindings, the footer, the help screen and the README section are made.

It decides which key means what and how it is said. It knows neither Textual nor any screen: `where` names screens by their names, and
an action is the name of a method that the application or the screen has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Where = Literal[
    "everywhere", "lists", "time", "cursor", "vitals", "chart", "probes", "codebook", "model", "samples", "alerts", "ranks", "log", "stack",
    "runs", "compare",
]  # fmt: skip
"""`everywhere`: any screen. `lists`: screens of a run, where one moves in rows. `time`: screens of a run, moving in time. `cursor`: screens
with charts. `probes`: the screens of codebooks, the model and samples."""


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table. `keys` are as printed on the keyboard; all of them do the same."""

    keys: tuple[str, ...]
    action: str
    label: str
    """For the footer: one word."""
    help: str
    """For the help screen and the README: a sentence without its full stop."""
    where: Where = "everywhere"
    control: bool = False
    """A capital that asks something of the training; disabled by --read-only and in a recording."""
    footer: int = 0
    """Rank in the footer, 1 first to stay when it gets narrow; 0: not in the footer."""

    @property
    def shown(self) -> str:
        return " ".join(self.keys)


KEYS: tuple[Key, ...] = (
    Key(("P",), "pause", "pause", "pause the training between two steps, or resume it", control=True, footer=1),
    Key(("C",), "checkpoint", "ckpt", "save a checkpoint at the next step boundary", control=True, footer=1),
    Key(("S",), "stop", "stop", "stop the training: asks, and offers a checkpoint first", control=True, footer=1),
    Key(("W",), "stack", "where", "where the training is, or hangs: take a stack of its threads, show the newest", control=True, footer=6),
    Key(("q", "ctrl+c"), "leave", "leave", "leave the viewer; the training goes on", footer=2),
    Key(("?",), "help", "help", "these keys", footer=2),
    Key(("n",), "next_alarm", "alarm", "open the next alarm", footer=3),
    Key(("N",), "previous_alarm", "", "open the previous alarm"),
    Key(("a",), "acknowledge", "ack", "acknowledge the selected alarm, or the first", footer=3),
    Key(("A",), "acknowledge_all", "", "acknowledge all alarms"),
    Key((":", ";"), "palette", "palette", "do anything by its name; go to a moment: 12000, 50%, -10m", footer=6),
    Key(("m",), "note", "note", "write a note at this moment", footer=7),
    Key(("V",), "verdict", "verdict", "give a verdict: good, bad, broken, unclear, or own words; an empty one takes it back", footer=9),
    Key(("T",), "tags", "tags", "put tags on the run, or take them from it", footer=9),
    Key(("esc",), "up_a_level", "back", "one level up"),
    Key(("v",), "show('vitals')", "vitals", "vitals: metrics, probes, system, log"),
    Key(("h",), "show('chart')", "chart", "chart of the selected metric"),
    Key(("b",), "show('codebook')", "codebook", "codebook: usage, perplexity, dead codes"),
    Key(("o",), "show('model')", "model", "model: what every other probe finds inside it"),
    Key(("i",), "show('samples')", "samples", "samples: target beside reconstruction"),
    Key(("w",), "show('alerts')", "alerts", "alerts: what is wrong, was wrong, is not checked"),
    Key(("e",), "show('ranks')", "ranks", "ranks: how far and how fast each is, and who holds the others up"),
    Key(("l",), "show('log')", "log", "log: events, commands, checkpoints, notes"),
    Key(("r",), "show('runs')", "runs", "runs: pick another"),
    Key(("=",), "compare", "compare", "compare: other runs beside this one; there, choose which", footer=8),
    Key(("enter",), "open", "open", "open the selected row", "lists", footer=4),
    Key(("/",), "filter", "filter", "keep the rows that contain a text", "lists", footer=6),
    Key(("j", "↓"), "move(1)", "down", "next row", "lists"),
    Key(("k", "↑"), "move(-1)", "up", "previous row", "lists"),
    Key(("pgdn",), "page(1)", "", "a page down", "lists"),
    Key(("pgup",), "page(-1)", "", "a page up", "lists"),
    Key(("g",), "first", "first", "first row", "lists"),
    Key(("G",), "last", "last", "last row", "lists"),
    Key(("tab",), "panel(1)", "panel", "next panel", "lists"),
    Key(("shift+tab",), "panel(-1)", "", "previous panel", "lists"),
    Key(("space",), "play", "play", "play or hold the recording; never pauses the training", "time", footer=1),
    Key(("←",), "skip(-1)", "skip", "back in time", "time", footer=3),
    Key(("→",), "skip(1)", "", "forward in time", "time"),
    Key((",",), "record(-1)", "record", "one record back", "time"),
    Key((".",), "record(1)", "", "one record forward", "time"),
    Key(("[",), "event(-1)", "event", "previous event: alarm, command, checkpoint, note", "time", footer=2),
    Key(("]",), "event(1)", "", "next event", "time"),
    Key(("{",), "speed(0.5)", "speed", "half the speed", "time", footer=3),
    Key(("}",), "speed(2)", "", "double the speed", "time"),
    *(Key((str(tenth),), f"percent({tenth * 10})", "", f"to {tenth * 10} % of the run", "time") for tenth in range(10)),
    Key(("home",), "percent(0)", "", "to the beginning", "time"),
    Key(("end",), "end", "latest", "to the end; in a live run, back to now", "time", footer=2),
    Key(("<", "shift+←"), "cursor(-1)", "cursor", "the cursor a column to the left; from nowhere, to the newest", "cursor", footer=2),
    Key((">", "shift+→"), "cursor(1)", "", "the cursor a column to the right", "cursor"),
    Key(("(",), "cursor(-10)", "", "ten columns to the left", "cursor"),
    Key((")",), "cursor(10)", "", "ten columns to the right", "cursor"),
    Key(
        ("z",),
        "pin_cursor",
        "Δ from here",
        "pin this step: values tell the difference; again lets it go",
        "cursor",
        footer=6,
    ),
    Key(("u",), "go_to_cursor", "go there", "show the run as it was known at the cursor", "cursor", footer=7),
    Key(("t",), "pin", "pin", "keep the metric at the top", "vitals", footer=8),
    Key(("M",), "measure", "measure", "measure this probe at the next step", "probes", control=True, footer=4),
    Key(("D",), "rate(2)", "oftener", "double the rate at which this probe is measured", "probes", control=True, footer=6),
    Key(("H",), "rate(0.5)", "rarer", "halve the rate at which this probe is measured", "probes", control=True, footer=6),
    Key(("y",), "log_axis", "log axis", "logarithmic or linear axis", "chart", footer=1),
    Key(("x",), "time_axis", "step/time", "steps or time along the bottom", "chart", footer=1),
    Key(("s",), "smooth", "smooth", "smoothing: none, 0.6, 0.9, 0.98", "chart", footer=1),
    Key(("t",), "keep", "keep", "keep this metric on the chart while choosing another", "chart", footer=3),
    Key(
        ("s",), "shelve", "shelve", "shelve this alarm for an hour, or take it back: off the alarm line, in the verdict", "alerts", footer=4
    ),
    Key(("s",), "sort", "sort", "sort by name, steps, best value, verdict, alarms, notes, or when they began", "runs", footer=4),
    Key(("t",), "moment", "its moment", "go to the moment at which this alarm fired", "alerts", footer=4),
    Key(("y",), "log_axis", "log axis", "logarithmic or linear axis", "compare", footer=1),
    Key(("x",), "time_axis", "step/time", "steps along the bottom, or time since each run began", "compare", footer=1),
    Key(("s",), "smooth", "smooth", "smoothing: none, 0.6, 0.9, 0.98", "compare", footer=1),
)

KEY_NAMES = {
    ",": "comma", ".": "full_stop", "←": "left", "→": "right", "↑": "up", "↓": "down", "esc": "escape",
    "pgup": "pageup", "pgdn": "pagedown", ":": "colon", ";": "semicolon", "?": "question_mark", "/": "slash",
    "[": "left_square_bracket", "]": "right_square_bracket", "=": "equals_sign", "{": "left_curly_bracket", "}": "right_curly_bracket",
    "<": "less_than_sign", ">": "greater_than_sign", "(": "left_parenthesis", ")": "right_parenthesis",
    "shift+←": "shift+left", "shift+→": "shift+right",
}  # fmt: skip
"""The terminal library's names where they differ from what is printed on the key."""

FOOTER_NAMES = {"enter": "⏎", "[": "[]", "{": "{}", "←": "←→", "<": "<>"}
"""How the footer writes a key; a pair is shown by its first."""

SPELLED = str.maketrans({"←": "left", "→": "right", "↑": "up", "↓": "down"})
"""The arrows in words, for terminals of ASCII alone: there `<` is another key."""

SECTIONS: tuple[tuple[str, tuple[Where, ...]], ...] = (
    ("anywhere", ("everywhere",)),
    ("in rows", ("lists",)),
    ("in time: a recording, or a live run looked back at", ("time",)),
    ("on charts: the value cursor, one for all of them", ("cursor",)),
    ("on one screen", ("vitals", "probes", "chart", "codebook", "model", "samples", "alerts", "ranks", "log", "stack", "runs", "compare")),
)


def keys_of(*wheres: Where) -> list[Key]:
    """The rows that hold in any of these places, in the table's order."""
    return [key for key in KEYS if key.where in wheres]


def presses(key: Key) -> Iterator[str]:
    """The names of the key presses, as the terminal library calls them."""
    for press in key.keys:
        yield KEY_NAMES.get(press, press)


def _tenths_folded(rows: Sequence[Key]) -> list[tuple[str, str]]:
    folded = [(key.shown, key.help) for key in rows if not key.keys[0].isdigit()]
    if len(folded) < len(rows):
        folded.append(("0 … 9", "to 0 … 90 % of the run"))
    return folded


def help_rows() -> list[tuple[str, list[tuple[str, str]]]]:
    """(section, [(keys, what they do)]) for people; the ten digits are one row."""
    sections = []
    for title, wheres in SECTIONS:
        rows = keys_of(*wheres)
        if title == "on one screen":
            sections.append((title, [(key.shown, f"{key.where}: {key.help}") for key in rows]))
        else:
            sections.append((title, _tenths_folded(rows)))
    return sections


def markdown() -> str:
    """The README's section on keys: one table a section."""
    lines: list[str] = []
    for title, rows in help_rows():
        lines += [f"**{title[0].upper()}{title[1:]}**", "", "| key | does |", "|---|---|"]
        lines += [f"| {' '.join(f'`{key}`' for key in keys.split())} | {help_.replace('|', chr(92) + '|')} |" for keys, help_ in rows]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
