"""A rule in words: as a file says it, and as a person reads it. It knows no screen and no width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final

from bedside_protocol.alerts.conditions import All, Beyond, Condition, FellFromPeak, Grows, Memorises, Recurs, Spikes
from bedside_protocol.alerts.rule_schema import WATCHES, WRITTEN, subject, word
from bedside_protocol.alerts.rules import OnMetric, OnProbe, Rule, Span, Watch

_FEW: Final = 4
"""More kinds of metrics than these, or more numbers, are counted."""


def written(rule: Rule) -> dict[str, Any]:
    """A rule as a table of a file, whose reader makes the same rule of it; what is as by default is left out."""
    said = {WRITTEN.get(name, name): value for name, value in _said(rule)}
    said["watch"] = _written_watch(rule.watch)
    said["when"] = [_tagged(condition) for condition in rule.conditions]
    return said


def watched(watch: Watch) -> str:
    """What a rule looks at."""
    if isinstance(watch, OnProbe):
        return f"probe {watch.kind}"
    if not isinstance(watch, OnMetric):
        return "the run"
    name = "metrics" if watch.glob == "*" else f"metric {watch.glob}"
    kinds = "" if not watch.kinds else f" of kind {', '.join(watch.kinds)}" if len(watch.kinds) <= _FEW else f" of {len(watch.kinds)} kinds"
    return f"{name}{kinds}{', those the training minimises' if watch.trained_on else ''}"


def fires(rule: Rule) -> str:
    """When it is amber, and when red."""
    red = rule.worst == "red" and any(_may_be_red(condition) for condition in rule.conditions)
    return f"amber {_after(rule.for_amber)}, {f'red {_after(rule.for_red)}' if red else 'never red'}"


def _may_be_red(condition: Condition) -> bool:
    match condition:
        case All(conditions=parts):
            return all(_may_be_red(part) for part in parts)
        case Beyond():
            return condition.red_below is not None or condition.red_above is not None
    return not isinstance(condition, FellFromPeak | Grows | Memorises | Recurs | Spikes)


def condition_words(condition: Condition) -> str:
    """A condition with its numbers: `beyond: field usage, amber below 0.8`."""
    values = ", ".join(_phrase(name, value) for name, value in _numbers(condition))
    return f"{_spaced(word(type(condition)))}: {values}" if values else _spaced(word(type(condition)))


def warming_up(rule: Rule) -> str:
    """Until when a probe is not judged, empty where it is from its first snapshot on."""
    grace = rule.grace
    times = f" × {grace.per}" if grace.per else ""
    parts = [f"step {grace.step:,}"] * bool(grace.step) + [f"{grace.field} is {grace.least:g}{times}"] * bool(grace.field)
    return " and until ".join(parts)


def _said(value: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(value):
        each = getattr(value, field.name)
        if field.name not in ("watch", "conditions") and each != _default(field):
            yield field.name, _plain(each)
        elif field.name == "conditions" and not isinstance(value, Rule):
            yield field.name, [_tagged(one) for one in each]


def _plain(value: Any) -> Any:
    if isinstance(value, Span):
        return str(value)
    if is_dataclass(value):
        return dict(_said(value))
    return list(value) if isinstance(value, tuple) else value


def _tagged(condition: Any) -> dict[str, Any]:
    return {word(type(condition)): dict(_said(condition))}


def _written_watch(watch: Watch) -> dict[str, Any] | str:
    name = next(name for name, kind in WATCHES.items() if kind is type(watch))
    main = subject(type(watch))
    if main is None:
        return name
    return {name: getattr(watch, main.name), **{key: value for key, value in _said(watch) if key != main.name}}


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _numbers(condition: Condition) -> Iterator[tuple[str, Any]]:
    """All that a condition says; what is None, empty or no is not said."""
    for field in fields(condition):
        value = getattr(condition, field.name)
        if value is not None and value is not False and value not in ("", ()):
            yield field.name, value


def _phrase(name: str, value: Any) -> str:
    if value is True:
        return _spaced(name)
    if isinstance(value, tuple):
        return f"{_spaced(name)} {_list(value)}"
    return f"{_spaced(name)} {value:g}" if isinstance(value, float) else f"{_spaced(name)} {value}"


def _list(values: tuple[Any, ...]) -> str:
    """All of a list; of more numbers than a few, how many and between which."""
    if len(values) > _FEW and not any(isinstance(one, str) for one in values):
        return f"{len(values)} from {values[0]:g} to {values[-1]:g}"
    return " + ".join(
        one if isinstance(one, str) else f"{one:g}" if isinstance(one, int | float) else f"({condition_words(one)})" for one in values
    )


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _after(span: Span) -> str:
    one = f"{span.count:g} {span.unit.removesuffix('s') if span.count == 1 else span.unit}"
    return f"after {one}" if span.count else "at once"
