"""The metrics that runs have in common, and their curves on one pair of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bedside_protocol.columns import Columns
from bedside_protocol.records import Direction
from bedside_tui.compare.best import best
from bedside_tui.compare.runs import Run
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.cells import Line, Pin
from bedside_tui.draw.chart import Curve, chart, reads
from bedside_tui.store.view import MetricView


@dataclass(frozen=True, slots=True)
class Shared:
    """One metric of several runs; `views` has None for a run that never logged it."""

    name: str
    views: tuple[MetricView | None, ...]

    @property
    def runs(self) -> int:
        """How many have it."""
        return sum(view is not None for view in self.views)

    @property
    def direction(self) -> Direction | None:
        """Which way is better, by the first run that knows."""
        return next((view.direction for view in self.views if view is not None and view.direction is not None), None)

    @property
    def unit(self) -> str:
        return next((view.unit for view in self.views if view is not None and view.unit), "")

    @property
    def newest(self) -> tuple[float | None, ...]:
        """The last value of each run."""
        return tuple(None if view is None else view.value for view in self.views)

    @property
    def records(self) -> tuple[tuple[int, float] | None, ...]:
        """(step, value) of the best of each run; None where no direction is known or nothing finite was logged."""
        return tuple(None if view is None else self._record(view) for view in self.views)

    def _record(self, view: MetricView) -> tuple[int, float] | None:
        return {"down": view.history.lowest, "up": view.history.highest}.get(self.direction or "")

    def at(self, step: int) -> tuple[tuple[int, float] | None, ...]:
        """The (step, value) of each run at or before a step; None where nothing had been logged by then."""
        return tuple(None if view is None else view.history.value_at(step) for view in self.views)

    @property
    def best_newest(self) -> frozenset[int]:
        """The runs whose last value is the best; none where all are equal."""
        return self._best(self.newest)

    @property
    def best_record(self) -> frozenset[int]:
        """The runs that were ever the best; none where all were as good."""
        return self._best([None if record is None else record[1] for record in self.records])

    def _best(self, values: Sequence[float | None]) -> frozenset[int]:
        found = best(values, self.direction)
        return found if len(found) < sum(value is not None for value in values) else frozenset()


def said_of(axes: Axes) -> str:
    """How curves of several runs are read: `by step · log axis`."""
    along = "by step" if axes.axis == "step" else "by time since the start"
    return " · ".join(part for part in (along, replace(axes, axis="step").said) if part)


def shared_metrics(runs: Sequence[Run]) -> tuple[Shared, ...]:
    """All metrics, those that more runs have first, else in the order of the first run that has them."""
    known = [{metric.name: metric for metric in run.view.metrics} for run in runs]
    names = dict.fromkeys(name for metrics in known for name in metrics)
    found = [Shared(name, tuple(metrics.get(name) for metrics in known)) for name in names]
    return tuple(sorted(found, key=lambda metric: -metric.runs))


def common(metrics: Sequence[Shared]) -> tuple[Shared, ...]:
    """Those that at least two runs have."""
    return tuple(metric for metric in metrics if metric.runs > 1)


def called(metrics: Sequence[Shared], words: Sequence[str]) -> tuple[list[Shared], list[str]]:
    """The metrics of these names or globs, each once, and the words that no metric is called."""
    chosen: dict[str, Shared] = {}
    unknown = []
    for word in words:
        exact = [metric for metric in metrics if metric.name == word]
        found = exact or [metric for metric in metrics if fnmatchcase(metric.name, word)]
        chosen |= {metric.name: metric for metric in found}
        if not found:
            unknown.append(word)
    return list(chosen.values()), unknown


def columns_of(metric: MetricView, width: int, axes: Axes) -> Columns:
    """A metric's curve: the mean of each column. Lows and highs would cover the other runs with noise."""
    columns = metric.history.columns(width, axis=axes.axis, smoothing=axes.smoothing)
    return replace(columns, low=columns.mean, high=columns.mean)


def overlaid(
    runs: Sequence[Run], metric: Shared, width: int, height: int, axes: Axes, rulers: Sequence[Pin] = (), *, ascii: bool = False
) -> list[Line]:
    """The chart of one metric with all runs that have it, the first on top: exactly `height` lines of `width` cells."""
    drawn = [
        Curve(columns_of(view, reads(width), axes), run.style, run.letter)
        for run, view in zip(runs, metric.views, strict=True)
        if view is not None
    ]
    return chart(drawn[::-1], width, height, log=axes.log, rulers=rulers, whole=True, ascii=ascii)
