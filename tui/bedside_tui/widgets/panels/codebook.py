"""A codebook from inside: how many codes live, how evenly, which ones, and since when."""

from __future__ import annotations

import math
from bisect import bisect_right
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from bedside_tui.cursor import Cursor
from bedside_tui.draw import number
from bedside_tui.draw.histogram import histogram
from bedside_tui.draw.strip import strip
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Span, beside, filled, fit, line, pad, pad_left
from bedside_tui.widgets.metrics import at_cursor
from bedside_tui.widgets.panels.blocks import stacked, still
from bedside_tui.widgets.panels.facts import Fact, fact_lines
from bedside_tui.widgets.panels.given import array, flat, is_numbers, names, scalar
from bedside_tui.widgets.spark import GLYPHS, by_severity

FEWEST_ROWS = 5
"""Rows below which the pictures are left out and only the numbers stay."""

HEALTHY_USAGE, HEALTHY_PERPLEXITY = 0.8, 600 / 1024
"""Shares of the codes that a healthy codebook uses, and that its perplexity is, after warm-up."""


SPACE = (
    Fact("overlap", "overlap", "of the codes used with those before", number.percent),
    Fact("nearest", "nearest", "mean distance to the nearest used code"),
    Fact("distance", "distance", "mean, between used codes"),
)
"""What is measured of the codes as vectors, and of the set in use from snapshot to snapshot."""

NEAR = 7
"""Cells of the distance to the nearest other code."""


