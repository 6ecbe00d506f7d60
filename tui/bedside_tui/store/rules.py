"""What judges a run, as values: its rules with their names, and what its script expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bedside_protocol.records import Severity
from bedside_protocol.sanitise import text

if TYPE_CHECKING:
    from bedside_protocol.alerts.rules import Rule


@dataclass(frozen=True, slots=True)
class RulesView:
    """The rules that judge: the first of each name, and what the run's own file did to the built-in ones."""

    rules: Mapping[str, Rule]
    file: str = ""
    """The name of that file, empty where the run has none."""
    changed: Sequence[str] = ()
    added: Sequence[str] = ()
    off: Sequence[str] = ()
    refused: str = ""
    """Why the file could not be read here, empty where it could; what it says is then not known."""

    def title(self, rule: str) -> str:
        """What a rule is called."""
        known = self.rules.get(rule)
        return text(known.title) if known else rule.replace("-", " ").replace("_", " ")

    @property
    def said(self) -> str:
        """`judged by mine.toml: 3 changed, 1 added`; empty where the built-in rules judge."""
        if self.refused:
            return f"{self.file} cannot be read by this version: rules are called by their built-in names ({self.refused})"
        counts = ((len(self.changed), "changed"), (len(self.added), "added"), (len(self.off), "off"))
        what = ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing changed"
        return f"judged by {self.file}: {what}" if self.file else ""


@dataclass(frozen=True, slots=True)
class ExpectationView:
    """What the script expects of a metric, in its own words, and how that stands."""

    text: str
    rule: str
    """The name of the rule that judges it."""
    metric: str
    """The metric it was judged on first, empty before that."""
    severity: Severity
    state: Literal["met", "not yet", "broken"]
    said: str
    """The finding where it is broken, why it is not known yet, empty where it is met."""
