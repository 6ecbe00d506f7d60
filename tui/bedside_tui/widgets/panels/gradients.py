"""How a model learns: the gradient and update of each layer, now and over the run; and what is wrong with the loop itself."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bedside_tui.cursor import Cursor
from bedside_tui.draw import number
from bedside_tui.draw.heatmap import Range, over_time, range_of
from bedside_tui.store.view import Firing, ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, fit, line, pad, pad_left
from bedside_tui.widgets.panels.blocks import Block, exactly, sentence, short, stacked, still, without_common
from bedside_tui.widgets.panels.facts import Fact, fact_lines, others
from bedside_tui.widgets.panels.given import Floats, array, flat, is_numbers, names, scalar, texts
from bedside_tui.widgets.panels.pictures import heat_lines
from bedside_tui.widgets.spark import GLYPHS, by_severity

IDLE = (
    ("none", "no gradient"),
    ("zero", "gradient exactly zero"),
    ("unowned", "in no optimizer"),
    ("unchanged", "pushed, yet unchanged"),
)
"""Lists of parameters that do not learn, and why."""

SUMS = (
    Fact("norm", "gradient", "norm over all parameters"),
    Fact("update_ratio_median", "update", "to weight, median; 0.001 is usual"),
    Fact("update_ratio_max", "largest update", "to weight"),
    Fact("clip", "clipped", "at this norm"),
    Fact("nonfinite", "not finite", "tensors", number.count, lambda value: "red", only_if=True),
)

MOST_SNAPSHOTS = 2_000
"""Snapshots a picture over time is made of: of more every 2nd, 4th, … is read, so that drawing stays quick in a long run."""

NUMBERS = 22
"""Cells of the two numbers beside the map."""


def gradients_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Parameters that do not learn, each layer's norm and update with its past as a heat map, and the sums over the run."""
    norms = array(probe, "layer_norm")
    layers = len(flat(norms)) if norms is not None else 0
    facts = fact_lines(probe, frame, SUMS, width)
    blocks = [still(_idle_lines(probe, width))]
    if layers:
        blocks.append(Block(lambda given: _layers(probe, frame, width, given), min(4, layers + 2), layers + 2))
    blocks.append(still(facts if layers else [*facts, *fact_lines(probe, frame, others(probe, SUMS), width)]))
    return stacked(blocks, height)


def _idle_lines(probe: ProbeView, width: int) -> list[Line]:
    lines: list[Line] = []
    for key, words in IDLE:
        if found := texts(probe, key):
            listed = f"{number.count(len(found))} {words}: {', '.join(found[:12])}{' …' if len(found) > 12 else ''}"
            lines += sentence(listed, width, "▲", "amber", most=2)
    return lines


