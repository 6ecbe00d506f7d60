"""What a rule's alarm says: a template filled when it fires, proved beforehand, because then nobody is there to correct it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.conditions import Condition, Expects, Leaves, NonFinite
from bedside_protocol.alerts.rule_schema import METRIC_FIELD
from bedside_protocol.alerts.rules import Rule

_NAMES_A_FIELD: Final = ("field", "per")
"""What a condition calls the fields it looks at."""

_KNOWN: Final[Mapping[type, Mapping[str, float | str]]] = MappingProxyType(
    {
        Expects: {"expected": "a"},
        Leaves: {"low": 1.0, "high": 1.0},
    }
)
"""Examples of what a condition can say that no built-in rule has."""
_TOO_WIDE: Final = re.compile(r"[0-9]{3}|\{")
"""A width or precision of a format that no line has room for, or one that is only known when it is filled: memory would be."""
_OWN: Final[Mapping[type, str]] = MappingProxyType(
    {
        NonFinite: "{value} since step {first_step:,}",
        Expects: "{value:.4g}, expected {expected}",
        Leaves: "{value:.4g}, reference runs: {low:.4g} to {high:.4g}",
    }
)
"""The templates of conditions that say more than a value."""


def default_message(conditions: Sequence[Condition]) -> str:
    """The template of a rule that has none."""
    for condition in conditions:
        if type(condition) in _OWN:
            return _OWN[type(condition)]
    named = {getattr(condition, "field", "") for condition in conditions}
    field = named.pop() if len(named) == 1 and METRIC_FIELD not in named else ""
    return f"{field} {{value:.4g}} since step {{first_step:,}}".lstrip()


def why_unfillable(rule: Rule, builtin: Sequence[Rule]) -> str:
    """Why a rule's message could not be filled when its alarm fires; empty where it can."""
    of_each = [_facts(condition, rule, builtin) for condition in rule.conditions]
    there = set(of_each[0]).intersection(*of_each[1:]) if of_each else set()  # whichever of the conditions is the worst when it fires
    not_finite = any(isinstance(condition, NonFinite) for condition in rule.conditions)
    example = {**{name: of_each[0][name] for name in there}, "value": "NaN" if not_finite else 1.0, "step": 1, "first_step": 1}
    try:
        unknown = [name for name, _ in _places(rule.message) if name not in example]
        if any(_TOO_WIDE.search(spec) for _, spec in _places(rule.message)):
            return "the message cannot be filled: a number in it is wider than 99 characters"
        if not unknown:
            rule.message.format_map(example)
            return ""
    except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        return f"the message cannot be filled: {error}"
    return f"the message cannot say {{{unknown[0]}}}: it can say {', '.join(f'{{{name}}}' for name in sorted(example))}"


def _facts(condition: Condition, rule: Rule, builtin: Sequence[Rule]) -> dict[str, float | str]:
    """Examples of what can be said of a condition: the fields it names, and what a built-in rule says of such a condition in the same
    place (a number where that rule formats it as one)."""
    facts = dict(_KNOWN.get(type(condition), {}))
    for other in builtin:
        if _place(other) == _place(rule) and type(condition) in map(type, other.conditions):
            facts |= {name: 1.0 if spec else "a" for name, spec in _places(other.message)}
    for one in getattr(condition, "conditions", ()):
        facts |= _facts(one, rule, builtin)
    fields = [getattr(condition, key, "") for key in _NAMES_A_FIELD]
    return facts | {field: 1.0 for field in fields if field and "*" not in field}


def _place(rule: Rule) -> tuple[type, str]:
    return type(rule.watch), getattr(rule.watch, "kind", "")


def _places(template: str) -> list[tuple[str, str]]:
    """The names in a template, and how each is formatted."""
    return [(name, spec or "") for _, name, spec, _ in Formatter().parse(template) if name is not None]
