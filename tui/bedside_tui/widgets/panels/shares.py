"""How values are spread: over a range, over places, over classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bedside_tui.draw import number
from bedside_tui.draw.bar import bar
from bedside_tui.draw.profile import cells_of
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, fit, line, pad, pad_left
from bedside_tui.widgets.panels.blocks import Block, short, stacked, still
from bedside_tui.widgets.panels.facts import Fact, fact_lines, others
from bedside_tui.widgets.panels.given import Floats, array, flat, known, names, scalar, vector
from bedside_tui.widgets.panels.pictures import profile_lines

MANY = 0.01
"""Share of the targets from which a class that is never predicted is missing."""

QUANTILES = ("q01", "q05", "q25", "q50", "q75", "q95", "q99")

DISTRIBUTION = (
    Fact("count", "values", "counted", number.count),
    Fact("nonfinite", "not finite", "left out of the rest", number.count, lambda value: "amber" if value else "strong"),
    Fact("mean", "mean"),
    Fact("std", "std"),
)


def distribution_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The histogram with its quantiles where they lie, a row of their values, then the rest."""
    said = ("min", "max", *QUANTILES)
    facts = fact_lines(probe, frame, [*DISTRIBUTION, *others(probe, DISTRIBUTION, said)], width)
    counts = vector(probe, "values")
    blocks = [still(_quantile_rows(probe, width), 2)]
    if counts is not None:
        blocks.insert(0, Block(lambda given: _spread(probe, counts, frame, width, given), 4, 14))
    return stacked([*blocks, still(facts)], height)


def _spread(probe: ProbeView, counts: Floats, frame: Frame, width: int, height: int) -> list[Line]:
    low, high = scalar(probe, "min"), scalar(probe, "max")
    lines = profile_lines(
        "values in each of the equal bins", counts, frame, width, height - 1,
        first=number.value(low), last=number.value(high), write=number.count,
    )  # fmt: skip
    cells = cells_of(counts.size, max(1, width - 3))
    return [*lines[:-1], line("   ", (_marks(probe, low, high, cells), "quiet")), *lines[-1:]]


def _marks(probe: ProbeView, low: float | None, high: float | None, width: int) -> str:
    """`├──┤` from the 5 % to the 95 % quantile, the quarters as `┼`, the middle as `●`, under the bins."""
    if not (known(low) and known(high)) or low is None or high is None or not low < high or width < 3:
        return " " * width
    cells = [" "] * width

    def place(name: str) -> int | None:
        value = scalar(probe, name)
        if value is None or not math.isfinite(value):
            return None
        return min(width - 1, max(0, int((value / 2 - low / 2) / (high / 2 - low / 2) * width)))

    first, last = place("q05"), place("q95")
    if first is not None and last is not None and first <= last:
        cells[first : last + 1] = "─" * (last + 1 - first)
    for name, mark in (("q05", "├"), ("q95", "┤"), ("q25", "┼"), ("q75", "┼"), ("q50", "●")):
        if (at := place(name)) is not None:
            cells[at] = mark
    return "".join(cells)


def _quantile_rows(probe: ProbeView, width: int) -> list[Line]:
    there = [(name, value) for name in ("min", *QUANTILES, "max") if (value := scalar(probe, name)) is not None]
    titles = {"min": "least", "max": "most", **{name: f"{int(name[1:])} %" for name in QUANTILES}, "q50": "middle"}
    fits = there if 3 + 10 * len(there) <= width else [entry for entry in there if entry[0] in ("min", "q05", "q50", "q95", "max")]
    if not fits:
        return []
    return [
        fit(line(("   " + "".join(pad_left(titles[name], 10) for name, _ in fits), "quiet")), width),
        fit(line("   ", *((pad_left(number.value(value), 10), "strong" if name == "q50" else "plain") for name, value in fits)), width),
    ]


# --- per index

PER_INDEX = (
    Fact("first", "first third", "mean"),
    Fact("last", "last third", "mean"),
    Fact("later_worse", "last / first", "above 1: later is larger"),
    Fact("trend", "trend", "rank correlation with the place"),
    Fact("count", "values", "counted", number.count),
)


