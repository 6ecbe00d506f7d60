"""What a remark of the review is: something worth knowing of a run as a whole, which is never an alarm and no part of the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark: `text` is a sentence, `numbers` are those it speaks of, `look` pairs a key of the viewer with what it shows."""

    name: str
    target: str
    """The metric or probe, or `run`."""
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    look: tuple[tuple[str, str], ...] = ()
