"""The pieces that schemas of JSON objects are written with. They know no verb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]


def said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema


def text(description: str = "") -> Schema:
    return said({"type": "string"}, description)


def count(description: str = "") -> Schema:
    return said({"type": "integer"}, description)


def number(description: str = "") -> Schema:
    return said({"type": "number"}, description)


def flag(description: str = "") -> Schema:
    return said({"type": "boolean"}, description)


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def one_of(words: Any, description: str = "") -> Schema:
    return said({"enum": list(words)}, description)


def object_of(fields: Mapping[str, Schema], description: str = "") -> Schema:
    """All fields are always there."""
    return said({"type": "object", "properties": dict(fields), "required": list(fields)}, description)


def by_name(values: Schema, description: str) -> Schema:
    return said({"type": "object", "additionalProperties": values}, description)


def list_of(items: Schema, description: str) -> Schema:
    return said({"type": "array", "items": items}, description)
