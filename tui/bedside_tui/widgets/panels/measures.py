"""Quantities that are a few numbers each: as a table of what each number is called and means, some with one picture.

Divergence, contribution, similarity, parameter, schedule, ratio, success.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bedside_tui.draw import number
from bedside_tui.draw.cells import Style
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, fit, line
from bedside_tui.widgets.panels.blocks import Block, stacked, still
from bedside_tui.widgets.panels.facts import Fact, fact_lines, others
from bedside_tui.widgets.panels.given import Floats, scalar, vector
from bedside_tui.widgets.panels.pictures import line_chart
from bedside_tui.widgets.panels.under_cursor import Under

CHART = 7
"""Rows that a chart with its heading needs."""


def _flag(value: float) -> str:
    return "yes" if value else "no"


def _amber(value: float) -> Tone:
    return "amber" if value > 0 else "strong"


DIVERGENCE = (
    Fact("kl", "KL(p‖q)", "nats; 0 where both say the same"),
    Fact("entropy_p", "entropy of p", "nats; lower is surer"),
    Fact("entropy_q", "entropy of q", "nats"),
    Fact("agreement", "agreement", "rows with the same likeliest class", number.percent),
    Fact("rows", "rows", "compared", number.count),
    Fact("infinite", "infinite", "rows with a KL beyond all numbers", number.count, _amber, only_if=True),
)

CONTRIBUTION = (
    Fact("ratio", "adds", "norm of what it adds / of the rest", number.percent),
    Fact("inactive", "must be identity", "as declared, until later", _flag),
    Fact("early", "too early", "what it adds though it must not", number.percent, _amber),
)

SIMILARITY = (
    Fact("cosine", "cosine", "mean over pairs; 1 is all alike"),
    Fact("pearson", "correlation", "mean over pairs"),
    Fact("l2", "distance", "Euclidean, mean over pairs"),
    Fact("variance", "variance", "over the vectors"),
    Fact("rank", "effective rank", "directions the vectors really use"),
    Fact("vectors", "vectors", "compared", number.count),
)

PARAMETER = (
    Fact("mean", "mean", ""),
    Fact("std", "std", ""),
    Fact("expected_std", "std, expected", "by its initialisation"),
    Fact("std_ratio", "std / expected", "1 is as expected"),
    Fact("norm", "norm", ""),
    Fact("norm_ratio", "norm / other", "to what it is compared with"),
    Fact("distance", "distance", "Euclidean, to the other"),
    Fact("relative", "distance, relative", "to the norm of the other", number.percent),
    Fact("cosine", "cosine", "with the other; 1 is parallel"),
)

SCHEDULE = (
    Fact("value", "value", "as logged"),
    Fact("declared", "declared", "for this step"),
    Fact("deviation", "off by", "of the declared", number.percent, lambda value: "amber" if value > 0.05 else "strong"),
    Fact("deviation_max", "off by at most", "so far", number.percent),
)

SUCCESS = (
    Fact("rate", "succeeded", "of the last 100", number.percent),
    Fact("normal", "normally", "median of earlier windows", number.percent),
    Fact("drop", "below normal", "", number.percent, lambda value: "amber" if value > 0.1 else "strong"),
    Fact("count", "tries", "so far", number.count),
)

RATIO = (
    Fact("now", "now", "at the last step of both"),
    Fact("avg50", "mean of 50", ""),
    Fact("avg100", "mean of 100", ""),
    Fact("ratio_of_means", "ratio of means", "beside the mean of ratios"),
    Fact("mean_of_ratios", "mean of ratios", ""),
    Fact("lowest", "lowest", ""),
    Fact("peak", "peak", ""),
    Fact("equal", "distance from 1", "|mean log ratio| + 1.7 SE"),
    Fact("count", "steps", "with both values", number.count),
)

Lines = Sequence[tuple[str, str, Style]]
Panel = Callable[[ProbeView, Frame, int, int], list[Line]]


def _charted(probe: ProbeView, frame: Frame, width: int, title: str, drawn: Lines, level: float | None = None) -> list[Block]:
    """The trajectories as one chart, each (array, word, colour) named in its heading; `level` is a quiet line across.

    `title` ends in ` · first … last`, the names of the ends of its axis; `{n}` in it is the number of values. Where the steps of the values
    are known, they are read at the cursor.
    """
    there = [(values, word, tone) for name, word, tone in drawn if (values := vector(probe, name)) is not None]
    if not there or width < 24:
        return []
    longest = max(len(values) for values, _, _ in there)
    curves: list[tuple[Floats, Style]] = [(np.full(longest, level), "rule")] if level is not None and longest > 1 else []
    curves += [(values, tone) for values, _, tone in there]
    said, _, ends = title.format(n=number.count(longest), last=number.count(longest - 1)).partition(" · ")
    first, _, last = ends.partition(" … ")
    steps = vector(probe, "step")
    under = Under(steps, frame.cursor) if steps is not None and len(steps) == longest and frame.cursor is not None else None
    at = f"  ┃ step {number.count(under.step)}" if under is not None and under.step is not None else ""
    head = line((f"   {said}{at}", "quiet"), *(span for values, word, tone in there for span in named(values, word, tone, under)))
    rulers = under.rulers if under is not None else ()

    def chart(given: int) -> list[Line]:
        return [fit(head, width), *line_chart(curves, frame, width, given - 1, first=first, last=last, rulers=rulers)]

    return [Block(chart, CHART, 16)]


def named(values: Floats, word: str, tone: Style, under: Under | None) -> Line:
    """What a line is called, and what it is worth at the cursor: `   ━ value ┃ 0.40 Δ -0.12`."""
    name = line((f"   ━ {word}", tone)) if word else ()
    found = under.value(values) if under is not None else None
    if found is None:
        return name
    return (*name, *line((f" ┃ {number.value(found.value)}", "strong"), (f" {found.less}" if found.less else "", "second")))


def numbers(facts: Sequence[Fact], title: str = "", drawn: Lines = (), level: float | None = None) -> Panel:
    """A panel that is a table of facts, then whatever else was measured, and where there are trajectories their chart."""

    def panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
        rows = fact_lines(probe, frame, [*facts, *others(probe, facts)], width)
        first = [Block(lambda given: rows[:given], min(len(rows), max(1, height // 2)), len(rows))] if rows else []
        return stacked([*first, *_charted(probe, frame, width, title, drawn, level)], height)

    return panel


divergence_panel = numbers(DIVERGENCE)
contribution_panel = numbers(CONTRIBUTION)
similarity_panel = numbers(SIMILARITY, "cosine, frame by frame · frame 0 … {last}", (("cosine", "", "curve"),))
parameter_panel = numbers(PARAMETER)
schedule_panel = numbers(SCHEDULE, "so far · start … now", (("declared", "declared", "second"), ("value", "value", "curve")))
success_panel = numbers(SUCCESS)


def ratio_verdict(probe: ProbeView) -> tuple[str, str, Tone]:
    """(glyph, words, tone): whether the ratio is what was declared to be success, and whether both are the same."""
    success, strong = scalar(probe, "success"), scalar(probe, "strong")
    equal = scalar(probe, "equal")
    if equal is not None and equal < 0.01:
        return "▲", "both are the same", "amber"
    if success is None or math.isnan(success):
        return " ", "no success declared", "quiet"
    if success > 0:
        return "●", "works, strongly" if strong is not None and strong > 0 else "works", "ok"
    return "◌", "does not work yet", "plain"


def ratio_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """What it amounts to in words, the share of steps above 1 with its interval, the curve about 1, and the numbers."""
    glyph, words, tone = ratio_verdict(probe)
    above, low, high = (scalar(probe, name) for name in ("above", "above_low", "above_high"))
    share = f"   above 1 in {number.percent(above)} of steps" if above is not None else ""
    interval = f" (95 %: {number.percent(low)} … {number.percent(high)})" if low is not None and high is not None else ""
    head = fit(line(" ", (f" {glyph}", tone), f" {words}", (f"{share}{interval}", "quiet")), width)
    said = ("above", "above_low", "above_high", "success", "strong")
    rows = fact_lines(probe, frame, [*RATIO, *others(probe, RATIO, said)], width)
    title = "the last {n} steps, and the line at 1 · {n} steps ago … now"
    chart = _charted(probe, frame, width, title, (("ratio", "", "curve"),), 1.0)
    return stacked([still([head]), Block(lambda given: rows[:given], min(3, len(rows)), len(rows)), *chart], height)
