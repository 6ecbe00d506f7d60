"""What a file tells of a run beside its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bedside_protocol.records import Scalar


@dataclass(frozen=True, slots=True)
class About:
    """Each is empty or None where the file does not tell it."""

    name: str = ""
    project: str = ""
    begun: float | None = None
    """The second of the epoch at which the run began."""
    config: Mapping[str, Scalar] = field(default_factory=dict)
    exit_code: int | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know."""
