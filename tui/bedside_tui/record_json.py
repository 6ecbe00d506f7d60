"""Records as JSON: the one form in which `watch --jsonl` and an export write what a log holds.

Nothing is rounded, shortened or left out. JSON has no word for three numbers: they are the texts `NaN`, `Infinity` and `-Infinity`. Texts
are as the run said them; what a terminal would obey is escaped, since only ASCII is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.codec import BODIES
from bedside_protocol.records import Array, Body, Metrics, Record, Unknown

KINDS: Final[Mapping[type, str]] = {body: kind for kind, body in BODIES.items()}


def kind_of(body: Body) -> str:
    """The name of a body's kind, as the log has it."""
    return body.kind if isinstance(body, Unknown) else KINDS[type(body)]


def json_line(record: Record) -> str:
    """One record as one line of JSON, without its line feed."""
    return json.dumps(record_to_json(record), separators=(",", ":"), allow_nan=False)


def record_to_json(record: Record) -> dict[str, Any]:
    """The documented object of a record: `seq`, `time`, `rank`, `counter`, `kind`, and the fields of its `body`.

    `metrics` have `steps`, `times` and, by name, `values`, all equally long. An array has `meaning`, `dtype`, `shape`, `values` nested by
    shape, `labels` and `rows`. Other fields are those of `bedside_protocol.records`. A kind this version does not know has an empty body.
    """
    body = record.body
    return {
        "seq": record.seq,
        "time": _number(record.time),
        "rank": record.rank,
        "counter": record.counter,
        "kind": kind_of(body),
        "body": {} if isinstance(body, Unknown) else _metrics(body) if isinstance(body, Metrics) else plain_json(body),
    }


def _metrics(block: Metrics) -> dict[str, Any]:
    values = {name: _numbers(row) for name, row in zip(block.names, block.values, strict=True)}
    return {"steps": block.steps.tolist(), "times": _numbers(block.times), "values": values}


def plain_json(value: Any) -> Any:
    """A field of a body in what JSON has: records hold nothing but frozen values, mappings, tuples, texts, numbers and arrays."""
    if isinstance(value, Array):
        about = {"meaning": value.meaning, "dtype": value.values.dtype.name, "shape": list(value.values.shape)}
        return {**about, "values": _numbers(value.values), "labels": list(value.labels), "rows": list(value.rows)}
    if is_dataclass(value):
        return {field.name: plain_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain_json(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain_json(item) for item in value]
    return _number(value) if isinstance(value, float) else value


def _numbers(values: NDArray[np.generic]) -> Any:
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values.tolist()
    return _guarded(values.tolist())


def _guarded(values: Any) -> Any:
    return [_guarded(value) for value in values] if isinstance(values, list) else _number(values)


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")
