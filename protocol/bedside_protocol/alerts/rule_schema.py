"""How the values of rules are written in a file: read from their types, so that a condition that exists can be written.

A dataclass is a table of its fields. Where one of several is meant (conditions, watches) its name in small letters says which:
`{beyond = {field = "usage", red_below = 0.3}}`, or the bare word where nothing else needs saying. A watch takes its glob or kind beside
its name: `{metric = "loss/*"}`. Which rules there are, this file does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from types import MappingProxyType, UnionType
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from bedside_protocol.alerts.conditions import PointCondition, ProbeCondition, RunCondition
from bedside_protocol.alerts.contradictions import contradictions
from bedside_protocol.alerts.rules import OnMetric, OnProbe, OnRun, Span, Unit, Watch
from bedside_protocol.alerts.toml_lines import Path

WATCHES: Final[Mapping[str, type]] = MappingProxyType({kind.__name__.removeprefix("On").lower(): kind for kind in get_args(Watch)})
"""Every watch by the word that means it."""

WRITTEN: Final[Mapping[str, str]] = MappingProxyType({"conditions": "when"})
"""Fields of a rule that a file calls something else."""

_JUDGED_BY: Final[Mapping[type, Any]] = MappingProxyType({OnMetric: PointCondition, OnProbe: ProbeCondition, OnRun: RunCondition})

_SPAN: Final = re.compile(r"(?P<count>\d+(?:\.\d+)?(?:[eE]\d+)?) *(?P<unit>[a-z]+)")
_UNITS: Final[Mapping[str, Unit]] = MappingProxyType({
    "point": "points", "points": "points", "step": "steps", "steps": "steps", "second": "seconds", "seconds": "seconds", "s": "seconds",
})  # fmt: skip

METRIC_FIELD: Final = "value"
"""What the values of a metric are called, which are its only field."""

_OF_SNAPSHOTS: Final = frozenset({"per", "unless_mending"})

_RISING: Final = ("red_below", "amber_below", "amber_above", "red_above")
"""Limits, from the lowest a healthy value may be given to the highest."""
_NOT_NEGATIVE: Final = frozenset({"noise", "share", "after", "by", "seconds", "times", "red_times", "step", "least"})
_AT_LEAST_ONE: Final = frozenset({"rise", "above_start", "far_above_start", "factor", "gap"})
"""Factors by which something has risen."""
_AT_MOST_ONE: Final = frozenset({"share"})

_BAD: Final = object()
"""Stands for a value that could not be read; what is wrong with it has been noted."""

Slips: TypeAlias = list[tuple[Path, str]]
"""What is wrong in a file and where, in the order it was found."""


def word(kind: type) -> str:
    """What a class is called in a file: `FellFromPeak` is `fell_from_peak`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def conditions_for(watch: type) -> Mapping[str, type]:
    """The conditions that can be judged on what a watch looks at, by their words."""
    union = _JUDGED_BY[watch]
    return {word(kind): kind for kind in get_args(union) or (union,)}


def subject(watch: type) -> Field[Any] | None:
    """The field a watch's word takes the value of: the glob of metrics, the kind of probes."""
    return next((field for field in fields(watch) if field.type in ("str", str)), None)


def needed(kind: type) -> list[str]:
    """The fields that have no default."""
    return [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]


