"""The clock on the wall: when a second of a run was, where the viewer is."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from bedside_protocol.records import RunStarted

_LATEST: Final = 4e9
"""Seconds since 1970 beyond which a time is taken for damage."""


def wall_time(run: RunStarted | None, time: float) -> datetime | None:
    """When the run was `time` seconds old; None where its recording does not say when it began."""
    if run is None or not 0 < run.wall_start < _LATEST or not 0 <= run.wall_start + time < _LATEST:
        return None
    return datetime.fromtimestamp(run.wall_start + time)
