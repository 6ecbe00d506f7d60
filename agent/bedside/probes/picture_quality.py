"""How near pictures, videos and texts come to what they should be: numbers out of arrays and words, and nothing else.

Values are finite or NaN; a place where either side is NaN is left out. A quotient without a denominator is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]
"""(n, height, width) or (n, height, width, 3), values in 0 … 1."""

Videos = NDArray[np.float32]
"""(n, frames, height, width) or (n, frames, height, width, 3), values in 0 … 1."""


def psnr(target: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio of values in 0 … 1, in dB: 10 log10(1 / mean squared error); infinite where they are equal."""
    error = _mean_square(target.astype(np.float64) - made)
    return float("inf") if error == 0.0 else float(-10.0 * np.log10(error))


def gradient_energy(pictures: Pictures) -> float:
    """Mean squared difference of horizontal neighbours plus that of vertical ones: what blur takes away (Subbarao and Tyan 1998)."""
    values = pictures.astype(np.float64)
    return _mean_square(values[:, 1:] - values[:, :-1]) + _mean_square(values[:, :, 1:] - values[:, :, :-1])


def sharpness(target: Pictures, made: Pictures) -> float:
    """The gradient energy of what was made over that of the target: 1 as sharp, below blurred, above noisy."""
    return _quotient(gradient_energy(made), gradient_energy(target))


def motion_energy(videos: Videos) -> float:
    """Mean squared difference of each pixel from one frame to the next."""
    return _mean_square(np.diff(videos.astype(np.float64), axis=1))


def motion(target: Videos, made: Videos) -> float:
    """The motion energy of what was made over that of the target: 1 as lively, 0 frozen, above 1 flickering."""
    return _quotient(motion_energy(made), motion_energy(target))


def distinct(texts: Sequence[str], n: int) -> float:
    """Different n-grams of words in all texts over the number of words: distinct-1 and distinct-2 of Li et al. 2016 (arXiv 1510.03055).

    As there, both are divided by the number of words, so that distinct-2 of texts that never repeat themselves stays a little below 1.
    """
    words = [text.split() for text in texts]
    grams = {tuple(one[place : place + n]) for one in words for place in range(len(one) - n + 1)}
    return _quotient(float(len(grams)), float(sum(map(len, words))))


def _mean_square(differences: NDArray[np.float64]) -> float:
    known = differences[~np.isnan(differences)]
    return float(np.mean(known**2)) if known.size else float("nan")


def _quotient(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")
