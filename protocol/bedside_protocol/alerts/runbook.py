"""What a runbook is: what to do about one kind of alarm, in words and key presses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runbook:
    """`look` pairs a key of the viewer with what it shows; causes and fixes come most likely first."""

    title: str
    what: str
    why: tuple[str, ...]
    look: tuple[tuple[str, str], ...]
    fixed: tuple[str, ...]
