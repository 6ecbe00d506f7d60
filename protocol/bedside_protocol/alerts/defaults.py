"""The rules every run is judged by, in the order in which they are looked at: a cause before what it causes."""

from __future__ import annotations

from typing import Final

from bedside_protocol.alerts.defaults_curves import CURVE_RULES
from bedside_protocol.alerts.defaults_job import JOB_RULES
from bedside_protocol.alerts.defaults_model import LOOP_RULES, WEIGHT_RULES
from bedside_protocol.alerts.defaults_outputs import CODEBOOK_RULES, LIKENESS_RULES, PREDICTION_RULES, ROLLOUT_RULES
from bedside_protocol.alerts.rules import Rule

DEFAULT_RULES: Final[tuple[Rule, ...]] = (
    *CURVE_RULES,
    *CODEBOOK_RULES,
    *WEIGHT_RULES,
    *LOOP_RULES,
    *PREDICTION_RULES,
    *ROLLOUT_RULES,
    *LIKENESS_RULES,
    *JOB_RULES,
)