def codebook_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Numbers with what they were at best; the sorted usage; the codes used most; usage over time, a row a stretch of steps.

    Where there is room: the heads of a codebook that has several, and how far the codes are from each other.
    """
    usage = _usage(probe)
    lines = [_numbers(probe, frame.cursor, width)]
    if usage is None or height < FEWEST_ROWS:
        return stacked([still(lines), still(fact_lines(probe, frame, SPACE, width)), still(_heads(probe, width))], height)
    more = [*_heads(probe, width), *fact_lines(probe, frame, SPACE, width)]
    more = more[: max(0, (height - 10) // 2)]
    height -= len(more) + (1 if more else 0)
    lines.append(())
    room = height - len(lines) - 1
    over_time = min(64, max(20, width * 2 // 5)) if width >= 64 else 0
    left_width = width - over_time - (2 if over_time else 0)
    left = _sorted_and_top(usage, _near(probe), frame, left_width, room)
    if over_time:
        right = _over_time(probe, frame, over_time, room)
        lines += beside(left, right, left_width, "  ")
    else:
        lines += left
    return [*filled(lines, height - 1), _expected(probe, frame, width), *([(), *more] if more else [])]


def codebook_size(probe: ProbeView) -> int:
    """How many codes there are, by declaration or measurement; 0 where neither says."""
    for size in (probe.settings.get("size"), scalar(probe, "size")):
        if isinstance(size, int | float) and math.isfinite(size) and size > 0:
            return int(size)
    return 0


def _heads(probe: ProbeView, width: int) -> list[Line]:
    """What each head uses, where there are several: `head  0  1  2`."""
    found = {title: flat(heads) for name, title in (("used_by_head", "used"), ("perplexity_by_head", "perplexity"))
             if (heads := array(probe, name)) is not None}  # fmt: skip
    if not found:
        return []
    count = max(len(values) for values in found.values())
    given = array(probe, "used_by_head") or array(probe, "perplexity_by_head")
    labels = names(given.labels if given is not None else (), count)
    fits = max(1, (width - 16) // 9)
    lines = [line((f"   {pad('head', 12)}{''.join(pad_left(label, 9) for label in labels[:fits])}", "quiet"))]
    for title, values in found.items():
        lines.append(
            line(f"   {pad(title, 12)}", ("".join(pad_left(number.count(value), 9) for value in values[:fits].tolist()), "strong"))
        )
    if count > fits:
        lines[0] = fit((*lines[0], Span(f" +{number.count(count - fits)}", "quiet")), width)
    return lines


def _usage(probe: ProbeView) -> NDArray[np.float64] | None:
    found = array(probe, "usage")
    return flat(found) if found is not None else None


def _numbers(probe: ProbeView, cursor: Cursor | None, width: int) -> Line:
    """`used 41 (8 %)  was 448 @ 9,000    perplexity 18.2  was 391    dead 471`; with a cursor, what each was there."""
    size = codebook_size(probe)
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    tone: Tone = probe.badge if probe.badge in ("red", "amber") else "strong"
    used, perplexity, dead = (scalars.get(name) for name in ("used", "perplexity", "dead"))
    share = f" ({number.percent(used / size)})" if used is not None and size else ""
    row = line(
        "   used ", (f"{number.count(used)}{share}", tone), *_before(probe, "used", cursor, where=True),
        "   perplexity ", (number.value(perplexity), tone), *_before(probe, "perplexity", cursor),
        "   dead ", (number.count(dead), tone), *_before(probe, "dead", cursor),
    )  # fmt: skip
    return fit(row, width)


def _before(probe: ProbeView, name: str, cursor: Cursor | None, *, where: bool = False) -> Line:
    """What it was at the cursor; without one, what it was at best."""
    if cursor is None:
        return line((_best(probe, name, where=where) if name != "dead" else "", "quiet"))
    return line((f" {at_cursor(probe.scalars[name], cursor)}" if name in probe.scalars else "", "plain"))


def _best(probe: ProbeView, name: str, *, where: bool = False) -> str:
    """What it was at best, where it is no longer."""
    history = probe.scalars.get(name)
    best = history.highest if history is not None else None
    if history is None or best is None or not best[1] > history.last[2] * 1.05:
        return ""
    return f"  was {number.count(best[1])}{f' @ {number.count(best[0])}' if where else ''}"


def _sorted_and_top(usage: NDArray[np.float64], near: dict[str, float], frame: Frame, width: int, height: int) -> list[Line]:
    """The histogram, and beside it the most used codes with their share."""
    table_width = (18 + (NEAR if near else 0)) if width >= 44 else 0
    bars = width - table_width - 3 - (2 if table_width else 0)
    picture = [line("   ", (row, "curve")) for row in histogram(usage, bars, max(1, height - 2), ascii=frame.ascii)]
    left = [line(("   usage, sorted", "quiet")), *picture, line((f"   {_axis(len(usage), bars)}", "quiet"))]
    if not table_width:
        return left
    return beside(left, _top_codes(usage, near, height), 3 + bars, "  ")


def _axis(size: int, width: int) -> str:
    """`codes by use →     512`, the number under the last bar."""
    label, end = "codes by use →", number.count(size)
    return pad(label, width - len(end)) + end if width > len(label) + len(end) else pad(label, width)


def _near(probe: ProbeView) -> dict[str, float]:
    """The distance of a code, by its number, to the nearest other used one."""
    found = array(probe, "near")
    return dict(zip(found.labels, flat(found).tolist(), strict=False)) if found is not None else {}


def _top_codes(usage: NDArray[np.float64], near: dict[str, float], height: int) -> list[Line]:
    total = float(usage[np.isfinite(usage)].sum())
    rows: list[Line] = [line((f"  code     share{pad_left('near', NEAR) if near else ''}", "quiet"))]
    order = np.argsort(-np.nan_to_num(usage, nan=-1.0, neginf=-1.0, posinf=-1.0), kind="stable")
    for code in order[: max(0, height - 2)].tolist():
        if not usage[code] > 0:
            break
        away = pad_left(number.value(near[str(code)]) if str(code) in near else "", NEAR) if near else ""
        share = number.percent(float(usage[code]) / total)
        rows.append(line(f"  #{pad(str(code), 6)}", (pad_left(share, 7), "strong"), (away, "quiet")))
    return rows


def _over_time(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Usage over time as shades: a row a stretch of steps, codes in their own order from left to right."""
    label = 9
    snapshots = [snapshot for snapshot in probe.snapshots if "usage" in snapshot.arrays and is_numbers(snapshot.arrays["usage"])]
    rows = strip(
        [snapshot.step for snapshot in snapshots], [snapshot.arrays["usage"].values for snapshot in snapshots],
        width - label - 1, max(1, height - 1), ascii=frame.ascii,
    )  # fmt: skip
    each = f", a row = {number.count(rows[1][0] - rows[0][0])} steps" if len(rows) > 1 else ""
    lines: list[Line] = [line((f" over time{each}", "quiet"))]
    fired = {bisect_right(rows, firing.step, key=itemgetter(0)): GLYPHS[firing.badge] for firing in by_severity(probe.fired)}
    under = bisect_right(rows, frame.cursor.at.step, key=itemgetter(0)) if frame.cursor is not None else 0
    for place, (step, shades) in enumerate(rows, start=1):
        here = place == under
        mark = fired.get(place, ("┃", "strong") if here else " ")
        lines.append(line((pad_left(number.count(step), label), "cursor" if here else "quiet"), mark, (shades, "curve")))
    return lines


def _expected(probe: ProbeView, frame: Frame, width: int) -> Line:
    size = codebook_size(probe)
    if not size:
        return ()
    text = f"   expected after warm-up: ≥ {number.count(HEALTHY_USAGE * size)} used, perplexity ≥ {number.count(HEALTHY_PERPLEXITY * size)}"
    return fit(line((text, "quiet")), width)
