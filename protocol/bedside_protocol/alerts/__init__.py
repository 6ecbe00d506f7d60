"""Rules over a run's log: what is wrong with a training, since when, how bad it is, and what to look at next."""

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.judge import EXIT_CODES, Finding, Judgement, Verdict, judge
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.alerts.runbooks import RUNBOOKS, Runbook

__all__ = ["DEFAULT_RULES", "EXIT_CODES", "RUNBOOKS", "Engine", "Finding", "Judgement", "Rule", "Runbook", "Verdict", "judge"]
