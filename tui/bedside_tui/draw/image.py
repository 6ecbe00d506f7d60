"""Small pictures side by side, two pixels a cell in half blocks.

A cell is `▀` with two colours, the upper and the lower pixel; where there are no colours, a character as bright as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

_RAMP = " ░▒▓█"
_ASCII_RAMP = " .:-=+*#%@"


Colour: TypeAlias = tuple[int, int, int]

NO_NUMBER: Colour = (140, 42, 42)
"""The colour of a pixel that is NaN or infinite: no picture in shades of grey has it."""

_NO_PIXEL = -2
"""Below the last row of a picture of odd height."""


class Pixels(NamedTuple):
    """A run of equal cells: `text` is half blocks, or blanks between pictures. Colours are 0 to 255, None where there is no pixel."""

    text: str
    upper: Colour | None
    lower: Colour | None


def pictures(images: NDArray[np.generic], width: int, *, gap: int = 1) -> list[list[Pixels]]:
    """As many of `images` [n, h, w] or [n, h, w, 3] as fit into `width` cells, side by side; ⌈h/2⌉ rows of exactly `width` cells.

    Integers are brightness 0 to 255; floats within 0…1 are shares of white, others are stretched from their least to their largest
    finite value.
    """
    bright = _brightness(images)
    count = how_many(images, width, gap=gap)
    rows = []
    for top in range(0, bright.shape[1] if count else 0, 2):
        row: list[Pixels] = []
        for at in range(count):
            if at and gap:
                row.append(Pixels(" " * gap, None, None))
            lower = bright[at, top + 1] if top + 1 < bright.shape[1] else np.full(bright.shape[2:], _NO_PIXEL)
            row += [Pixels("▀", _colour(a), _colour(b)) for a, b in zip(bright[at, top].tolist(), lower.tolist(), strict=True)]
        used = sum(len(pixels.text) for pixels in row)
        rows.append([*row, Pixels(" " * (width - used), None, None)] if used < width else row)
    return [_merged(row) for row in rows]


def pictures_as_text(images: NDArray[np.generic], width: int, *, gap: int = 1, ascii: bool = False) -> list[str]:
    """The same in characters alone, each as bright as its two pixels together."""
    ramp = _ASCII_RAMP if ascii else _RAMP
    lines = []
    for row in pictures(images, width, gap=gap):
        lines.append("".join(_shade(pixels, ramp) * len(pixels.text) for pixels in row))
    return lines


def how_many(images: NDArray[np.generic], width: int, *, gap: int = 1) -> int:
    """How many of `images` [n, h, w] or [n, h, w, 3] fit side by side into `width` cells."""
    if 0 in images.shape or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
        return 0
    return int(max(0, min(images.shape[0], (width + gap) // (images.shape[2] + gap))))


def _brightness(images: NDArray[np.generic]) -> NDArray[np.int64]:
    """0 to 255, -1 where a pixel is no number; always with three channels."""
    grey = _scaled(images)
    return grey if grey.ndim != 3 else np.repeat(grey[..., None], 3, axis=3)


def _scaled(images: NDArray[np.generic]) -> NDArray[np.int64]:
    if images.dtype.kind in "iub":
        whole = images.astype(np.int64) * (255 if images.dtype.kind == "b" else 1)
        return np.asarray(np.clip(whole, 0, 255))
    values = images.astype(np.float64)
    finite = np.isfinite(values)
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    span = high / 2 - low / 2
    shares = (np.where(finite, values, low) / 2 - low / 2) / (span if span > 0 else 1.0)
    return np.where(finite, np.rint(np.clip(shares, 0, 1) * 255).astype(np.int64), -1)


def _colour(channels: Sequence[int]) -> Colour | None:
    red, green, blue = channels
    least = min(channels)
    return (red, green, blue) if least >= 0 else None if least == _NO_PIXEL else NO_NUMBER


def _merged(row: list[Pixels]) -> list[Pixels]:
    merged: list[Pixels] = []
    for pixels in row:
        if merged and merged[-1][1:] == pixels[1:] and merged[-1].text[0] == pixels.text[0]:
            merged[-1] = merged[-1]._replace(text=merged[-1].text + pixels.text)
        else:
            merged.append(pixels)
    return merged


def _shade(pixels: Pixels, ramp: str) -> str:
    if pixels.text.isspace():
        return " "
    known = [sum(colour) for colour in (pixels.upper, pixels.lower) if colour not in (None, NO_NUMBER)]
    return ramp[sum(known) * len(ramp) // (len(known) * 3 * 256)] if known else "x" if ramp is _ASCII_RAMP else "╳"
