"""The cases that are healthy and look as if they were not."""

from __future__ import annotations

from typing import Final

from bedside.cases.case import Case

HARD: Final[tuple[Case, ...]] = ()
