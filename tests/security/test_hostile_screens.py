"""A run in which every text and number is bad, on every screen and in every dialog: the bytes that reach a real terminal."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_input import OBEYED, spoiled_run
from real_terminal import Terminal, obeyed
from real_training import environment_in

from bedside_protocol.places import LOG_NAME
from bedside_tui.log_writer import LogWriter
from bedside_tui.screens.compare import PANELS

SCREENS = {
    "vjjGk\tj": "─ metrics ─",
    "hjxsstjy": "log axis",
    "b": "window of 10,240",
    "o": "norm over all parameters",
    "jjj\r": "activationsa␈over4242 · activations",
    "ij\t": " · samples ",
    "wjG": "need a look",
    "n": "─ alert 1 of ",
    "ejG": "─ ranks · ",
    "ljG": "─ log · ",
    "Wjj": "─ stack of rank ",
    "?": "─ keys and symbols ─",
    "v5": "● running",
    "\x1b[F": "✖ failed",
}
"""The keys that lead through each screen, and what then stands on it."""
DIALOGS = {
    "/": ("filter:", "xyzzy"),
    ":": ("do:", "chart loss"),
    "m": ("note at step", "xyzzy"),
    "V": ("verdict:", "xyzzy"),
    "T": ("tags:", "xyzzy"),
}
"""The keys that open each, what it shows, and what is typed there; `esc` leaves it."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with two such runs, one of which tells of no end."""
    with tempfile.TemporaryDirectory(prefix="bs-") as directory:
        records = spoiled_run()
        for name, told in (("spoiled-1", records), ("spoiled-2", records[:-1])):
            path = Path(directory) / "runs" / name / LOG_NAME
            path.parent.mkdir(parents=True)
            with open(path, "wb") as file:
                log = LogWriter(file)
                for one in told:
                    log.append(one)
                log.flush()
        yield Path(directory)


def look(viewer: Terminal, keys: str, text: str) -> None:
    """Press keys and wait for what they lead to; that something could not be drawn fails the test."""
    viewer.press(keys)
    viewer.sees(text, 40)
    assert "could not be drawn" not in viewer.text, viewer.text


@pytest.mark.parametrize(("words", "size"), [((), (80, 24)), (("attach", "spoiled-2"), (140, 40))], ids=["from the list", "attached, wide"])
def test_whatever_a_run_is_called_and_says_no_byte_of_it_is_obeyed(home: Path, words: tuple[str, ...], size: tuple[int, int]) -> None:
    viewer = Terminal(list(words), environment_in(home), home, size)
    try:
        viewer.sees("name␛]52", 40)
        if not words:
            look(viewer, "sssj\r", "replay")
        look(viewer, "\x1b[F", "⏎ why")  # at the end of the run alarms stand on the second line
        for keys, text in SCREENS.items():
            look(viewer, keys, text)
        for keys, (text, typed) in DIALOGS.items():
            look(viewer, keys, text)
            look(viewer, typed, typed)
            look(viewer, "\x1b", "q leave")  # alone: with a key behind it, it would be another key
        look(viewer, "=", "compare with")
        look(viewer, " \r", "─ compare ·")
        for panel in PANELS[1:]:
            look(viewer, "jyx\t", panel)
        viewer.press("q")
        parting = viewer.left(40)
        left = (viewer.process.returncode, viewer.is_as_it_was())
    finally:
        viewer.close()
    assert left == (0, True)
    assert "the viewer failed" not in parting
    assert OBEYED.findall(viewer.sent.decode("utf-8")) == []
    assert obeyed(viewer.sent) == []
