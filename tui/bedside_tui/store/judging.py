"""By which rules the run is judged, and what its script expects: the run's own file of rules and its expectations, as the log has them.

A file that this version cannot read changes nothing: the built-in rules speak on, and why is said. What the rules find is in `alerts`.
Rules are loaded when somebody asks for one: a run without an alarm, an expectation or a checkpoint is on the screen sooner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from bedside_protocol.records import ExpectationDeclared, RulesDeclared
from bedside_protocol.sanitise import text as safe
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.rules import RulesView
from bedside_tui.store.view import Mark

if TYPE_CHECKING:
    from bedside_protocol.alerts.expecting import Declared
    from bedside_protocol.alerts.rules import Rule

_LONGEST_TITLE: Final = 60


class BuiltInRules(Mapping[str, "Rule"]):
    """The first of each name, loaded at the first look."""

    def __repr__(self) -> str:
        return "<BuiltInRules>"

    def __getitem__(self, name: str) -> Rule:
        return _built_in()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_built_in())

    def __len__(self) -> int:
        return len(_built_in())


@cache
def _built_in() -> dict[str, Rule]:
    from bedside_protocol.alerts.defaults import DEFAULT_RULES  # only here: at the first look

    return {rule.name: rule for rule in reversed(DEFAULT_RULES)}


BUILT_IN: Final = RulesView(BuiltInRules())


class JudgingFold:
    """The rules in force and the expectations declared, at any place in the log."""

    __slots__ = ("_declared", "_expected", "_rules")

    def __init__(self) -> None:
        self._rules: Ledger[RulesView] = Ledger()
        self._declared: Declared | None = None
        self._expected: Ledger[tuple[Rule, str]] = Ledger()

    def at(self, position: int) -> RulesView:
        """The rules in force at `position`."""
        return self._rules.last_at(position) or BUILT_IN

    def expected(self, position: int) -> list[tuple[Rule, str]]:
        """The expectations declared by `position`, each as the rule that judges it and as the script wrote it."""
        return list(self._expected.upto(position))

    def rules_declared(self, moment: Moment, body: RulesDeclared) -> Mark:
        """The run's own file of rules."""
        view = _read(body.text, body.name or "its own rules")
        self._rules.add(moment.position, _with(view, [rule for rule, _ in self._expected.entries]))
        kind, glyph = ("problem", "!") if view.refused else ("event", "◆")
        return Mark(moment.time, moment.step, kind, glyph, view.said, jump=False)  # type: ignore[arg-type]

    def expectation_declared(self, moment: Moment, body: ExpectationDeclared) -> Mark | None:
        """One more expectation; None where it is known, or is none."""
        from bedside_protocol.alerts.expecting import Declared  # only here: few scripts expect anything

        self._declared = self._declared or Declared()
        rule = self._declared.take(body)
        if rule is None:
            return None
        rule = replace(rule, title=safe(f"expected {body.text}", _LONGEST_TITLE))
        self._expected.add(moment.position, (rule, body.text))
        self._rules.add(moment.position, _with(self.at(moment.position), [rule]))
        return Mark(moment.time, moment.step, "event", "◆", f"the script expects {body.text}", jump=False)


def _with(view: RulesView, rules: Sequence[Rule]) -> RulesView:
    """The rules of expectations among the others."""
    return replace(view, rules={**view.rules, **{rule.name: rule for rule in rules}})


def _read(text: str, name: str) -> RulesView:
    """A file of rules; where it cannot be read, the built-in ones, and why."""
    from bedside_protocol.alerts.rule_file import RuleFileError, read_rules  # only here: few runs have a file

    try:
        file = read_rules(text, name)
    except RuleFileError as error:
        return RulesView(BUILT_IN.rules, file=name, refused=safe(error.slips[0], 300))
    done = {origin: tuple(rule for rule, what in file.origins.items() if what == origin) for origin in ("changed", "added", "off")}
    return RulesView({rule.name: rule for rule in reversed(file.rules)}, name, done["changed"], done["added"], done["off"])
