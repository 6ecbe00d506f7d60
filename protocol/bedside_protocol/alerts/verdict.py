"""What is said of a run in one word, and what a script is told of it. No rule is known here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["ok", "amber", "red", "unknown"]

EXIT_CODES: Final[Mapping[Verdict, int]] = MappingProxyType({"ok": 0, "amber": 1, "red": 2, "unknown": 3})
"""What `check` exits with; 3 also when there is nothing to read."""
