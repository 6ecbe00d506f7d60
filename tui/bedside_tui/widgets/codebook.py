"""A codebook from inside: how many codes live, how evenly, which ones, and since when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bedside_tui.draw import number
from bedside_tui.draw.histogram import histogram
from bedside_tui.draw.strip import strip
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, beside, filled, fit, line, pad, pad_left
from bedside_tui.widgets.vitals import codebook_size

FEWEST_ROWS = 5
"""Rows below which the pictures are left out and only the numbers stay."""

HEALTHY_USAGE, HEALTHY_PERPLEXITY = 0.8, 600 / 1024
"""Shares of the codes that a healthy codebook uses, and that its perplexity is, after warm-up."""


def codebook_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Numbers with what they were at best; the sorted usage; the codes used most; usage over time, a row a stretch of steps."""
    usage = _usage(probe)
    lines = [_numbers(probe, width)]
    if usage is None or height < FEWEST_ROWS:
        return lines
    lines.append(())
    room = height - len(lines) - 1
    over_time = min(64, max(20, width * 2 // 5)) if width >= 64 else 0
    left_width = width - over_time - (2 if over_time else 0)
    left = _sorted_and_top(usage, frame, left_width, room)
    if over_time:
        right = _over_time(probe, frame, over_time, room)
        lines += beside(left, right, left_width, "  ")
    else:
        lines += left
    return [*filled(lines, height - 1), _expected(probe, frame, width)]


def _usage(probe: ProbeView) -> NDArray[np.float64] | None:
    array = probe.snapshot.arrays.get("usage") if probe.snapshot is not None else None
    if array is None or not array.values.size:
        return None
    return np.asarray(array.values, dtype=np.float64).reshape(-1)


def _numbers(probe: ProbeView, width: int) -> Line:
    """`used 41 (8 %)  was 448 @ 9,000    perplexity 18.2  was 391    dead 471`."""
    size = codebook_size(probe)
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    tone: Tone = probe.badge if probe.badge in ("red", "amber") else "strong"
    used, perplexity, dead = (scalars.get(name) for name in ("used", "perplexity", "dead"))
    share = f" ({number.percent(used / size)})" if used is not None and size else ""
    row = line(
        "   used ", (f"{number.count(used)}{share}", tone), "   perplexity ", (number.value(perplexity), tone),
        "   dead ", (number.count(dead), tone), (_bests(probe), "quiet"),
    )  # fmt: skip
    return fit(row, width)


def _bests(probe: ProbeView) -> str:
    """What it was at best, where it is no longer."""
    said = []
    for name in ("used", "perplexity"):
        history = probe.scalars.get(name)
        best = history.highest if history is not None else None
        if history is not None and best is not None and best[1] > history.last[2] * 1.05:
            said.append(f"{name} {number.count(best[1])} @ {number.count(best[0])}")
    return f"   was {', '.join(said)}" if said else ""


def _sorted_and_top(usage: NDArray[np.float64], frame: Frame, width: int, height: int) -> list[Line]:
    """The histogram, and beside it the most used codes with their share."""
    table_width = 18 if width >= 46 else 0
    bars = width - table_width - 3 - (2 if table_width else 0)
    picture = [line("   ", (row, "curve")) for row in histogram(usage, bars, max(1, height - 2), ascii=frame.ascii)]
    left = [line(("   usage, sorted", "quiet")), *picture, line((f"   {_axis(len(usage), bars)}", "quiet"))]
    if not table_width:
        return left
    return beside(left, _top_codes(usage, height), 3 + bars, "  ")


def _axis(size: int, width: int) -> str:
    """`codes by use →     512`, the number under the last bar."""
    label, end = "codes by use →", number.count(size)
    return pad(label, width - len(end)) + end if width > len(label) + len(end) else pad(label, width)


def _top_codes(usage: NDArray[np.float64], height: int) -> list[Line]:
    total = float(usage[np.isfinite(usage)].sum())
    rows: list[Line] = [line(("  code     share", "quiet"))]
    order = np.argsort(-np.nan_to_num(usage, nan=-1.0, neginf=-1.0, posinf=-1.0), kind="stable")
    for code in order[: max(0, height - 2)].tolist():
        if not usage[code] > 0:
            break
        rows.append(line(f"  #{pad(str(code), 6)}", (pad_left(number.percent(float(usage[code]) / total), 7), "strong")))
    return rows


def _over_time(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Usage over time as shades: a row a stretch of steps, codes in their own order from left to right."""
    label = 9
    snapshots = [snapshot for snapshot in probe.snapshots if "usage" in snapshot.arrays]
    rows = strip(
        [snapshot.step for snapshot in snapshots], [snapshot.arrays["usage"].values for snapshot in snapshots],
        width - label - 1, max(1, height - 1), ascii=frame.ascii,
    )  # fmt: skip
    each = f", a row = {number.count(rows[1][0] - rows[0][0])} steps" if len(rows) > 1 else ""
    lines: list[Line] = [line((f" over time{each}", "quiet"))]
    return lines + [(Span(f"{pad_left(number.count(step), label)} ", "quiet"), Span(shades, "curve")) for step, shades in rows]


def _expected(probe: ProbeView, frame: Frame, width: int) -> Line:
    size = codebook_size(probe)
    if not size:
        return ()
    text = f"   expected after warm-up: ≥ {number.count(HEALTHY_USAGE * size)} used, perplexity ≥ {number.count(HEALTHY_PERPLEXITY * size)}"
    return fit(line((text, "quiet")), width)