def _layers(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """`layer  gradient  update` of each, and on the right how the gradient went, all on one scale."""
    norms = array(probe, "layer_norm")
    if norms is None:
        return []
    values = flat(norms)
    labels = names(norms.labels, values.size, "layer")
    folded = values.size > height - 2
    label = min(max([8, *(len(name) for name in without_common(labels))]), max(8, width // 4))
    room = width - 3 - label - 1 - NUMBERS - 2
    left = _numbers(probe, labels, values, label, height - 2 if room >= 12 and not folded else height - 1)
    if room < 12 or folded:
        return left if room < 12 else _folded(probe, frame, labels, values, width, height)
    right = _past(probe, frame, room, height)
    return [(*row, Span("  "), *other) for row, other in zip(exactly(left, 3 + label + 1 + NUMBERS, height), right, strict=False)]


def _numbers(probe: ProbeView, labels: Sequence[str], values: Floats, label: int, rows: int) -> list[Line]:
    ratios = array(probe, "layer_update_ratio")
    by_label = dict(zip(ratios.labels, flat(ratios).tolist(), strict=False)) if ratios is not None else {}
    lines = [line((f"   {pad('layer', label)} {pad_left('gradient', 10)} {pad_left('update', 10)}", "quiet"))]
    for name, shown, value in list(zip(labels, without_common(labels), values.tolist(), strict=True))[: max(0, rows)]:
        tone: Tone = "red" if not math.isfinite(value) else "amber" if value == 0 else "strong"
        ratio = number.value(by_label[name]) if name in by_label else number.MISSING
        lines.append(
            line(f"   {pad(short(shown, label), label)} ", (pad_left(number.value(value), 10), tone), (f" {pad_left(ratio, 10)}", "plain"))
        )
    if rows < values.size:
        lines.append(line((f"   +{number.count(values.size - rows)} more layers", "quiet")))
    return lines


def _folded(probe: ProbeView, frame: Frame, labels: Sequence[str], values: Floats, width: int, height: int) -> list[Line]:
    """More layers than rows: the map of all of them, several a row, above the layers that learn most and least."""
    extremes = min(3, max(0, (height - 6) // 2))
    order = [int(at) for at in np.argsort(-np.nan_to_num(values, nan=np.inf), kind="stable")]
    chosen = [*order[:extremes], *order[len(order) - extremes :]] if extremes else []
    steps, picture = _history(probe, max(8, width - 30))
    drawn = heat_lines(
        f"gradient of {number.count(values.size)} layers since step {number.count(steps[0] if steps else 0)}", picture, frame, width,
        height - len(chosen) - (1 if chosen else 0), rows=labels, log=True, widest=3,
    )  # fmt: skip
    label = max(8, min(40, width - NUMBERS - 6))
    shown = _numbers(probe, [labels[at] for at in chosen], values[chosen], label, len(chosen)) if chosen else []
    return drawn + shown


def _past(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The map alone, its title and its legend in line with the numbers beside it."""
    steps, picture = _history(probe, width)
    each = steps[1] - steps[0] if len(steps) > 1 else 0
    title = f"a column = {number.count(each)} steps" if each else "gradient by now"
    within = range_of(picture, log=True) if picture.size else Range(0, 1)
    cell = max(1, min(6, width // max(1, len(steps))))
    drawn = heat_lines(title, picture, frame, width, height, within=within, log=True, label=0, widest=cell)
    marks = _marks(probe.fired, frame.cursor, steps, cell)
    return [_marks_over(title, marks, width), *drawn[1:]] if marks and drawn else drawn


def _marks(fired: Sequence[Firing], cursor: Cursor | None, steps: Sequence[int], cell: int) -> dict[int, tuple[str, Tone]]:
    """What stands above which cell of the map: alarms where they fired, the cursor, and what is pinned."""

    def place(step: int) -> int:
        return max(0, bisect_right(steps, step) - 1) * cell

    marks = {place(firing.step): GLYPHS[firing.badge] for firing in by_severity(fired)}
    if cursor is not None and cursor.pin is not None:
        marks.setdefault(place(cursor.pin.step), ("┊", "second"))
    if cursor is not None:
        at = place(cursor.at.step)
        marks[at] = (marks[at][0], "cursor") if at in marks else ("┃", "strong")
    return marks


def _marks_over(title: str, marks: Mapping[int, tuple[str, Tone]], width: int) -> Line:
    """The line above the map with its marks; where one would lie on the title, the title goes."""
    title = title if min(marks) > len(title) else ""
    parts: list[tuple[str, Tone]] = [(title, "quiet")]
    end = len(title)
    for place, mark in sorted(marks.items()):
        parts += [(" " * (place - end), "quiet"), mark]
        end = place + 1
    return fit(line(*parts), width)


def _history(probe: ProbeView, columns: int) -> tuple[list[int], Floats]:
    """Norms of the layers over the run: first steps of the columns, and [layers, columns]."""
    count = len(probe.snapshots)
    stride = 1 << max(0, ((count - 1) // MOST_SNAPSHOTS).bit_length())
    places = [*range(0, count - 1, stride), count - 1] if count else []
    steps, vectors = [], []
    for place in places:
        snapshot = probe.snapshots[place]
        found = snapshot.arrays.get("layer_norm")
        if found is not None and is_numbers(found):
            steps.append(snapshot.step)
            vectors.append(flat(found))
    return over_time(steps, vectors, columns) if vectors else ([], np.empty((0, 0)))


# --- structure: the loop around the model

SAME = 1e-3
"""Difference of outputs for two different inputs below which the output does not depend on the input; healthy is above 0.1."""

DETERMINISTIC = 1e-5
"""Relative difference of two evaluations of one batch that rounding alone can make."""


def structure_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """What was tried on the training loop and what came of it, a line a finding; then what the probe says in words."""
    lines = [fit(row, width) for row in _findings(probe)]
    said = [row for name, found in (probe.snapshot.texts.items() if probe.snapshot else ()) if found
            for row in sentence(f"{name.replace('_', ' ')}: {', '.join(found[:8])}", width, most=3)]  # fmt: skip
    rest = fact_lines(
        probe, frame, [*TRIED, *others(probe, TRIED, ("never_reset", "same_batch", "eval_differs", "output_difference"))], width
    )
    return stacked([still(lines), still(said), still(rest)], height)


TRIED = (
    Fact("output_difference_relative", "outputs differ", "by this share of their size", number.percent),
    Fact("output_difference_eval", "when evaluated", "mean difference of the outputs"),
    Fact("batches", "batches", "looked at", number.count),
)


class Finding(NamedTuple):
    """What came of one thing that was tried: a sentence, the number behind it, and two words for a row."""

    well: bool
    text: str
    figure: str
    short: str


def findings(probe: ProbeView) -> list[Finding]:
    """Everything that was tried, in words."""
    never, same, differs, apart = (
        scalar(probe, name) for name in ("never_reset", "same_batch", "eval_differs", "output_difference")
    )  # fmt: skip
    found = []
    if never is not None:
        text = "gradients are not reset: call optimizer.zero_grad()" if never > 0 else "gradients are reset between steps"
        found.append(Finding(not never > 0, text, "", "gradients not reset"))
    if same is not None:
        text = "the same batch came twice in a row" if same > 0 else "batches differ from step to step"
        found.append(Finding(not same > 0, text, f"{number.count(same)} times" if same > 1 else "", "same batch twice"))
    if differs is not None:
        text = "a batch evaluated twice differs: something is in train mode" if differs > DETERMINISTIC else "evaluation is deterministic"
        figure = f"{number.value(differs)} apart" if differs else ""
        found.append(Finding(not differs > DETERMINISTIC, text, figure, "evaluation differs"))
    if apart is not None:
        text = "different inputs give the same output" if apart < SAME else "different inputs give different outputs"
        found.append(Finding(not apart < SAME, text, f"{number.value(apart)} apart", "outputs all equal"))
    return found


def _findings(probe: ProbeView) -> list[Line]:
    lines = []
    for found in findings(probe):
        mark: tuple[str, Tone] = (" ●", "ok") if found.well else (" ▲", "amber")
        text: tuple[str, Tone] = (found.text, "plain" if found.well else "strong")
        lines.append(line(" ", mark, " ", text, (f"   {found.figure}" if found.figure else "", "quiet")))
    return lines or [line(("   nothing tried yet", "quiet"))]
