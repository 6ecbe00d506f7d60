"""The words of `bedside wait --until`, read: `alert>=red or step>=5000`. Text in, an expression out, or where the slip is.

    expression   conjunction, or several joined by `or`
    conjunction  term, or several joined by `and`, which binds more tightly
    term         ( expression ) · alert>=amber|red · step>=N · state=finished|…|over · METRIC < <= > >= NUMBER

A metric's name stands in quotes where it holds blanks, quotes, parentheses or signs, or is one of the words above.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, NoReturn, cast

from bedside_protocol.records import Severity
from bedside_tui.cli.wait_terms import (
    BARE,
    SEVERITIES,
    SIGNS,
    STATES,
    AlertAtLeast,
    Expression,
    MetricIs,
    Sign,
    StateIs,
    StepAtLeast,
    Term,
    every,
    some,
)

_DEEPEST: Final = 50
"""Parentheses within each other that are read: nobody means more."""
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_TOKEN: Final = re.compile(
    rf"""\s*(?:(?P<mark>[()])|(?P<sign>[<>=!]+)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>{BARE.pattern}))""", re.DOTALL
)


class _Subject(NamedTuple):
    """What may be said of a word of ours: its sign, its values as they are written and as a person is told of them, and the term."""

    sign: str
    values: re.Pattern[str]
    said: str
    term: Callable[[str], Term]


_SUBJECTS: Final[Mapping[str, _Subject]] = {
    "alert": _Subject(">=", re.compile("|".join(SEVERITIES)), " or ".join(SEVERITIES), lambda word: AlertAtLeast(cast("Severity", word))),
    "step": _Subject(">=", re.compile("[0-9]{1,15}"), "a whole number", lambda word: StepAtLeast(int(word))),
    "state": _Subject("=", re.compile("|".join(STATES)), f"one of {', '.join(STATES)}", StateIs),
}


class Slip(ValueError):
    """What is wrong in an expression, and before which of its characters."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


def read_expression(text: str) -> Expression:
    """The expression a text says; `str` of it says the same. Raises `Slip`."""
    reader = _Reader(text)
    expression = reader.any_of(0)
    if reader.next.kind != "end":
        reader.slip("`and`, `or` or the end is expected here")
    return expression


class _Token(NamedTuple):
    """A piece of the text; `text` is empty at its end, and without its quotes where `kind` is `quoted`."""

    kind: str
    text: str
    at: int


class _Reader:
    """Reads a text from left to right; `next` is the piece that is looked at."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._after = 0
        self.next = self._piece()

    def slip(self, why: str) -> NoReturn:
        raise Slip(why, self.next.at)

    def _piece(self) -> _Token:
        found = _TOKEN.match(self._text, self._after)
        if found is None:
            rest = self._text[self._after :]
            at = self._after + len(rest) - len(rest.lstrip())
            if rest.strip():
                raise Slip("this quote is not closed", at)
            return _Token("end", "", len(self._text.rstrip()))
        self._after = found.end()
        kind = found.lastgroup or ""
        text = found[kind]
        return _Token(kind, re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if kind == "quoted" else text, found.start(kind))

    def _take(self) -> str:
        taken, self.next = self.next, self._piece()
        return taken.text

    def _is(self, kind: str, text: str) -> bool:
        return (self.next.kind, self.next.text) == (kind, text)

    def any_of(self, depth: int) -> Expression:
        parts = [self._all_of(depth)]
        while self._is("word", "or"):
            self._take()
            parts.append(self._all_of(depth))
        return some(parts)

    def _all_of(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while self._is("word", "and"):
            self._take()
            parts.append(self._one(depth))
        return every(parts)

    def _one(self, depth: int) -> Expression:
        if not self._is("mark", "("):
            return self._term()
        if depth == _DEEPEST:
            self.slip(f"more than {_DEEPEST} parentheses within each other")
        self._take()
        inner = self.any_of(depth + 1)
        if not self._is("mark", ")"):
            self.slip("`)`, `and` or `or` is expected here")
        self._take()
        return inner

    def _term(self) -> Term:
        if self.next.kind not in ("word", "quoted") or self._is("word", "and") or self._is("word", "or"):
            self.slip("a term is expected here: alert>=red, step>=5000, state=over, loss<0.1")
        subject = _SUBJECTS.get(self.next.text) if self.next.kind == "word" else None
        name = self._take()
        if subject is None:
            return MetricIs(name, cast("Sign", self._sign(name, tuple(SIGNS))), self._number())
        self._sign(name, (subject.sign,))
        if self.next.kind != "word" or not subject.values.fullmatch(self.next.text):
            self.slip(f"{subject.said} is expected here")
        return subject.term(self._take())

    def _sign(self, name: str, allowed: tuple[str, ...]) -> str:
        if self.next.kind != "sign" or self.next.text not in allowed:
            self.slip(f"after {name}, {' or '.join(allowed)} is expected here")
        return self._take()

    def _number(self) -> float:
        if self.next.kind != "word" or not _NUMBER.fullmatch(self.next.text) or not math.isfinite(float(self.next.text)):
            self.slip("a number is expected here")
        return float(self._take())
