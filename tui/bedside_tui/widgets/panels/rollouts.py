"""What a model does on its own: rollouts frame by frame, and which of its inputs it listens to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bedside_protocol.records import Array
from bedside_tui.draw import number
from bedside_tui.draw.profile import profile
from bedside_tui.draw.sparkline import sparkline
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, fit, line, pad, pad_left
from bedside_tui.widgets.panels.blocks import Block, heading, sentence, short, stacked, still
from bedside_tui.widgets.panels.facts import Fact, bar_lines, fact_lines
from bedside_tui.widgets.panels.given import Floats, array, flat, names, scalar, scalars_under, texts, under
from bedside_tui.widgets.panels.pictures import axis_ends, columns_of

LOST_RED, LOST_AMBER = 0.5, 0.2
"""Share of codes lost in one step from which a rollout is collapsed, or on its way: fewer than half, or than four fifths, are left."""

REFERENCE = "reference"
APART = 0.25
"""Share of a row that stays free above the highest bar, so that one multiple ends before the next begins."""
TEXT = 38
"""Cells of what is said of a variant, before its picture."""

SUMMARY = (
    Fact("collapse", "collapse", "codes lost in one step, worst variant", number.percent, lambda value: lost_tone(value, "strong")),
    Fact("best", "best variant", "loses so many", number.percent),
)


def lost_tone(share: float, calm: Tone = "plain") -> Tone:
    """How bad it is to lose this share of the codes in one step."""
    return "red" if share > LOST_RED else "amber" if share > LOST_AMBER else calm


def rollout_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Unique codes of each frame for every variant on one scale, real frames last; then what else was measured per frame."""
    codes = [(name, flat(found)) for name, found in under(probe, "codes")]
    codes.sort(key=lambda entry: entry[0] == REFERENCE)
    facts = fact_lines(probe, frame, SUMMARY, width)
    blocks = []
    if codes:
        blocks.append(Block(lambda given: _variants(probe, codes, frame, width, given), min(2, len(codes) + 1),
                            (2 if height < 32 else 4) * len(codes) + 2))  # fmt: skip
    blocks += [still(facts)]
    extra = _per_frame(probe)
    if extra:
        blocks.append(Block(lambda given: _extras(extra, frame, width, given), min(3, len(extra) + 1), len(extra) + 1))
    said = [row for name in texts_of(probe) for row in sentence(f"{name}: {', '.join(texts(probe, name)[:6])}", width)]
    return stacked([*blocks, still(said)], height)


def texts_of(probe: ProbeView) -> list[str]:
    """The names of the lists of texts that are not empty."""
    return [name for name, found in probe.snapshot.texts.items() if found] if probe.snapshot is not None else []


