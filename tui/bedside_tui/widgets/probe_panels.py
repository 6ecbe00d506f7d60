"""Panels of probes, by the kind of quantity: what a codebook, the gradients or samples look like from inside."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bedside_tui.draw import number
from bedside_tui.draw.bar import bar
from bedside_tui.draw.image import how_many, pictures, pictures_as_text
from bedside_tui.draw.sparkline import reads, sparkline
from bedside_tui.store.view import ProbeView
from bedside_tui.theme import Tone
from bedside_tui.widgets.codebook import codebook_panel
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Paint, Span, filled, line, pad, pad_left, rule, wrapped
from bedside_tui.widgets.status import BADGES


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
                          (bar(_log_share(value, values), bar_width, ascii=frame.ascii), "curve")))  # fmt: skip
    if shown < len(values):
        lines.append(line((f"   +{len(values) - shown} more layers", "quiet")))
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
    said = (("none", "no gradient"), ("zero", "gradient exactly zero"), ("unowned", "in no optimizer"))
    lines: list[Line] = []
    for key, words in said:
        if names := texts.get(key, ()):
            listed = wrapped(f"{number.count(len(names))} {words}: {', '.join(names[:12])}", width - 8)[:2]
            lines += [line("   ", ("▲ " if not place else "  ", "amber"), text) for place, text in enumerate(listed)]
    return lines


# --- samples


def samples_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Targets above their reconstructions, as many as fit; where there are no colours, in shades."""
    arrays = probe.snapshot.arrays if probe.snapshot is not None else {}
    groups = [(name, arrays[name].values) for name in ("target", "reconstruction") if name in arrays and arrays[name].values.ndim == 3]
    if not groups:
        return scalars_panel(probe, frame, width, height)
    lines: list[Line] = []
    label = 18
    room = width - label - 1
    groups = [(name, _enlarged(images, room, (height - 2) // len(groups) - 1)) for name, images in groups]
    for name, images in groups:
        count = how_many(images, room, gap=2)
        rows = picture_rows(images[:count], room, frame.ascii)
        for place, row in enumerate(rows):
            lines.append((Span(pad(f"   {name}" if place == len(rows) // 2 else "", label), "quiet"), *row))
        lines.append(())
    errors = _errors(groups, how_many(groups[0][1], room, gap=2))
    if errors:
        cell = groups[0][1].shape[2] + 2
        lines.append(line((pad("   error", label), "quiet"), *(pad(error, cell) for error in errors)))
    return lines


def _enlarged(
    images: np.ndarray[tuple[int, ...], np.dtype[np.generic]], width: int, height: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Each pixel as a square of the largest size at which four pictures (or all, if fewer) fit side by side."""
    count, rows, columns = images.shape
    fitting = [factor for factor in range(1, 9) if -(-rows * factor // 2) <= height and min(count, 4) * (columns * factor + 2) - 2 <= width]
    factor = max(fitting, default=1)
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def picture_rows(images: np.ndarray[tuple[int, ...], np.dtype[np.generic]], width: int, ascii: bool) -> list[Line]:
    """Pictures side by side as lines; in ASCII each cell is a character as bright as its two pixels."""
    if ascii:
        return [line((row, "plain")) for row in pictures_as_text(images, width, gap=2, ascii=True)]
    return [
        tuple(
            Span(pixels.text) if pixels.upper is None and pixels.lower is None and pixels.text.isspace()
            else Span(pixels.text, Paint(_grey(pixels.upper), _grey(pixels.lower)))
            for pixels in row
        )
        for row in pictures(images, width, gap=2)
    ]  # fmt: skip


def _grey(level: int | None) -> tuple[int, int, int]:
    """A pixel's colour; one that is no number is the red of alarms."""
    return (level, level, level) if level is not None else (140, 42, 42)


def _errors(groups: list[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]], count: int) -> list[str]:
    """Mean squared error of each pair, in the order shown."""
    if len(groups) < 2 or groups[0][1].shape != groups[1][1].shape:
        return []
    target, made = (images.astype(float)[:count] for _, images in groups)
    return [number.value(float(error)) for error in ((target - made) ** 2).mean(axis=(1, 2))]


# --- anything else


def scalars_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """Every scalar with how it went."""
    name_width = min(max([10, *(len(name) for name in probe.scalars)]), max(8, width // 3))
    room = max(0, min(40, width - name_width - 17))
    lines: list[Line] = []
    for name, history in list(probe.scalars.items())[: max(0, height)]:
        spark = sparkline(history.columns(reads(room)), room, ascii=frame.ascii) if room >= 6 else ""
        lines.append(line(f"   {pad(name, name_width)} ", (pad_left(number.value(history.last[2]), 10), "strong"), "  ", (spark, "curve")))
    return lines


PANELS: dict[str, Callable[[ProbeView, Frame, int, int], list[Line]]] = {
    "codebook": codebook_panel,
    "gradients": gradients_panel,
    "samples": samples_panel,
}
