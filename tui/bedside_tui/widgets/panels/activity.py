"""What happens between the layers: where attention looks, and which units still answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bedside_tui.draw import number
from bedside_tui.draw.heatmap import Range
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, fit, line, pad, pad_left
from bedside_tui.widgets.panels.blocks import Block, exactly, short, stacked, still, without_common
from bedside_tui.widgets.panels.facts import Fact, fact_lines, others, small_bar
from bedside_tui.widgets.panels.given import Floats, array, flat, grid, names
from bedside_tui.widgets.panels.pictures import heat_lines

ATTENTION = (
    Fact("entropy", "entropy", "mean; 1 looks at all keys alike"),
    Fact("entropy_min", "sharpest head", "entropy"),
    Fact("entropy_max", "flattest head", "entropy"),
    Fact("largest", "largest weight", "mean over the queries"),
    Fact("logit", "largest logit", "before the softmax"),
    Fact("rows", "rows", "of queries, read", number.count),
    Fact("keys", "keys", "allowed to a query, mean"),
    Fact("uniform", "uniform heads", "share with entropy above 0.98", number.percent, lambda value: "amber" if value > 0.5 else "strong"),
    Fact("invalid", "invalid rows", "that do not sum to 1", number.count, lambda value: "amber" if value else "strong"),
)

SHARE = Range(0.0, 1.0)
MATRICES: tuple[tuple[str, str, Range | None], ...] = (
    ("entropy", "entropy by head", SHARE),
    ("largest", "largest weight", SHARE),
    ("logit", "largest logit", None),
)
"""(array, title, range of its shades)."""

LEAST_MAP = 18
"""Cells that a map beside another needs for its legend."""


def attention_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Layer × head maps side by side, then the numbers over the run."""
    maps = [(title, found, within) for name, title, within in MATRICES if (found := array(probe, name)) is not None]
    facts = fact_lines(probe, frame, [*ATTENTION, *others(probe, ATTENTION)], width)
    if not maps:
        return stacked([still(facts)], height)
    values = [grid(found) for _, found, _ in maps]
    rows = max(len(part) for part in values)
    first = maps[0][1]
    label = min(max([0, *(len(name) for name in without_common(first.rows))]), max(4, width // 5)) + 1
    shown = [short(name, label - 1) for name in without_common(names(first.rows, rows, "layer"))]
    across = max(1, min(len(maps), (width - 3 - label) // (LEAST_MAP + 3)))
    each = (width - 3 - label) // across - 3

    def drawn(given: int) -> list[Line]:
        lines: list[Line] = [()] * given
        for place, ((title, found, within), matrix) in enumerate(zip(maps[:across], values, strict=False)):
            own = label if place == 0 else 0
            heads = list(found.labels) or [str(at) for at in range(matrix.shape[1])]
            part = heat_lines(
                title, matrix, frame, each + own, given, rows=shown if place == 0 else (), columns=heads,
                within=within, label=own, widest=4,
            )  # fmt: skip
            lines = [(*one, Span("   "), *two) for one, two in zip(lines, exactly(part, each + own, given), strict=True)]
        return lines

    return stacked([Block(drawn, min(5, rows + 3), rows + 3), still(facts)], height)


ACTIVATIONS = (
    Fact("dead", "dead units", "share of all, in the window", number.percent),
    Fact("dead_max", "worst module", "share of its units that are dead", number.percent),
    Fact("saturated", "saturated", "share of all outputs at an end", number.percent),
    Fact("saturated_max", "worst module", "share of its outputs at an end", number.percent),
    Fact("rank_min", "least rank", "effective rank / width, the worst module", number.percent),
)

SHARES = (("dead", "dead"), ("saturated", "saturated"), ("rank", "rank"))
VALUES = (("mean", "mean"), ("std", "std"))


def activations_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """A row a module: shares as bars, then mean and standard deviation; below, the worst of all over the run."""
    tables = {name: flat(found) for name, _ in (*SHARES, *VALUES) if (found := array(probe, name)) is not None}
    facts = fact_lines(probe, frame, [*ACTIVATIONS, *others(probe, ACTIVATIONS)], width)
    if not tables:
        return stacked([still(facts)], height)
    first = next(found for name, _ in (*SHARES, *VALUES) if (found := array(probe, name)) is not None)
    count = max(len(values) for values in tables.values())
    labels = names(first.labels, count, "module")
    block = Block(lambda given: _modules(tables, labels, frame, width, given), min(4, count + 1), count + 1)
    return stacked([block, still(facts)], height)


def _modules(tables: dict[str, Floats], labels: Sequence[str], frame: Frame, width: int, height: int) -> list[Line]:
    count = len(labels)
    rows = max(0, height - 1)
    order = list(range(count)) if count <= rows else _worst_first(tables, count)[: max(0, rows - 1)]
    shown = without_common(labels)
    label = min(max([10, *(len(shown[at]) for at in order)]), max(8, width // 4))
    shares = [(name, title) for name, title in SHARES if name in tables]
    room = width - 3 - label - 22 - 11 * len(shares)
    bar = min(12, max(0, room // max(1, len(shares)))) if room > 0 else 0
    head = "".join(pad(pad_left(title, 10), 11 + bar) for _, title in shares) + "".join(
        pad_left(title, 10) for name, title in VALUES if name in tables
    )
    lines = [fit(line((f"   {pad('module', label)}{head}", "quiet")), width)]
    for at in order:
        spans: list[Span] = [Span(f"   {pad(short(shown[at], label), label)}")]
        for name, _ in shares:
            spans += _share(name, _at(tables[name], at), bar, frame)
        spans += [Span(pad_left(number.value(_at(tables[name], at)), 10)) for name, _ in VALUES if name in tables]
        lines.append(fit(tuple(spans), width))
    if len(order) < count:
        lines.append(line((f"   +{number.count(count - len(order))} more modules; worst first", "quiet")))
    return lines


def _share(name: str, value: float, bar: int, frame: Frame) -> list[Span]:
    """A percentage and its bar. A unit that is dead or saturated is worth looking at, a rank is not by itself."""
    wrong = name != "rank" and value > 0.5
    tone: Tone = "amber" if wrong else "plain"
    return [Span(pad_left(number.percent(value), 10), tone), Span(" "), small_bar(value, bar, frame, "amber" if wrong else "curve")]


def _at(values: Floats, place: int) -> float:
    return float(values[place]) if place < len(values) else math.nan


def _worst_first(tables: dict[str, Floats], count: int) -> list[int]:
    """By the larger of the shares of dead and saturated, then by the least rank."""
    bad = np.zeros(count)
    for name in ("dead", "saturated"):
        values = np.nan_to_num(tables.get(name, np.zeros(0)), nan=1.0, posinf=1.0, neginf=0.0)
        bad[: len(values)] = np.maximum(bad[: len(values)], values)
    rank = np.ones(count)
    ranks = np.nan_to_num(tables.get("rank", np.zeros(0)), nan=0.0)
    rank[: len(ranks)] = ranks
    return [int(at) for at in np.lexsort((rank, -bad))]
