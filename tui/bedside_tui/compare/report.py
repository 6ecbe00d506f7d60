"""A comparison whole: as lines for a terminal or a file, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedside_tui.compare.comparison import Comparison
from bedside_tui.compare.curves import Shared, common, overlaid, said_of
from bedside_tui.compare.grids import alert_grid, checkpoint_grid, configuration_grid, metric_grid, run_grid
from bedside_tui.compare.lines import Cell, Grid, plain, rule
from bedside_tui.compare.parts import alert_lines, checkpoint_lines, configuration_lines, metric_lines, run_lines
from bedside_tui.compare.shortening import short
from bedside_tui.draw import number
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.cells import Line

NO_CHART = 'the chart needs the extra "tui": pip install "bedside[tui]"'


def shown_first(comparison: Comparison) -> tuple[Shared, ...]:
    """The metric whose chart is shown where nobody names one: the first that runs have in common."""
    return common(comparison.metrics)[:1]


def report(
    comparison: Comparison,
    metrics: Sequence[Shared],
    size: tuple[int, int],
    axes: Axes,
    *,
    charts: bool = True,
    ascii: bool = False,
    whole: bool = False,
) -> list[Line]:
    """Everything as lines of at most `size[0]` cells: the runs, a chart of `size[1]` lines for each of the metrics, and the tables.
    `charts`: whether what draws them is installed. `whole`: every row of the tables, however many."""
    runs, width = comparison.runs, size[0]
    lines = run_lines(runs, metrics[0] if metrics else None, width, ascii=ascii)
    if not metrics:
        lines += [[], [("   these runs have no metric in common", "quiet")]]
    for metric in metrics:
        lines += [[], rule(metric.name, width, said_of(axes))]
        lines += overlaid(runs, metric, width, size[1], axes, ascii=ascii) if charts else [[(f"   {NO_CHART}", "quiet")]]
        lines += _left_out(comparison, metric)
    parts = (
        (f"metrics · {_in_common(comparison)}", metric_lines(runs, comparison.metrics, width, ascii=ascii, whole=whole)),
        (_differing(comparison), configuration_lines(runs, comparison.configuration, width, ascii=ascii, whole=whole)),
        ("probes and metrics at checkpoints", checkpoint_lines(runs, comparison.checkpoints, width, ascii=ascii, whole=whole)),
        ("alerts", alert_lines(runs, comparison.alerts, width, ascii=ascii, whole=whole)),
    )
    return [*lines, *(line for title, part in parts for line in ([], rule(title, width), *part))]


def _left_out(comparison: Comparison, metric: Shared) -> list[Line]:
    """The runs that have no such metric."""
    without = [run.letter for run, view in zip(comparison.runs, metric.views, strict=True) if view is None]
    return [[(f"   {' '.join(without)}: never logged", "quiet")]] if without else []


def _in_common(comparison: Comparison) -> str:
    return f"{number.count(len(common(comparison.metrics)))} of {number.count(len(comparison.metrics))} in common"


def _differing(comparison: Comparison) -> str:
    found = comparison.configuration
    return f"configuration · {number.count(len(found.differences))} of {number.count(len(found.differences) + found.same)} keys differ"


def markdown(
    comparison: Comparison, metrics: Sequence[Shared], size: tuple[int, int], axes: Axes, *, charts: bool = True, whole: bool = False
) -> str:
    """The same as a page: tables, the best in bold, and the charts as blocks of text."""
    return "\n".join(_pages(comparison, metrics, size, axes, charts, whole))


def _pages(
    comparison: Comparison, metrics: Sequence[Shared], size: tuple[int, int], axes: Axes, charts: bool, whole: bool
) -> Iterator[str]:
    runs = comparison.runs
    yield f"# {number.count(len(runs))} runs compared\n"
    yield from _table(run_grid(runs, metrics[0] if metrics else None))
    for metric in metrics if charts else ():
        yield f"\n## {_escaped(metric.name)} · {said_of(axes)}\n\n```"
        yield plain(overlaid(runs, metric, *size, axes))
        yield "```"
    yield f"\n## Metrics · {_in_common(comparison)}\n"
    yield from _long_table(metric_grid(runs, comparison.metrics), whole)
    yield f"\n## {_differing(comparison).capitalize()}\n"
    yield from _long_table(configuration_grid(runs, comparison.configuration), whole)
    yield "\n## Probes and metrics at checkpoints\n"
    yield from _long_table(checkpoint_grid(runs, comparison.checkpoints), whole, newest=True)
    yield "\n## Alerts\n"
    yield from _long_table(alert_grid(runs, comparison.alerts), whole)


def _long_table(grid: Grid, whole: bool, *, newest: bool = False) -> Iterator[str]:
    """A table, shortened unless it is wanted whole, with what it then does without."""
    kept = short(grid, newest=newest)
    yield from _table(grid if whole else kept.grid)
    if kept.said and not whole:
        yield f"\n{kept.said}"


def _table(grid: Grid) -> Iterator[str]:
    """A grid as a Markdown table; a sentence where it is empty."""
    if not grid.columns or not grid.labels.cells:
        yield "none"
        return
    heads = [f"{column.group}: {column.head.text}" if column.group else column.head.text for column in grid.columns]
    yield _row([grid.labels.head.text, *heads])
    yield _row(["---", *(["---:"] * len(heads))])
    for at, label in enumerate(grid.labels.cells):
        yield _row([_escaped(label.text), *(_written(column.cells[at]) for column in grid.columns)])


def _written(cell: Cell) -> str:
    text = _escaped(cell.text)
    return f"**{text}**" if cell.best else text


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{char}" if char in "\\|*_`<[" else char for char in text)