def per_index_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The mean at each place as bars, from the first to the last, then what that amounts to."""
    facts = fact_lines(probe, frame, [*PER_INDEX, *others(probe, PER_INDEX)], width)
    found = array(probe, "profile")
    if found is None:
        return stacked([still(facts)], height)
    values = flat(found)
    labels = names(found.labels, values.size)
    block = Block(
        lambda given: profile_lines("mean at each place", values, frame, width, given, first=labels[0], last=labels[-1]), 4, 12
    )  # fmt: skip
    return stacked([block, still(facts)], height)


# --- class balance

CLASSES = (
    Fact("accuracy", "accuracy", "", number.percent),
    Fact("predicted_max", "largest class", "share of the predictions", number.percent),
    Fact("effective", "classes predicted", "effective number, by entropy"),
    Fact("target_effective", "classes given", "effective number, by entropy"),
    Fact("effective_ratio", "predicted / given", "1 is as diverse as the targets", number.percent),
    Fact("missing", "missing", "classes of ≥ 1 % never predicted", number.count, lambda value: "amber" if value else "strong"),
    Fact("observed", "observed", "in the window", number.count),
)


def class_balance_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """For each class how often it is the target and how often it is predicted, as a pair of bars; then the sums."""
    facts = fact_lines(probe, frame, [*CLASSES, *others(probe, CLASSES)], width)
    target, predicted = array(probe, "target"), array(probe, "predicted")
    if target is None or predicted is None:
        return stacked([still(facts)], height)
    shares = [_shares(flat(target)), _shares(flat(predicted))]
    count = max(len(part) for part in shares)
    shares = [np.pad(part, (0, count - len(part))) for part in shares]
    labels = names(target.labels or predicted.labels, count, "class")
    block = Block(lambda given: _pairs(labels, shares[0], shares[1], frame, width, given), min(4, count + 1), count + 1)
    return stacked([block, still(facts)], height)


def _shares(counts: Floats) -> Floats:
    kept = np.where(np.isfinite(counts) & (counts > 0), counts, 0.0)
    top = float(kept.max())
    return kept / top / float((kept / top).sum()) if top > 0 else kept


def _pairs(labels: Sequence[str], target: Floats, predicted: Floats, frame: Frame, width: int, height: int) -> list[Line]:
    """Both bars of a class on one scale; of more classes than rows the most different first."""
    rows = max(0, height - 1)
    there = [at for at in range(len(labels)) if target[at] > 0 or predicted[at] > 0]
    order = there if len(there) + (len(there) < len(labels)) <= rows else _most_different(target, predicted)[: max(0, rows - 1)]
    top = float(max(target.max(), predicted.max())) or 1.0
    label = min(max([8, *(len(labels[at]) for at in order)]), max(6, width // 4))
    room = max(0, min(32, (width - 3 - label - 23) // 2))
    lines = [fit(line((f"   {pad('class', label)} {pad_left('target', 8)}  {' ' * room} {pad_left('predicted', 9)}", "quiet")), width)]
    for at in order:
        never = predicted[at] <= 0 and target[at] >= MANY
        tone: Tone = "amber" if never else "curve"
        words = "never" if never and room >= 6 else ""
        lines.append(fit(line(
            f"   {pad(short(labels[at], label), label)} ", pad_left(number.percent(float(target[at])), 8), " ",
            (bar(float(target[at]) / top, room, ascii=frame.ascii), "quiet"), "  ",
            (pad_left(number.percent(float(predicted[at])), 9), "amber" if never else "strong"), " ",
            (words or bar(float(predicted[at]) / top, room, ascii=frame.ascii), tone),
        ), width))  # fmt: skip
    if len(order) < len(there):
        lines.append(line((f"   +{number.count(len(labels) - len(order))} more classes; most different first", "quiet")))
    elif len(there) < len(labels):
        lines.append(line((f"   {number.count(len(labels) - len(there))} classes are neither given nor predicted", "quiet")))
    return lines


def _most_different(target: Floats, predicted: Floats) -> list[int]:
    return [int(at) for at in np.argsort(-np.abs(target - predicted), kind="stable")]
