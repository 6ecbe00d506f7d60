"""Records from the lines that `bedside export --jsonl` and `bedside watch --jsonl` write: the inverse of `record_json`.

A line is checked as a frame from outside is, by the same code. The three texts that stand for numbers JSON has not are numbers again
wherever a number may stand: also in configuration, settings, fields of events and arguments, where a text of those letters is one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, BinaryIO, Final

import numpy as np

from bedside_protocol.arrays import pack_array, pack_deltas, pack_floats
from bedside_protocol.codec import BODIES, CodecError, decode_record, pack_list
from bedside_protocol.records import Record, Unknown
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import read_objects

NO_RECORD: Final = "lines that are no record of this version"
_NUMBERS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_MAPS: Final = frozenset({"config", "settings", "fields", "arguments", "scalars"})
"""Fields whose values may be numbers."""
_FLOATS: Final = {
    kind: frozenset(field.name for field in fields(body) if field.type in ("float", "float | None")) for kind, body in BODIES.items()
}


def read_record_lines(file: BinaryIO, left_out: LeftOut) -> Iterator[Record]:
    """The records of a file, in its order."""
    for found in read_objects(file, left_out):
        try:
            record = record_from_json(found)
        except ValueError:
            left_out.add(NO_RECORD)
            continue
        yield record


def record_from_json(found: Mapping[str, Any]) -> Record:
    """The record that `record_to_json` made this of. Raises `ValueError`."""
    kind, body, seq = found.get("kind"), found.get("body"), found.get("seq")
    if not isinstance(kind, str) or not isinstance(body, dict) or type(seq) is not int or not 0 <= seq < 2**63:
        raise ValueError("not a record")
    try:
        packed = _metrics(body) if kind == "metrics" else _plain(kind, body)
        head = [kind, float(_number(found.get("time"))), found.get("rank"), found.get("counter")]
        record = decode_record(pack_list([*head, packed]), seq)
    except (TypeError, OverflowError, CodecError, AttributeError) as error:
        raise ValueError(f"not a record: {error}") from error
    if isinstance(record.body, Unknown):
        raise ValueError(f"a record of the unknown kind {kind!r}")
    return record


def _metrics(body: dict[str, Any]) -> dict[str, object]:
    values: dict[str, Any] = body["values"] if isinstance(body.get("values"), dict) else {}
    steps = np.array(body.get("steps"), np.int64)
    rows = np.array([_numbers(row) for row in values.values()], np.float64).reshape(len(values), steps.size)
    times = np.array(_numbers(body.get("times")), np.float64)
    return {"names": list(values), "steps": pack_deltas(steps), "times": pack_floats(times), "values": pack_floats(rows)}


def _plain(kind: str, body: dict[str, Any]) -> dict[str, object]:
    packed = dict(body)
    for name, value in body.items():
        if name in _FLOATS.get(kind, ()):
            packed[name] = _number(value)
        elif name in _MAPS and isinstance(value, dict):
            packed[name] = {key: _number(each) for key, each in value.items()}
        elif name == "arrays" and isinstance(value, dict):
            packed[name] = {key: _array(each) for key, each in value.items()}
    return packed


def _array(found: dict[str, Any]) -> dict[str, object]:
    dtype = np.dtype(found.get("dtype"))
    if dtype.kind not in "buif":  # what is none of numbers may say that each takes a gigabyte
        raise ValueError(f"arrays of {dtype} are not recorded")
    values = np.array(_numbers(found.get("values")), dtype).reshape(found.get("shape", ()))
    return {**found, "values": pack_array(values)}


def _numbers(values: Any) -> Any:
    return [_numbers(value) for value in values] if isinstance(values, list) else _number(values)


def _number(value: Any) -> Any:
    return _NUMBERS.get(value, value) if isinstance(value, str) else value
