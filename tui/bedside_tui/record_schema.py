"""The JSON Schema of a record as `record_json` writes it, made of the types that records are."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from bedside_protocol.codec import BODIES
from bedside_protocol.records import Array, Body, Meaning, Metrics

Schema: TypeAlias = dict[str, Any]

_NUMBER: Final[Schema] = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_SIMPLE: Final[Mapping[Any, Schema]] = {
    float: _NUMBER, int: {"type": "integer"}, str: {"type": "string"}, bool: {"type": "boolean"}, types.NoneType: {"type": "null"},
}  # fmt: skip


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(fields: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(fields), "required": list(fields)}


_ARRAY: Final = _object({
    "meaning": {"enum": list(get_args(Meaning))},
    "dtype": {"type": "string"},
    "shape": _list({"type": "integer"}),
    "values": {"description": "numbers, nested by shape"},
    "labels": _list({"type": "string"}),
    "rows": _list({"type": "string"}),
})  # fmt: skip
_METRICS: Final = _object({
    "steps": _list({"type": "integer"}),
    "times": _list(_NUMBER),
    "values": {"type": "object", "additionalProperties": _list(_NUMBER)},
})  # fmt: skip


def _of_type(hint: Any) -> Schema:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if hint is Array:
        return _ARRAY
    if is_dataclass(hint):
        return _object({name: _of_type(inner) for name, inner in get_type_hints(hint).items()})
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of_type(each) for each in inner]}
    if origin is tuple:
        return _list(_of_type(inner[0]))
    return {"type": "object", "additionalProperties": _of_type(inner[1])}


def _of_body(body: type[Body]) -> Schema:
    return _METRICS if body is Metrics else _object({name: _of_type(hint) for name, hint in get_type_hints(body).items()})


def _record(kind: Schema, body: Schema) -> Schema:
    whole: Schema = {"type": "integer"}
    return _object({"seq": whole, "time": _NUMBER, "rank": whole, "counter": whole, "kind": kind, "body": body})


RECORD: Final[Schema] = {
    "anyOf": [
        *(_record({"const": kind}, _of_body(body)) for kind, body in BODIES.items()),
        _record({"not": {"enum": list(BODIES)}}, {"type": "object"}),
    ]
}
"""One line of `watch`. The last alternative: a kind that a later version writes."""