class Reader:
    """Turns what TOML said into values of the types; what cannot be turned is noted in `slips`, and all of it is."""

    def __init__(self) -> None:
        self.slips: Slips = []

    def __repr__(self) -> str:
        return f"<Reader {len(self.slips)} slips>"

    def refuse(self, path: Path, why: str) -> Any:
        """Notes a slip. Returns what stands for a value that is none."""
        self.slips.append((path, why))
        return _BAD

    def is_good(self, value: object) -> bool:
        """Whether a value that this reader returned is one."""
        return value is not _BAD

    def value(self, hint: Any, raw: Any, path: Path) -> Any:
        """`raw` as a value of the type `hint`."""
        if isinstance(hint, type) and is_dataclass(hint):
            return self.span(raw, path) if hint is Span else self.table(hint, raw, path)
        origin, inside = get_origin(hint), get_args(hint)
        if origin is Literal:
            return raw if raw in inside else self.refuse(path, f"{shown(raw)} is not {_either(map(shown, inside))}")
        if origin is tuple:
            if raw == [] and get_origin(inside[0]) in (Union, UnionType):
                return self.refuse(path, "no condition is given")
            return self.several(raw, path, lambda each, at: self.value(inside[0], each, at))
        if origin is Mapping:
            return self.named(inside[1], raw, path)
        if origin in (Union, UnionType):
            kinds = [kind for kind in inside if kind is not type(None)]  # None cannot be said in TOML: leaving the key out does
            return self.value(kinds[0], raw, path) if len(kinds) == 1 else self.one_of({word(kind): kind for kind in kinds}, raw, path)
        return self._scalar(hint, raw, path)

    def several(self, raw: Any, path: Path, read: Callable[[Any, Path], Any]) -> Any:
        """A list as a tuple; one alone is a list of one."""
        values = tuple(read(each, (*path, place)) for place, each in enumerate(raw if isinstance(raw, list) else [raw]))
        return values if all(map(self.is_good, values)) else _BAD

    def named(self, hint: Any, raw: Any, path: Path) -> Any:
        """A table whose keys a person chooses."""
        if not isinstance(raw, dict):
            return self.refuse(path, f"{shown(raw)} is no table: write {{… = …}}")
        values = self.entries(dict.fromkeys(raw, hint), raw, path)
        return values if len(values) == len(raw) else _BAD

    def span(self, raw: Any, path: Path) -> Any:
        """`"20 points"`, `"200 steps"`, `"30 s"`."""
        found = _SPAN.fullmatch(raw) if isinstance(raw, str) else None
        unit = _UNITS.get(found["unit"]) if found else None
        if found is None or unit is None:
            return self.refuse(path, f'{shown(raw)} is no length of time: write "20 points", "200 steps" or "30 s"')
        return Span(float(found["count"]), unit)

    def table(self, kind: type, raw: Any, path: Path) -> Any:
        """A table of the fields of a dataclass."""
        if not isinstance(raw, dict):
            return self.refuse(path, f"{shown(raw)} is no table: write {{{' = …, '.join(field.name for field in fields(kind))} = …}}")
        before = len(self.slips)
        given = self.entries(get_type_hints(kind), raw, path)
        missing = [name for name in needed(kind) if name not in raw]
        if missing:
            self.refuse(path, f"{word(kind)} needs {' and '.join(missing)}")
        self._agree(given, raw, kind, path)
        return kind(**given) if len(self.slips) == before else _BAD

    def entries(self, hints: Mapping[str, Any], raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """The values of a table that could be read, by name; a key that is no name is refused."""
        values: dict[str, Any] = {}
        for key, each in raw.items():
            if key not in hints:
                self.refuse((*path, key), f"there is no {key} here{meant(key, hints)}: there are {', '.join(hints)}")
            elif self.is_good(value := self.value(hints[key], each, (*path, key))):
                values[key] = value
        return values

    def condition(self, watch: type, raw: Any, path: Path) -> Any:
        """A condition for what is watched; of a metric its field is its value, which need not be said."""
        if watch is OnMetric and isinstance(raw, dict):
            for name, inside in raw.items():
                for key in _OF_SNAPSHOTS.intersection(inside if isinstance(inside, dict) else ()):
                    self.refuse((*path, name, key), f"{key} is for probes: a metric has only its value")
            raw = {name: _of_a_metric(inside) for name, inside in raw.items()}
        return self.one_of(conditions_for(watch), raw, path)

    def one_of(self, known: Mapping[str, type], raw: Any, path: Path) -> Any:
        """`{beyond = {…}}`, or a word alone."""
        table = {raw: {}} if isinstance(raw, str) else raw
        if not isinstance(table, dict) or len(table) != 1:
            return self.refuse(path, f"{shown(raw)} is no condition: write one as {{{next(iter(known))} = {{…}}}}")
        ((name, inside),) = table.items()
        if name not in known:
            return self.refuse((*path, name), f"{name} cannot be judged there{meant(name, known)}: {', '.join(known)} can")
        return self.table(known[name], inside, (*path, name))

    def watch(self, raw: Any, path: Path) -> Any:
        """`{metric = "loss/*"}`, `{probe = "rollout"}`, `"run"`."""
        table = {raw: None} if isinstance(raw, str) else raw
        named = [name for name in table if name in WATCHES] if isinstance(table, dict) else []
        if len(named) != 1:
            return self.refuse(path, f'{shown(raw)} is nothing to watch: write {{metric = GLOB}}, {{probe = KIND}} or "run"')
        kind = WATCHES[named[0]]
        rest = {key: value for key, value in table.items() if key != named[0]}
        main = subject(kind)
        if main is not None and table[named[0]] is not None:
            rest[main.name] = table[named[0]]
        return self.table(kind, rest, path)

    def _scalar(self, kind: type, raw: Any, path: Path) -> Any:
        name = path[-1] if path else ""
        if kind is float and isinstance(raw, int | float) and not isinstance(raw, bool):
            return float(raw) if isfinite(raw) and self._fits(name, raw, path) else self._impossible(raw, path)
        if type(raw) is not kind:
            said = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}[kind]
            return self.refuse(path, f"{shown(raw)} is not {said}")
        return raw if self._fits(name, raw, path) else self._impossible(raw, path)

    def _fits(self, name: str | int, raw: Any, path: Path) -> bool:
        too_low = (name in _NOT_NEGATIVE and raw < 0) or (name in _AT_LEAST_ONE and raw < 1)
        return not too_low and not (name in _AT_MOST_ONE and raw > 1)

    def _impossible(self, raw: Any, path: Path) -> Any:
        said = ((_AT_MOST_ONE, "a number from 0 to 1"), (_NOT_NEGATIVE, "zero or more"), (_AT_LEAST_ONE, "one or more"))
        bounds = next((words for names, words in said if path[-1] in names), "a finite number")
        return self.refuse(path, f"{path[-1]} = {raw} is impossible: it is {bounds}")

    def _agree(self, given: Mapping[str, Any], raw: Mapping[str, Any], kind: type, path: Path) -> None:
        """Refuses limits that contradict each other, or that are none."""
        for key, why in contradictions(kind, given):
            self.refuse((*path, key) if key else path, why)
        if not set(_RISING).issubset(field.name for field in fields(kind)):
            return
        limits = [name for name in _RISING if name in given]
        if not any(name in raw for name in _RISING):
            self.refuse(path, f"{word(kind)} has no limit: give one of {', '.join(_RISING)}")
        for low, high in pairwise(limits):
            if given[low] > given[high]:
                why = f"{low} = {given[low]:g} and {high} = {given[high]:g} contradict each other"
                self.refuse((*path, high), f"{why}: it must be {' ≤ '.join(limits)}")


def meant(name: str, known: Iterable[str]) -> str:
    """A question after a name that is none, where one that exists is near."""
    near = get_close_matches(name, list(known), 1)
    return f" (is {near[0]} meant?)" if near else ""


def shown(raw: Any) -> str:
    """A value as a person wrote it, short."""
    text = f'"{raw}"' if isinstance(raw, str) else str(raw).lower() if isinstance(raw, bool) else str(raw)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _of_a_metric(inside: Any) -> Any:
    return {"field": METRIC_FIELD, **inside} if isinstance(inside, dict) and set(inside) & set(_RISING) else inside


def _either(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else str(last)
