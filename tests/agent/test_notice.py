"""What is said to the person: once, on one line, and never at the training's cost."""

from __future__ import annotations

import io
import sys

import pytest

from bedside.notice import MAX_DISTINCT, Problems, say


def test_a_problem_is_said_once_and_counted_always(capsys: pytest.CaptureFixture[str]) -> None:
    problems = Problems()
    for _ in range(5):
        problems("'loss': text is no number")
    assert capsys.readouterr() == ("", "bedside: 'loss': text is no number\n")
    assert problems.news() == [("'loss': text is no number", 5)]
    assert problems.news() == []
    problems("'loss': text is no number")
    assert problems.news() == [("'loss': text is no number", 6)]
    assert repr(problems) == "<Problems 1 kinds, 6 in all>"


def test_quiet_says_nothing_and_counts_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    problems = Problems(quiet=True)
    problems("odd")
    assert capsys.readouterr() == ("", "")
    assert problems.news() == [("odd", 1)]


def test_a_flood_of_different_problems_is_counted_together(capsys: pytest.CaptureFixture[str]) -> None:
    problems = Problems()
    for number in range(10_000):
        problems(f"problem {number}")
    counts = dict(problems.news())
    assert len(counts) == MAX_DISTINCT + 1
    assert counts["further problems of other kinds"] == 10_000 - MAX_DISTINCT
    assert len(capsys.readouterr().err.splitlines()) == MAX_DISTINCT


def test_a_sentence_is_one_line_that_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb\x1b]52;c;x\x07\x9b2J\r")
    assert capsys.readouterr().err == "bedside: a\\x0ab\\x1b]52;c;x\\x07\\x9b2J\\x0d\n"


def test_a_long_sentence_is_cut() -> None:
    problems = Problems(quiet=True)
    problems("x" * 10_000_000)
    assert problems.news() == [("x" * 500, 1)]


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("gone", ["none", "closed", "full"])
def test_a_stderr_that_takes_nothing_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    stream = None if gone == "none" else Full() if gone == "full" else io.StringIO()
    if gone == "closed" and stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    say("anything")
    Problems()("anything")


def test_a_terminal_without_utf_8_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    say("größer · \U0001f600")
    assert raw.getvalue() == b"bedside: gr\\xf6\\xdfer \\xb7 \\U0001f600\n"
