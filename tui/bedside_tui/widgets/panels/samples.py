"""What was given and what the model made of it: pictures, frames of videos, texts; the target always first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bedside_tui.draw import number
from bedside_tui.draw.image import Pixels, how_many, pictures, pictures_as_text
from bedside_tui.store.view import ProbeView
from bedside_tui.widgets.frame import Frame
from bedside_tui.widgets.lines import Line, Paint, Span, line, pad, pad_left, wrapped
from bedside_tui.widgets.panels.blocks import Block, short, stacked, still
from bedside_tui.widgets.panels.facts import fact_lines, others

Pictures: TypeAlias = NDArray[np.generic]
"""[n, h, w], or [n, h, w, 3]."""

TARGET = "target"

MEASURES = (("psnr", "psnr, dB"), ("sharpness", "sharpness"), ("motion", "motion"), ("distinct1", "words"), ("distinct2", "pairs"))
"""(scalar, what stands above its column): sharpness and motion are shares of the target's, words and pairs those that are distinct."""

NARROW = 5
"""Cells of a picture, its gap included, from which its number fits under it: `21.2 `."""

TALLEST = 34
"""Rows of a picture at most: 64 pixels are 32."""


def samples_panel(probe: ProbeView, frame: Frame, width: int, height: int) -> list[Line]:
    """A row of pictures a name, or a block of texts a sample; below, a table of what was measured of each name."""
    groups = _images(probe)
    label = min(18, max([8, *(len(name) + 4 for name, _ in groups)]))
    room = width - label - 1
    table = _table(probe, width)
    blocks = []
    if groups and room >= 8:
        least = 3 * len(groups) if groups else 0
        blocks.append(Block(lambda given: _rows_of_pictures(groups, frame, label, room, given), least, TALLEST * len(groups)))
    written = _texts(probe)
    if written:
        blocks.append(Block(lambda given: _blocks_of_texts(written, width, given), min(3, len(written) + 1)))
    said = [f"{measure}/{name}" for measure, _ in MEASURES for name in _names(probe)]
    rest = fact_lines(probe, frame, others(probe, (), said), width)
    return stacked([*blocks, still(table, len(table)), still(rest)], height)


# --- pictures


def _images(probe: ProbeView) -> list[tuple[str, Pictures]]:
    """The pictures by name, the target first; of videos the frames of the first that is given."""
    arrays = probe.snapshot.arrays if probe.snapshot is not None else {}
    found = []
    for name, array in arrays.items():
        if array.meaning == "image" and (shown := as_pictures(array.values)) is not None:
            found.append((name, shown))
    return sorted(found, key=lambda entry: entry[0] != TARGET)


def as_pictures(values: NDArray[np.generic]) -> Pictures | None:
    """Pictures [n, h, w(, 3)] of any array that holds such: of a video [n, t, h, w(, 3)] the frames of the first; None if none."""
    if 0 in values.shape or values.dtype.kind not in "biuf":
        return None
    colours = values.ndim >= 3 and values.shape[-1] == 3
    flat = values.ndim - (1 if colours else 0)
    if values.ndim == 3 and colours and values.shape[0] == 1:
        flat, colours = 3, False
    if flat == 4:
        values, flat = values[0], 3
    elif flat == 2:
        values, flat = values[None], 3
    elif values.ndim == 3:
        flat = 3
    return values[:64, :256, :256] if flat == 3 else None


