"""What an import has made, for who asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bedside_protocol.alerts.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has made, and of what. `records` where whole records were read, else `values` of `metrics`."""

    id: str
    log: Path
    form: str
    verdict: Verdict
    records: int = 0
    values: int = 0
    metrics: int = 0
    first_step: int = 0
    last_step: int = 0
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know: what was put in order, what times are."""
    left_out: Mapping[str, int] = field(default_factory=dict)
