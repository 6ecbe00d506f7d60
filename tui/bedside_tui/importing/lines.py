"""Rows as JSON: an object a line, as trainers write them, and the history in a `trainer_state.json`.

An object within an object has its name in front: `{"train": {"loss": 1}}` is `train/loss`. Lists and texts are no numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from bedside_tui.importing.columns import RowTaker
from bedside_tui.importing.left_out import LeftOut

MOST_LINE: Final = 16 << 20
"""Bytes of the longest line taken: a record of a recording, with an array as large as one may be, needs about 5 MB."""
MOST_FILE: Final = 256 << 20
"""Bytes of the largest file taken that must be read as a whole."""
_DEEPEST: Final = 8
NOT_JSON: Final = "lines that are no JSON object"


class NotThat(ValueError):
    """The file is not of the form it was taken for; the text says why."""


def read_objects(file: BinaryIO, left_out: LeftOut) -> Iterator[dict[str, Any]]:
    """The object of each line that holds one; empty lines are passed over."""
    while line := file.readline(MOST_LINE):
        if not line.strip():
            continue
        found = object_in(line)
        if found is None:
            left_out.add(NOT_JSON)
        else:
            yield found


def object_in(text: bytes) -> dict[str, Any] | None:
    """The JSON object that this is, or None."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_rows(file: BinaryIO, taker: RowTaker, left_out: LeftOut) -> None:
    """Every line of a file to `taker`."""
    for found in read_objects(file, left_out):
        taker.take(dict(flat(found)))


def read_history(file: BinaryIO, taker: RowTaker, left_out: LeftOut) -> None:
    """The `log_history` of a trainer's state. Raises `NotThat`."""
    text = file.read(MOST_FILE + 1)
    if len(text) > MOST_FILE:
        raise NotThat(f"it is larger than {MOST_FILE >> 20} MiB")
    state = object_in(text)
    history = None if state is None else state.get("log_history")
    if not isinstance(history, list):
        raise NotThat("it is no JSON object" if state is None else "it has no log_history")
    for entry in history:
        if isinstance(entry, dict):
            taker.take(dict(flat(entry)))
        else:
            left_out.add("entries that are no object")


def flat(found: Mapping[str, Any], before: str = "", room: int = _DEEPEST) -> Iterator[tuple[str, object]]:
    """What an object holds, by its path."""
    for name, value in found.items():
        if isinstance(value, dict) and room:
            yield from flat(value, f"{before}{name}/", room - 1)
        else:
            yield f"{before}{name}", value