def _variants(probe: ProbeView, codes: Sequence[tuple[str, Floats]], frame: Frame, width: int, height: int) -> list[Line]:
    """A multiple a variant: what it is and lost in words, its codes as bars; all bars on one scale."""
    finite = [value for _, values in codes for value in values.tolist() if math.isfinite(value)]
    top = max(finite, default=0.0)
    text = min(TEXT, max(12, width * 2 // 5))
    room = max(1, width - 3 - text - 2)
    shown = min(len(codes), max(1, height - 1))
    each = max(1, min(4, (height - 2) // max(1, shown)))
    axis = height > shown * each + 1
    frames = max(len(values) for _, values in codes)
    lines = [heading(f"{pad('codes at frame 0 → 1 → later', text)}  the highest bar is {number.count(top)} codes", width)]
    for name, values in codes[:shown]:
        said = _said(probe, name, text, each)
        drawn = profile(values, room, each, top=top * each / (each - APART) if each > 1 else top, ascii=frame.ascii)
        tone: Tone = "quiet" if name == REFERENCE else "curve"
        lines += [(*fit(row, 3 + text), Span("  "), Span(bars, tone)) for row, bars in zip(said, drawn, strict=True)]
    if axis:
        wide = len(drawn[-1]) if codes else 0
        lines.append(line((" " * (5 + text) + axis_ends("frame 0", str(frames - 1), wide), "quiet")))
    return lines


def _said(probe: ProbeView, name: str, width: int, rows: int) -> list[Line]:
    """`argmax  91 % lost` and below `430 → 38, then 31`; on one line where there is only one."""
    parts = [scalars_under(probe, part).get(name) for part in ("first", "second", "rest")]
    lost = scalars_under(probe, "collapse").get(name)
    path = ""
    if parts[0] is not None and parts[1] is not None:
        path = f"{number.count(parts[0])} → {number.count(parts[1])}" + (f" → {number.count(parts[2])}" if parts[2] is not None else "")
    label = min(16, max(6, width - 12))
    if name == REFERENCE:
        mean = scalar(probe, REFERENCE)
        head = line(f"   {pad('real frames', label)} ", (f"mean {number.count(mean)}" if mean is not None else "", "quiet"))
    else:
        tone = lost_tone(lost if lost is not None else math.nan)
        glyph = {"red": "✖", "amber": "▲"}.get(tone, " ")
        figure = f"{glyph} {pad_left(number.percent(lost), 6)} lost" if lost is not None else ""
        head = line(f"   {pad(short(name, label), label)} ", (figure, tone))
    below = [line((f"   {' ' * label}   {path}", "quiet"))] if path else []
    if rows == 1:
        return [head if width < TEXT or not path else (*head, Span(f"  {path}", "quiet"))]
    return [head, *below, *([()] * rows)][:rows]


def _per_frame(probe: ProbeView) -> list[tuple[str, Array]]:
    """Trajectories of other quantities, `SCALAR/VARIANT`."""
    arrays = probe.snapshot.arrays if probe.snapshot is not None else {}
    return [(name, found) for name, found in arrays.items() if not name.startswith("codes/") and found.values.size
            and found.meaning == "trajectory" and found.values.dtype.kind in "biuf"]  # fmt: skip


def _extras(extra: Sequence[tuple[str, Array]], frame: Frame, width: int, height: int) -> list[Line]:
    """One line each, from frame to frame: first, last, and the way between."""
    label = min(max([14, *(len(name) for name, _ in extra)]), max(8, width // 3))
    room = max(0, min(60, width - 3 - label - 26))
    lines = [heading(f"{pad('frame by frame', label)} {pad_left('first', 10)} {pad_left('last', 10)}", width)]
    shown = len(extra) if len(extra) <= height - 1 else max(0, height - 2)
    for name, found in extra[:shown]:
        values = flat(found)
        drawn = sparkline(columns_of(values, 2 * room), room, ascii=frame.ascii) if room >= 6 else ""
        numbers = f"{pad_left(number.value(float(values[0])), 10)} {pad_left(number.value(float(values[-1])), 10)}"
        lines.append(line(f"   {pad(short(name.replace('/', ' '), label), label)} {numbers}  ", (drawn, "curve")))
    if shown < len(extra):
        lines.append(line((f"   +{number.count(len(extra) - shown)} more", "quiet")))
    return lines


# --- sensitivity


def sensitivity_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """How much the output moves when one input is changed: a bar an input, what is ignored, and the declared ratios."""
    blocks = [still([row for said in texts(probe, "quiet") for row in sentence(said, width, "◌", "quiet", most=4)])]
    ignored = texts(probe, "ignored")
    if ignored:
        blocks.append(still(sentence(f"ignored: {', '.join(ignored[:12])}", width, "▲", "amber", most=2)))
    labels, values = _effects(probe)
    if values.size:
        head = heading("change of the output when one input is changed, as a share of the output", width)
        least = min(3, values.size + 1)

        def tone(value: float) -> Tone:
            return "curve"

        blocks.append(Block(
            lambda given: [head, *bar_lines(labels, values, width, given - 1, frame, what="inputs", tones=tone)], least, values.size + 1,
        ))  # fmt: skip
    ratios = [Fact(f"ratio/{name}", name, "effect of one to the other") for name in scalars_under(probe, "ratio")]
    rest = [Fact(name, f"effect of {name[7:]}") for name in probe.scalars if name.startswith("effect/")] if not values.size else []
    blocks.append(
        still(fact_lines(probe, frame, [*ratios, *rest, Fact("ignored", "ignored", "inputs that change next to nothing")], width))
    )
    return stacked(blocks, height)


def _effects(probe: ProbeView) -> tuple[list[str], Floats]:
    """Inputs and their effects, the largest first."""
    found = array(probe, "effect")
    if found is not None:
        values = flat(found)
        labels = names(found.labels, values.size, "input")
    else:
        scalars = scalars_under(probe, "effect")
        labels, values = list(scalars), np.array(list(scalars.values()), np.float64)
    order = np.argsort(-np.nan_to_num(values, nan=-1.0, posinf=1e300), kind="stable").tolist()
    return [labels[at] for at in order], values[order]
