"""What a script expects of its metrics, in one line: `loss < 0.05 after 5000`. Text in, a rule out.

    METRIC  < | <= | > | >=  NUMBER  [after STEP | by STEP | between STEP and STEP]

`after`: each level from that step on. `by`: once, at the first value from that step on. `between`: each level from the one step to the
other. Neither: each level from the declaration on. In METRIC `*` and `?` stand for any characters; every other character is itself, so
that the series of a group, `loss [T=64]`, is written as it is called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite, nan
from types import MappingProxyType
from typing import Final, TypeAlias

from bedside_protocol.alerts.conditions import Expects
from bedside_protocol.alerts.rules import OnMetric, Rule
from bedside_protocol.records import ExpectationDeclared, Severity

NAME: Final = "expectation"
"""The rule a declaration becomes; the second one of a run is `expectation-2`."""
MOST_EXPECTATIONS: Final = 100
_LONGEST: Final = 300
_EXAMPLE: Final = 'write "loss < 0.05 after 5000", "val/accuracy >= 0.9 by 2000" or "loss < 2 between 100 and 500"'
_NO_TEXT: Final = f"an expectation is a text of at most {_LONGEST} characters: {_EXAMPLE}"

_STEP: Final = r"(\d{1,18}|\d{1,3}(?:_\d{3}){1,5})"
_TEXT: Final = re.compile(
    rf"\s*(?P<metric>\S.*?)\s*(?P<sign><=|>=|<|>)\s*(?P<number>[^\s<>=]+)"
    rf"(?:\s+(?:after\s+(?P<after>{_STEP})|by\s+(?P<by>{_STEP})|between\s+(?P<first>{_STEP})\s+and\s+(?P<last>{_STEP})))?\s*"
)
_BOUNDS: Final[Mapping[str, str]] = MappingProxyType({"<": "below", "<=": "at_most", ">": "above", ">=": "at_least"})
_Key: TypeAlias = tuple[str, Expects, Severity]


class BadExpectation(ValueError):
    """This cannot be expected; the text says what is wrong and how one is written."""


def expectation(text: object, severity: object = "amber") -> ExpectationDeclared:
    """The declaration of what a script passed. Raises `BadExpectation`, with one sentence for the person."""
    if not isinstance(text, str):
        raise BadExpectation(_NO_TEXT)
    if severity not in ("amber", "red"):
        raise BadExpectation("the severity of an expectation is amber or red")
    text = text.encode("utf-8", "backslashreplace").decode()  # half a pair of surrogates cannot be recorded
    expected(text)
    return ExpectationDeclared(text, "red" if severity == "red" else "amber")


def with_room(said: frozenset[ExpectationDeclared], one: ExpectationDeclared) -> frozenset[ExpectationDeclared]:
    """These and one more. Raises `BadExpectation` where there are too many."""
    if len(said) >= MOST_EXPECTATIONS:
        raise BadExpectation(f"only the first {MOST_EXPECTATIONS} are kept (is a step or an id in one?)")
    return said | {one}


def expected(text: str) -> tuple[str, Expects]:
    """The metric's name, or a pattern for several, and what is expected of it. Raises `BadExpectation`."""
    if len(text) > _LONGEST:
        raise BadExpectation(_NO_TEXT)
    found = _TEXT.fullmatch(text)
    if found is None:
        raise BadExpectation(f'"{text}" is no expectation: {_EXAMPLE}')
    try:
        number = float(found["number"])
    except ValueError:
        number = nan
    if not isfinite(number):
        raise BadExpectation(f'"{found["number"]}" in "{text}" is no number: {_EXAMPLE}')
    after, by = (int(step) if step else None for step in (found["after"] or found["first"], found["by"] or found["last"]))
    if after is not None and by is not None and after > by:
        raise BadExpectation(f'between {after} and {by} in "{text}" there is no step')
    return found["metric"], Expects(**{_BOUNDS[found["sign"]]: number}, after=after, by=by)


def literal(name: str) -> str:
    """A glob that only this name matches."""
    return re.sub(r"([*?[])", r"[\1]", name)


def rule_of(declared: ExpectationDeclared, number: int = 1) -> Rule:
    """The rule that judges a run's declaration of this number. Raises `BadExpectation`."""
    metric, expects = expected(declared.text)
    return Rule(
        name=NAME if number == 1 else f"{NAME}-{number}",
        title="expectation",
        watch=OnMetric(glob=metric.replace("[", "[[]")),
        conditions=(expects,),
        message="{value:.4g}, expected {expected}",
        runbook=NAME,
        worst=declared.severity,
    )


class Declared:
    """The expectations a run has declared. Declared again, as a resumed run does, it is the same one."""

    def __init__(self) -> None:
        self._rules: dict[_Key, Rule] = {}

    def __repr__(self) -> str:
        return f"<Declared {len(self._rules)} expectations>"

    def take(self, declared: ExpectationDeclared) -> Rule | None:
        """The rule of a new one; None where it is known, is none, or there are too many."""
        try:
            key = (*expected(declared.text), declared.severity)
        except BadExpectation:
            return None
        if key in self._rules or len(self._rules) >= MOST_EXPECTATIONS:
            return None
        rule = self._rules[key] = rule_of(declared, len(self._rules) + 1)
        return rule
