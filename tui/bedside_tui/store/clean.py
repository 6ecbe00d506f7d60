"""The edge at which a record's texts become safe to show: every string of every body, exactly once.

Metric names are cleaned where they are first seen (`store.metrics`): they come with every row. A file of rules is cleaned as it is read
(`store.judging`): made safe as a whole it would be no file any more. Numbers are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    AlertShelved,
    Array,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    ExpectationDeclared,
    LifecycleChanged,
    Lost,
    MetricDefined,
    Note,
    ProbeDeclared,
    Problem,
    RanksSeen,
    RankStarted,
    RulesDeclared,
    RunStarted,
    Scalar,
    Snapshot,
    StackFrame,
    StackTaken,
    TagsChanged,
    ThreadStack,
    Unknown,
    VerdictGiven,
)
from bedside_protocol.sanitise import text

V = TypeVar("V")
AnyBody = TypeVar("AnyBody", bound=Body)

LONG = 2000
"""Characters kept of what a person may want to read in full: notes, reasons, messages, paths. Names are kept to 200."""

_LONG_FIELDS: dict[type[Any], tuple[str, ...]] = {
    AlertChanged: ("message",),
    CheckpointSaved: ("path",),
    CommandChanged: ("detail",),
    Ended: ("message",),
    ExpectationDeclared: ("text",),
    LifecycleChanged: ("reason",),
    Lost: ("why",),
    Note: ("text",),
    Problem: ("text",),
    StackTaken: ("why", "trouble"),
}

_NAME_FIELDS: dict[type[Any], tuple[str, ...]] = {
    AlertAcknowledged: ("rule", "target", "who"),
    AlertChanged: ("rule", "target", "runbook"),
    AlertShelved: ("rule", "target", "who"),
    CheckpointSaved: ("command",),
    CommandChanged: ("id", "who"),
    Ended: ("exception",),
    Event: ("name",),
    Note: ("author",),
    Problem: ("where",),
    ProbeDeclared: ("probe", "kind"),
    RulesDeclared: ("name",),
    RankStarted: ("host",),
    RunStarted: ("id", "name", "project", "host", "boot_id", "python", "torch", "bedside", "git_commit", "continues"),
    Snapshot: ("probe", "kind"),
    StackTaken: ("command",),
    TagsChanged: ("who",),
    Unknown: ("kind",),
    VerdictGiven: ("verdict", "who"),
}


def clean(body: AnyBody) -> AnyBody:
    """The body with every text in it made safe; the very same object where nothing had to change."""
    kind = type(body)
    changes: dict[str, Any] = {}
    for names, limit in ((_NAME_FIELDS.get(kind, ()), 200), (_LONG_FIELDS.get(kind, ()), LONG)):
        for name in names:
            before = getattr(body, name)
            after = text(before, limit)
            if after is not before:
                changes[name] = after
    if special := _SPECIAL.get(kind):
        changes |= special(body)
    return replace(body, **changes) if changes else body


def _mapping(mapping: Mapping[str, V], value: Callable[[V], V] = lambda it: it) -> dict[str, V]:
    """With safe keys; of keys that become equal the first keeps its name and the others are numbered."""
    cleaned: dict[str, V] = {}
    for key, item in mapping.items():
        cleaned[distinct(text(key), cleaned)] = value(item)
    return cleaned


def distinct(name: str, taken: Mapping[str, object]) -> str:
    """`name`, or `name~2`, `name~3`, … where it is taken: two names that differ only in what cannot be shown stay two."""
    if name not in taken:
        return name
    number = 2
    while f"{name}~{number}" in taken:
        number += 1
    return f"{name}~{number}"


def _scalar(value: Scalar) -> Scalar:
    return text(value) if isinstance(value, str) else value


def _array(array: Array) -> Array:
    return replace(array, labels=_texts(array.labels), rows=_texts(array.rows)) if array.labels or array.rows else array


def _texts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text(name) for name in names)


def _snapshot(body: Snapshot) -> dict[str, Any]:
    return {
        "scalars": _mapping(body.scalars),
        "arrays": _mapping(body.arrays, _array),
        "texts": _mapping(body.texts, _texts),
    }


def _thread(thread: ThreadStack) -> ThreadStack:
    frames = tuple(_frame(each) for each in thread.frames)
    return replace(thread, name=text(thread.name), kernel=text(thread.kernel), frames=frames)


def _frame(frame: StackFrame) -> StackFrame:
    return replace(frame, file=text(frame.file), function=text(frame.function), source=text(frame.source))


_SPECIAL: dict[type[Any], Callable[[Any], dict[str, Any]]] = {
    CommandChanged: lambda body: {"arguments": _mapping(body.arguments, _scalar)},
    Ended: lambda body: {"traceback": tuple(text(line, LONG) for line in body.traceback)},
    MetricDefined: lambda body: {"pattern": text(body.pattern), "unit": body.unit and text(body.unit, 20)},
    Event: lambda body: {"fields": _mapping(body.fields, _scalar)},
    ProbeDeclared: lambda body: {"settings": _mapping(body.settings, _scalar)},
    RanksSeen: lambda body: {"states": _texts(body.states)},
    RunStarted: lambda body: {"config": _mapping(body.config, _scalar), "argv": _texts(body.argv)},
    Snapshot: _snapshot,
    StackTaken: lambda body: {"threads": tuple(map(_thread, body.threads))},
    TagsChanged: lambda body: {"added": _texts(body.added), "removed": _texts(body.removed)},
}
