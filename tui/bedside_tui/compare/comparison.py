"""Several runs compared: the one value that the command line, the screen and scripts are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bedside_tui.compare.alerts import AlertRow, alert_rows
from bedside_tui.compare.checkpoints import Table, checkpoint_table
from bedside_tui.compare.configuration import Configuration, configuration
from bedside_tui.compare.curves import Shared, shared_metrics
from bedside_tui.compare.runs import Run, lettered_runs
from bedside_tui.store.view import View


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is said of runs side by side; each of them is known by its place."""

    runs: tuple[Run, ...]
    metrics: tuple[Shared, ...]
    configuration: Configuration
    checkpoints: Table
    alerts: tuple[AlertRow, ...]


def compare(views: Sequence[View]) -> Comparison:
    """The runs in this order. Raises `ValueError` for more of them than have letters."""
    runs = lettered_runs(views)
    return Comparison(runs, shared_metrics(runs), configuration(runs), checkpoint_table(runs), alert_rows(runs))
