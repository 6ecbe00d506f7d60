"""Panels of probes, by the kind of quantity: what a codebook, the gradients or samples look like from inside."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_protocol.records import Array
from bedside_tui.draw import number
from bedside_tui.draw.image import Pixels, how_many, pictures, pictures_as_text
from bedside_tui.draw.sparkline import reads, sparkline
from bedside_tui.store.view import History, ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.codebook import codebook_panel
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Paint, Span, filled, line, pad, pad_left, rule, wrapped
from bedside_tui.widgets.status import BADGES

Pictures: TypeAlias = NDArray[np.generic]
"""[n, h, w], or [n, h, w, 3]."""


NO_NUMBER = (140, 42, 42)
"""The colour of a pixel that is NaN or infinite."""


def panel_of(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """The panel of a probe with its head, exactly `height` lines."""
    head = rule(probe_title(probe), width, *verdict_of(probe))
    if probe.snapshot is None:
        why = probe.not_checked or f"declared, not measured yet: every {number.count(probe.every)} steps"
        return filled([head, (), line((f"   {why}", "quiet"))], height)
    return filled([head, *PANELS.get(probe.kind, scalars_panel)(probe, frame, width, height - 1)], height)


def probe_title(probe: ProbeView) -> str:
    """Name and sizes: `vq · 512 codes · window of 10,240 assignments`."""
    parts = [probe.name if probe.name == probe.kind else f"{probe.kind} {probe.name}"]
    if probe.kind == "codebook":
        window = probe.snapshot.scalars.get("window") if probe.snapshot is not None else None
        size = probe.settings.get("size")
        parts += [f"{number.count(float(size))} codes"] if isinstance(size, int | float) else []
        parts += [f"window of {number.count(window)}"] if window is not None else []
    elif probe.snapshot is not None:
        parts.append(f"step {number.count(probe.snapshot.step)}")
    return " · ".join(parts)


def verdict_of(probe: ProbeView) -> tuple[str, Tone]:
    """What the rules say of it, for the end of its head."""
    glyph, tone = BADGES[probe.badge]
    words = {"red": "red", "amber": "amber", "ok": "ok", "pending": "pending", "none": probe.not_checked or "no rule judges it"}
    return f"{glyph} {words[probe.badge]}".strip(), tone


# --- gradients


def gradients_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Norm of the gradient and ratio of update to weight of each layer, with a bar for the norm on a logarithmic scale."""
    snapshot = probe.snapshot
    if snapshot is None:
        return []
    norms, ratios = snapshot.arrays.get("layer_norm"), snapshot.arrays.get("layer_update_ratio")
    lines = _idle_lines(probe, width)
    if norms is None or norms.values.ndim != 1 or not norms.values.size:
        return lines + scalars_panel(probe, frame, width, height - len(lines))
    values = norms.values.astype(float).tolist()
    by_label = dict(zip(ratios.labels, ratios.values.astype(float).reshape(-1).tolist(), strict=False)) if ratios is not None else {}
    names = [norms.labels[at] if at < len(norms.labels) else f"layer {at}" for at in range(len(values))]
    name_width = min(max(14, *(len(name) for name in names)), max(8, width // 3))
    bar_width = max(0, min(40, width - name_width - 32))
    heading = f"   {pad('layer', name_width)} {pad_left('gradient', 10)} {pad_left('update', 10)}"
    lines.append(line((f"{heading}  norm, a bar by its logarithm", "quiet")))
    room = max(0, height - len(lines))
    shown = len(values) if len(values) <= room else max(0, room - 1)
    for name, value in list(zip(names, values, strict=True))[:shown]:
        tone: Tone = "red" if not math.isfinite(value) else "amber" if value == 0 else "strong"
        ratio = number.value(by_label[name]) if name in by_label else number.MISSING
        lines.append(line(f"   {pad(name, name_width)} ", (pad_left(number.value(value), 10), tone), f" {pad_left(ratio, 10)}  ",
                          ("━" * round(_log_share(value, values) * bar_width), "curve")))  # fmt: skip
    if shown < len(values):
        lines.append(line((f"   +{len(values) - shown} more layers", "quiet")))
    if height - len(lines) >= 4:
        lines += [(), line(("   over the run", "quiet")), *scalars_panel(probe, frame, width, height - len(lines) - 2)]
    return lines


def _log_share(value: float, values: list[float]) -> float:
    """Where a norm lies between a thousandth of the largest and the largest, in decades."""
    most = max((other for other in values if math.isfinite(other)), default=0.0)
    if not math.isfinite(value) or value <= 0 or most <= 0:
        return 0.0
    return max(0.02, 1 + math.log10(value / most) / 3)


def _idle_lines(probe: ProbeView, width: int) -> list[Line]:
    """Parameters that do not learn, by name."""
    texts = probe.snapshot.texts if probe.snapshot is not None else {}
    said = (
        ("none", "no gradient"),
        ("zero", "gradient exactly zero"),
        ("unowned", "in no optimizer"),
        ("unchanged", "pushed, yet unchanged"),
    )
    lines: list[Line] = []
    for key, words in said:
        if names := texts.get(key, ()):
            listed = wrapped(f"{number.count(len(names))} {words}: {', '.join(names[:12])}", width - 8)[:2]
            lines += [line("   ", ("▲ " if not place else "  ", "amber"), text) for place, text in enumerate(listed)]
    return lines


# --- samples


def samples_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """What was given and what the model made of it, one row of pictures a name; where there are no colours, in shades."""
    groups = [(name, array.values) for name, array in _images(probe)]
    label = min(18, max([8, *(len(name) + 4 for name, _ in groups)]))
    room = width - label - 1
    if not groups or room < 8:
        return scalars_panel(probe, frame, width, height)
    target = groups[0][1]
    each = (height - 1) // len(groups) - 2
    lines: list[Line] = [()]
    for name, images in groups:
        large = _enlarged(images, room, each)
        rows = picture_rows(large, room, frame)
        for place, row in enumerate(rows):
            lines.append((Span(pad(f"   {name}" if place == len(rows) // 2 else "", label), "quiet"), *row))
        if images is not target and images.shape == target.shape:
            lines.append(_errors(target, images, large.shape[2] + 2, how_many(large, room, gap=2), label))
        lines.append(())
    return lines


def _images(probe: ProbeView) -> list[tuple[str, Array]]:
    """The picture arrays, the target first."""
    arrays = probe.snapshot.arrays if probe.snapshot is not None else {}
    found = [(name, array) for name, array in arrays.items() if array.meaning == "image" and array.values.ndim in (3, 4)]
    return sorted(found, key=lambda entry: entry[0] != "target")


def _enlarged(images: Pictures, width: int, height: int) -> Pictures:
    """Each pixel as a square, as large as leaves six pictures (or all, if fewer) side by side."""
    count, rows, columns = images.shape[:3]
    fitting = [factor for factor in range(1, 5) if -(-rows * factor // 2) <= height and min(count, 6) * (columns * factor + 2) - 2 <= width]
    factor = max(fitting, default=1)
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def picture_rows(images: Pictures, width: int, frame: Frame) -> list[Line]:
    """Pictures side by side as lines; without colours each cell is a character as bright as its two pixels."""
    if frame.ascii or not frame.colours:
        return [line((row, "plain")) for row in pictures_as_text(images, width, gap=2, ascii=frame.ascii)]
    return [tuple(_cells(pixels) for pixels in row) for row in pictures(images, width, gap=2)]


def _cells(pixels: Pixels) -> Span:
    """Equal cells of a picture; a pixel that is no number has the red of alarms."""
    if pixels.text.isspace():
        return Span(pixels.text)
    return Span(pixels.text, Paint(pixels.upper or NO_NUMBER, pixels.lower or NO_NUMBER))


def _errors(target: Pictures, made: Pictures, cell: int, count: int, label: int) -> Line:
    """The peak signal-to-noise ratio of each picture shown, under it."""
    squares = ((target.astype(float)[:count] - made.astype(float)[:count]) ** 2).reshape(count, -1).mean(axis=1)
    ratios = [-10 * math.log10(square) if square > 0 else math.inf for square in squares.tolist()]
    return line((pad("   psnr", label), "quiet"), *(pad(f"{number.value(ratio)} dB", cell) for ratio in ratios))


# --- anything else


def scalars_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Every scalar with how it went."""
    name_width = min(max([10, *(len(name) for name in probe.scalars)]), max(8, width // 3))
    room = max(0, min(40, width - name_width - 17))
    lines: list[Line] = []
    for name, history in list(probe.scalars.items())[: max(0, height)]:
        spark = sparkline(history.columns(reads(room)), room, ascii=frame.ascii) if room >= 6 else ""
        lines.append(line(f"   {pad(name, name_width)} ", (pad_left(_written(history), 10), "strong"), "  ", (spark, "curve")))
    return lines


def _written(history: History) -> str:
    """A scalar as a count where it has only ever been whole, else as a measured value."""
    seen = (history.lowest, history.highest)
    whole = all(record is not None and record[1].is_integer() for record in seen) and history.last[2].is_integer()
    return number.count(history.last[2]) if whole else number.value(history.last[2])


PANELS: dict[str, Callable[[ProbeView, Frame, int, int], list[Line]]] = {
    "codebook": codebook_panel,
    "gradients": gradients_panel,
    "samples": samples_panel,
}
