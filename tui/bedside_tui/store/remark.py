"""The few words after a metric's sparkline: what its curve says that its last value does not.

A remark is quiet and true: it is said of metrics that have a better side (losses, rewards, accuracies, what the script says), and of any
metric whose last values are not numbers. It is computed from a history alone, so it reads the same live and in replay. Alarms are not
decided here.
"""

from __future__ import annotations

import math

import numpy as np

from bedside_protocol.records import Direction
from bedside_protocol.series import SeriesHistory
from bedside_tui.draw import number

_COLUMNS = 32
_FEWEST = 8
"""Columns with values below which nothing is said about a direction."""

_SINCE = 5
"""Columns since the lowest below which it is too early to speak of a rise."""


class Rises:
    """Since when one series rises, kept for each length at which it was judged: a few hundred in millions of points."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, int | None] = {}

    def since(self, history: SeriesHistory) -> int | None:
        """What `rising_since` says of these points of the series. They are cut to a multiple of 1/64 of their number, so that most new
        points need no new look."""
        grain = max(0, len(history).bit_length() - 6)
        judged = len(history) >> grain << grain
        if judged not in self._known:
            self._known[judged] = rising_since(history.series.upto(judged))
        return self._known[judged]


def remark(history: SeriesHistory, direction: Direction | None, rises: Rises) -> str:
    """At most about 24 characters, empty where there is nothing to say. `direction` is the better one, `rises` those of this series."""
    value = history.last[2]
    if not math.isfinite(value):
        since = history.bad_since
        return f"{number.value(value)} since {number.count(since)}" if since is not None else ""
    if direction == "down":
        since = rises.since(history)
        return f"rising since {number.count(since)}" if since is not None else _best(history.lowest)
    return _best(history.highest) if direction == "up" else ""


def _best(found: tuple[int, float] | None) -> str:
    return f"best {number.value(found[1])} @ {number.count(found[0])}" if found else ""


def rising_since(history: SeriesHistory) -> int | None:
    """The step after which the level has risen from its lowest until now; None where that cannot be said.

    Judged on the means of 32 columns. The rise must exceed 5 % of the lowest level and five times the usual change from column to
    column (noise alone reaches three), and the later half since the lowest must lie above the earlier.
    """
    columns = history.columns(_COLUMNS)
    full = np.flatnonzero(columns.count)
    if len(full) < _FEWEST:
        return None
    level = columns.mean[full] / max(float(np.abs(columns.mean[full]).max()), 1e-300)  # differences of ±1e308 overflow
    lowest = int(np.argmin(level))
    after = level[lowest:]
    if len(after) < _SINCE:
        return None
    rise = float(after[-2:].mean() - after[0])
    usual = float(np.median(np.abs(np.diff(level))))
    half = len(after) // 2
    if rise <= max(0.05 * abs(float(after[0])), 5 * usual) or np.median(after[half:]) <= np.median(after[:half]):
        return None
    return int(columns.start[full[lowest + 1]])