def _rows_of_pictures(groups: Sequence[tuple[str, Pictures]], frame: Frame, label: int, room: int, height: int) -> list[Line]:
    target = groups[0][1]
    spare = height >= len(groups) * 4
    each = max(1, (height - (len(groups) if spare else 0)) // len(groups) - 1)
    lines: list[Line] = []
    for name, images in groups:
        large = _enlarged(images, room, each)
        rows = picture_rows(large, room, frame)[: each + 1]
        shown = short(name, max(1, label - 4))
        for place, row in enumerate(rows):
            lines.append((Span(pad(f"   {shown}" if place == len(rows) // 2 else "", label), "quiet"), *row))
        if images is not target and images.shape == target.shape and len(groups) > 1:
            lines.append(_errors(target, images, large.shape[2] + 2, how_many(large, room, gap=2), label))
        if spare:
            lines.append(())
    return lines


def _enlarged(images: Pictures, width: int, height: int) -> Pictures:
    """Each pixel as a square, as large as leaves six pictures (or all, if fewer) side by side; smaller where even one is too large."""
    count, rows, columns = images.shape[:3]
    fewer = max(1, -(-columns // max(1, width)), -(-rows // max(1, 2 * height)))
    if fewer > 1:
        return images[:, ::fewer, ::fewer]
    fitting = [factor for factor in range(1, 5) if -(-rows * factor // 2) <= height and min(count, 6) * (columns * factor + 2) - 2 <= width]
    factor = max(fitting, default=1)
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def picture_rows(images: Pictures, width: int, frame: Frame) -> list[Line]:
    """Pictures side by side as lines; without colours each cell is a character as bright as its two pixels."""
    if frame.ascii or not frame.colours:
        return [line((row, "plain")) for row in pictures_as_text(images, width, gap=2, ascii=frame.ascii)]
    return [tuple(_cells(pixels) for pixels in row) for row in pictures(images, width, gap=2)]


def _cells(pixels: Pixels) -> Span:
    return Span(pixels.text) if pixels.text.isspace() else Span(pixels.text, Paint(pixels.upper, pixels.lower))


def _errors(target: Pictures, made: Pictures, cell: int, count: int, label: int) -> Line:
    """The peak signal-to-noise ratio of each picture shown, under it; nothing where the pictures are narrower than the number."""
    if cell < NARROW:
        return ()
    with np.errstate(all="ignore"):
        squares = ((target.astype(float)[:count] - made.astype(float)[:count]) ** 2).reshape(count, -1).mean(axis=1)
    ratios = [-10 * math.log10(square) if square > 0 else math.inf if square == 0 else math.nan for square in squares.tolist()]
    unit = " dB" if cell >= NARROW + 3 else ""
    return line((pad("   psnr", label), "quiet"), *(pad(f"{number.value(ratio)}{unit}", cell) for ratio in ratios))


# --- texts


def _texts(probe: ProbeView) -> dict[str, Sequence[str]]:
    """Lists of texts by name, the target first."""
    found = {name: texts for name, texts in probe.snapshot.texts.items() if texts} if probe.snapshot is not None else {}
    return dict(sorted(found.items(), key=lambda entry: entry[0] != TARGET))


def _blocks_of_texts(written: dict[str, Sequence[str]], width: int, height: int) -> list[Line]:
    """A block a sample: the target, then what each name made of it."""
    label = min(max([8, *(len(name) for name in written)]), max(6, width // 4))
    room = max(1, width - 3 - label - 2)
    samples = max(len(texts) for texts in written.values())
    lines: list[Line] = []
    for at in range(samples):
        block: list[Line] = []
        for name, texts in written.items():
            parts = wrapped(texts[at] if at < len(texts) else "", room)[:4] or [""]
            for place, part in enumerate(parts):
                tone = "quiet" if name == TARGET else "plain"
                block.append(line((f"   {pad(short(name, label) if not place else '', label)}  ", "quiet"), (part, tone)))  # type: ignore[arg-type]
        if lines and len(lines) + len(block) + 1 > height:
            lines.append(line((f"   +{number.count(samples - at)} more samples", "quiet")))
            break
        lines += [(), *block] if lines else block
    return lines if len(lines) <= height else lines[:height]


# --- numbers


def _names(probe: ProbeView) -> list[str]:
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    heads = {measure for measure, _ in MEASURES}
    found = [name.partition("/")[2] for name in scalars if name.partition("/")[0] in heads and "/" in name]
    return list(dict.fromkeys(found))


def _table(probe: ProbeView, width: int) -> list[Line]:
    """A row a name: its peak signal-to-noise ratio, and sharpness, motion and variety as shares of what they should be."""
    scalars = probe.snapshot.scalars if probe.snapshot is not None else {}
    rows = _names(probe)
    measured = [(measure, title) for measure, title in MEASURES if any(f"{measure}/{name}" in scalars for name in rows)]
    if not rows:
        return []
    label = min(max([14, *(len(name) for name in rows)]), max(6, width // 3))
    lines = [line((f"   {pad('against target', label)}{''.join(pad_left(title, 11) for _, title in measured)}", "quiet"))]
    for name in rows:
        cells = [_figure(measure, scalars.get(f"{measure}/{name}")) for measure, _ in measured]
        lines.append(line(f"   {pad(short(name, label), label)}", *((pad_left(cell, 11), "strong") for cell in cells)))
    return lines


def _figure(measure: str, value: float | None) -> str:
    return number.value(value) if measure == "psnr" else number.percent(value)
