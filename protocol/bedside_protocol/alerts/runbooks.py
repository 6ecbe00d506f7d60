"""What to do about an alarm: for each rule what it means, what usually causes it, where to look next and what fixed it for others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bedside_protocol.alerts.runbook import Runbook
from bedside_protocol.alerts.runbooks_curves import CURVE_RUNBOOKS
from bedside_protocol.alerts.runbooks_job import JOB_RUNBOOKS
from bedside_protocol.alerts.runbooks_model import MODEL_RUNBOOKS
from bedside_protocol.alerts.runbooks_outputs import OUTPUT_RUNBOOKS
from bedside_protocol.alerts.runbooks_user import USER_RUNBOOKS

__all__ = ["RUNBOOKS", "Runbook"]

RUNBOOKS: Final[Mapping[str, Runbook]] = MappingProxyType(
    {**CURVE_RUNBOOKS, **MODEL_RUNBOOKS, **OUTPUT_RUNBOOKS, **JOB_RUNBOOKS, **USER_RUNBOOKS}
)
