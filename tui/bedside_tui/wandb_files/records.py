"""What one record of an offline file tells of a run. Values are JSON within it; a field of another type than its number should have is
`ValueError`, and so is a record that ends within a field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bedside_tui.wire import BYTES, VARINT, as_bytes, fields_of, signed

# Record
_HISTORY, _SUMMARY, _CONFIG, _STATS, _RUN, _EXIT = 2, 3, 5, 7, 17, 18
# HistoryRecord; SummaryRecord and ConfigRecord have their items under the same number
_ITEM, _STEP, _NUMBER = 1, 2, 1
# the items of each of them
_KEY, _NESTED, _JSON = 1, 2, 16
# RunRecord, its start, RunExitRecord
_PROJECT, _SETTINGS, _NAME, _START = 3, 4, 8, 17
_SECONDS, _NANOS = 1, 2
_CODE: Final = 1


@dataclass(frozen=True, slots=True)
class History:
    """A row that was logged."""

    items: Mapping[str, object]
    step: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the run comes to, as far as it has changed."""

    items: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration, as far as it has changed."""

    items: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Began:
    """Who the run is; `at` is the second of the epoch at which it began, None where it is not told."""

    name: str = ""
    project: str = ""
    at: float | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exited:
    code: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What the machine did."""


Told = History | Summary | Settings | Began | Exited | Measured


def told_by(record: bytes) -> Told | None:
    """What an encoded record tells; None of one that tells nothing of these."""
    for number, wire, value in fields_of(record):
        if wire != BYTES:
            continue
        body = as_bytes(value)
        if number == _HISTORY:
            return History(_items(body), _step(body))
        if number == _SUMMARY:
            return Summary(_items(body))
        if number == _CONFIG:
            return Settings(_items(body))
        if number == _RUN:
            return _began(body)
        if number == _EXIT:
            return Exited(_integer(body, _CODE))
        if number == _STATS:
            return Measured()
    return None


def _items(body: bytes) -> dict[str, object]:
    """Names and values; what is nested has its path for a name."""
    return dict(_item(as_bytes(value)) for number, wire, value in fields_of(body) if (number, wire) == (_ITEM, BYTES))


def _item(body: bytes) -> tuple[str, object]:
    key, path, text = "", list[str](), b"null"
    for number, wire, value in fields_of(body):
        if wire != BYTES:
            continue
        if number == _KEY:
            key = _text(value)
        elif number == _NESTED:
            path.append(_text(value))
        elif number == _JSON:
            text = as_bytes(value)
    return "/".join(path) or key, _value(text)


def _value(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")


def _step(body: bytes) -> int:
    return next((_integer(as_bytes(value), _NUMBER) for number, wire, value in fields_of(body) if (number, wire) == (_STEP, BYTES)), 0)


def _began(body: bytes) -> Began:
    name, project, at, settings = "", "", None, dict[str, object]()
    for number, wire, value in fields_of(body):
        if wire != BYTES:
            continue
        if number == _NAME:
            name = _text(value)
        elif number == _PROJECT:
            project = _text(value)
        elif number == _SETTINGS:
            settings = _items(as_bytes(value))
        elif number == _START:
            at = _integer(as_bytes(value), _SECONDS) + 1e-9 * _integer(as_bytes(value), _NANOS)
    return Began(name, project, at, settings)


def _integer(body: bytes, wanted: int) -> int:
    """An integer of a message; zero is what a writer leaves out."""
    found: Iterator[int] = (signed(value) for number, wire, value in fields_of(body) if (number, wire) == (wanted, VARINT))
    return next(found, 0)


def _text(value: int | bytes) -> str:
    return as_bytes(value).decode("utf-8", "replace")
