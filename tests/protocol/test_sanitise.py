"""The edge for text: whatever comes in, what goes out is only shown."""

from __future__ import annotations

import sys
import time
import timeit
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.sanitise import MOST_MARKS, UNSEEN, text

OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_no_code_point_of_unicode_gets_through_unseen() -> None:
    for code in range(sys.maxunicode + 1):
        shown = text(f"#{chr(code)}#")
        assert shown.isprintable(), hex(code)
        assert not any(unicodedata.category(char) in OBEYED for char in shown), hex(code)
        assert shown[0] == shown[-1] == "#", hex(code)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("acc[top5]", "acc[top5]"),
        ("[@click=app.quit]x[/x]", "[@click=app.quit]x[/x]"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b2J", f"{UNSEEN}2J"),
        ("loss\rgain", "loss␍gain"),
        ("a\tb\nc\0", "a␉b␊c␀"),
        ("\x7f", "␡"),
        ("\u202egood", f"{UNSEEN}good"),
        ("a\u200b\ufeffb", f"a{UNSEEN}{UNSEEN}b"),
        ("\ud800", UNSEEN),
        ("a\u00a0b\u3000c", "a b c"),
        ("\N{REGIONAL INDICATOR SYMBOL LETTER D}\N{REGIONAL INDICATOR SYMBOL LETTER E}", "DE"),
        ("✔\ufe0f", "✔"),
        ("e\u0301", "\u00e9"),
        ("\u0301", "◌\u0301"),
        ("損失", "損失"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(raw: str, shown: str) -> None:
    assert text(raw) == shown


def test_towers_of_marks_are_cut_down() -> None:
    assert text("x" + "\u0316" * 500 + "y") == "x" + "\u0316" * MOST_MARKS + "y"


@given(st.one_of(st.text(), st.text(alphabet=st.characters(exclude_categories=())), st.binary()), st.integers(0, 60))
def test_a_second_pass_changes_nothing(raw: str | bytes, limit: int) -> None:
    once = text(raw, limit)
    assert len(once) <= limit
    assert text(once, limit) == once
    assert unicodedata.is_normalized("NFC", once)


def test_what_is_cut_says_so() -> None:
    assert text("x" * 201) == "x" * 199 + "…"
    assert text("x" * 200) == "x" * 200
    assert text("\u0301" * 5000, 10).endswith("…")


@pytest.mark.parametrize("char", ["a", "é", "\x1b", "\u0301", "\u202e"])
def test_ten_megabytes_cost_what_a_hundred_kilobytes_do(char: str) -> None:
    def fastest(raw: str) -> float:
        return min(timeit.repeat(lambda: text(raw), timer=time.process_time, number=1, repeat=30))

    assert fastest(char * 10_000_000) < 10 * fastest(char * 100_000)


class Sulky:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Liar(str):
    """A string that says something else when it is asked nicely."""

    def __getitem__(self, key: object) -> str:
        return "\x1b[2J"

    def translate(self, table: object) -> str:
        return "\x1b[2J"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (3, "3"),
        (b"ok \xff\x1b", "ok \\xff␛"),
        (memoryview(b"ok"), "ok"),
        (Sulky(), "<unprintable Sulky>"),
        (Liar("calm\n"), "calm␊"),
        (["\x1b"], "['\\x1b']"),
    ],
)
def test_anything_can_be_shown(value: object, shown: str) -> None:
    assert text(value) == shown
    assert type(text(value)) is str


def test_a_number_too_long_to_be_written_is_named() -> None:
    assert text(10**5000) == "<unprintable int>"
