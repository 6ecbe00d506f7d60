"""A comparison for scripts. Runs are known by their letters; a number that JSON cannot say is null."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from bedside_protocol.records import Scalar
from bedside_tui.compare.alerts import AlertRow
from bedside_tui.compare.checkpoints import Quantity, Row, Table
from bedside_tui.compare.comparison import Comparison
from bedside_tui.compare.curves import Shared, columns_of
from bedside_tui.compare.runs import LETTERS, Run
from bedside_tui.draw.axes import Axes

POINTS: Final = 400
"""Points of a curve at most: means over equal stretches of steps or of time."""


def to_json(comparison: Comparison, metrics: Sequence[Shared], axes: Axes) -> dict[str, Any]:
    """The documented object of `compare --json`; curves of these metrics."""
    found = comparison.configuration
    return {
        "runs": [_run(run) for run in comparison.runs],
        "by": axes.axis,
        "metrics": [_metric(metric) for metric in comparison.metrics],
        "curves": [_curve(metric, place, axes) for metric in metrics for place in range(len(metric.views)) if metric.views[place]],
        "configuration": {
            "differences": [
                {
                    "section": each.section,
                    "key": each.key,
                    "values": {LETTERS[place]: _scalar(value) for place, value in each.values.items()},
                }
                for each in found.differences
            ],
            "same": found.same,
        },
        "checkpoints": _checkpoints(comparison.checkpoints),
        "alerts": [_alert(row) for row in comparison.alerts],
    }


def _run(run: Run) -> dict[str, Any]:
    view, told = run.view, run.view.run
    return {
        "letter": run.letter,
        "id": told.id if told else "",
        "name": told.name if told else "",
        "project": told.project if told else "",
        "lifecycle": view.lifecycle,
        "reason": view.reason,
        "step": view.step,
        "seconds": view.time,
        "verdict": run.verdict,
    }


def _metric(metric: Shared) -> dict[str, Any]:
    there = [place for place, view in enumerate(metric.views) if view is not None]
    newest, all_records = metric.newest, metric.records
    records = [(place, all_records[place]) for place in there]
    return {
        "name": metric.name,
        "direction": metric.direction,
        "last": {LETTERS[place]: _number(newest[place]) for place in there},
        "best": {LETTERS[place]: _number(record[1]) for place, record in records if record is not None},
        "best_step": {LETTERS[place]: record[0] for place, record in records if record is not None},
        "best_last": _letters(metric.best_newest),
        "best_of_all": _letters(metric.best_record),
    }


def _curve(metric: Shared, place: int, axes: Axes) -> dict[str, Any]:
    view = metric.views[place]
    assert view is not None
    columns = columns_of(view, POINTS, axes)
    there = columns.count > 0
    return {
        "metric": metric.name,
        "run": LETTERS[place],
        "at": columns.start[there].tolist(),
        "mean": [_number(value) for value in columns.mean[there].tolist()],
    }


def _checkpoints(table: Table) -> dict[str, Any]:
    return {
        "quantities": [_quantity(each, best) for each, best in zip(table.quantities, table.best, strict=True)],
        "rows": [_row(row, table.quantities) for row in table.rows],
    }


def _quantity(quantity: Quantity, best: Iterable[int]) -> dict[str, Any]:
    return {
        "name": quantity.name,
        "probe": quantity.probe,
        "scalar": quantity.scalar,
        "direction": quantity.direction,
        "best": sorted(best),
    }


def _row(row: Row, quantities: Sequence[Quantity]) -> dict[str, Any]:
    measured = zip(quantities, row.values, strict=True)
    return {
        "run": LETTERS[row.place],
        "step": row.step,
        "path": row.path,
        "suspect_of": row.suspect_of or None,
        "values": {quantity.name: _number(value) for quantity, value in measured if value is not None},
    }


def _alert(row: AlertRow) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "target": row.target,
        "title": row.title,
        "runs": {
            LETTERS[place]: {"severity": each.severity, "step": each.step, "stands": each.stands, "episodes": each.episodes}
            for place, each in row.runs.items()
        },
    }


def _letters(places: Iterable[int]) -> list[str]:
    return [LETTERS[place] for place in sorted(places)]


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _scalar(value: Scalar) -> Scalar:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
