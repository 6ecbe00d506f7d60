"""By which rules the run is judged, and what its script expects: the run's own file of rules and its expectations, as the log has them.

A file that this version cannot read changes nothing: the built-in rules speak on, and why is said. What the rules find is in `alerts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.expecting import Declared
from bedside_protocol.alerts.rule_file import RuleFileError, read_rules
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.records import ExpectationDeclared, RulesDeclared
from bedside_protocol.sanitise import text as safe
from bedside_tui.store.ledger import Ledger, Moment
from bedside_tui.store.rules import RulesView
from bedside_tui.store.view import Mark

_LONGEST_TITLE: Final = 60

BUILT_IN: Final = RulesView({rule.name: rule for rule in reversed(DEFAULT_RULES)})


class JudgingFold:
    """The rules in force and the expectations declared, at any place in the log."""

    __slots__ = ("_declared", "_expected", "_rules")

    def __init__(self) -> None:
        self._rules: Ledger[RulesView] = Ledger()
        self._declared = Declared()
        self._expected: Ledger[tuple[Rule, str]] = Ledger()

    def at(self, position: int) -> RulesView:
        """The rules in force at `position`."""
        return self._rules.last_at(position) or BUILT_IN

    def expected(self, position: int) -> list[tuple[Rule, str]]:
        """The expectations declared by `position`, each as the rule that judges it and as the script wrote it."""
        return list(self._expected.upto(position))

    def rules_declared(self, moment: Moment, body: RulesDeclared) -> Mark:
        """The run's own file of rules."""
        name = body.name or "its own rules"
        try:
            view = _read(body.text, name)
        except RuleFileError as error:
            view = RulesView(BUILT_IN.rules, file=name, refused=safe(error.slips[0], 300))
        self._rules.add(moment.position, _with(view, [rule for rule, _ in self._expected.entries]))
        kind, glyph = ("problem", "!") if view.refused else ("event", "◆")
        return Mark(moment.time, moment.step, kind, glyph, view.said, jump=False)  # type: ignore[arg-type]

    def expectation_declared(self, moment: Moment, body: ExpectationDeclared) -> Mark | None:
        """One more expectation; None where it is known, or is none."""
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
    """Raises `RuleFileError`."""
    file = read_rules(text, name)
    done = {origin: tuple(rule for rule, what in file.origins.items() if what == origin) for origin in ("changed", "added", "off")}
    return RulesView({rule.name: rule for rule in reversed(file.rules)}, name, done["changed"], done["added"], done["off"])
