"""How alike vectors are that should differ: of one set among themselves, or of two sets in pairs.

Values are read on scheduled steps only, and no more of them than a million numbers. It judges nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.effective_rank import effective_rank, sample
from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.probes.subsample import thinned
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Snapshot

_MOST_VECTORS = 4096
_MOST_NUMBERS = 1 << 20  # 8 MiB as float64, and some 10 ms
_OBSERVATIONS = 16
"""Observations kept for one measurement, the latest: gradient accumulation makes several a step, a forgotten registration any number."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What one observation amounts to."""

    scalars: dict[str, float]
    nonfinite: int
    vectors: int
    frames: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


class Similarity(Probe):
    """Likeness of vectors: `observe(vectors)` for one set, `observe(a, b)` for pairs.

    A set has the scalars `cosine` (mean over all pairs of different vectors, −1 … 1), `variance` (over the vectors, mean over features),
    `rank` (effective rank, Roy & Vetterli 2007, not centred, of at most 256 × 256 numbers of it: 1 where all point the same way),
    `vectors` (read) and `nonfinite` (numbers that are none; their vectors are left out). Vectors of zero have no direction: they count in
    the variance alone. Pairs have instead: `cosine` (mean over pairs), `pearson` (the same of centred vectors), `l2` (mean distance),
    `vectors` (pairs), with `variance` and `rank` those of both sets together; where frames are given, the trajectory `cosine` has the
    mean over n of each. Several observations of a step are averaged. Of more than 4,096 vectors, or a million numbers, evenly spread
    ones are read.
    """

    kind = "similarity"
    lead = 1

    def __init__(self, name: str, *, every: int | Schedule = 50) -> None:
        super().__init__(name, schedule_of(every))
        self._seen: deque[_Seen] = deque(maxlen=_OBSERVATIONS)

    def observe(self, vectors: object, paired_with: object = None) -> None:
        """Vectors (…, d), at least two, the leading dimensions flattened; or two of one shape (n, d) or (n, frames, d).

        Tensors, arrays or nested lists. Never raises. Returns at once on steps that are not scheduled; on those that are, the device
        is waited for.
        """
        if self.idle:
            return
        with self.taking("vectors"), np.errstate(all="ignore"):
            if not is_no_real_step(vectors):
                self._seen.append(_one_set(vectors) if paired_with is None else _pairs(vectors, paired_with))

    def measure(self, step: int) -> Snapshot | None:
        if not self._seen:
            return None
        seen = list(self._seen)
        self._seen.clear()
        names = dict.fromkeys(name for one in seen for name in one.scalars)
        scalars = {name: float(np.mean([one.scalars[name] for one in seen if name in one.scalars])) for name in names}
        scalars |= {"vectors": float(sum(one.vectors for one in seen)), "nonfinite": float(sum(one.nonfinite for one in seen))}
        if scalars["nonfinite"]:
            self.say("NaN or infinity among vectors: those vectors are left out")
        frames = [one.frames for one in seen if one.frames.size and one.frames.shape == seen[-1].frames.shape]
        arrays = {"cosine": Array("trajectory", np.mean(frames, axis=0))} if frames else {}
        return Snapshot(self.name, self.kind, step, scalars, arrays)


def _one_set(given: object) -> _Seen:
    values = _shaped(given)
    if values.ndim < 2:
        raise Refused("vectors are the last dimension of at least two: (n, d) was expected")
    rows = numbers(_some(values.reshape(-1, values.shape[-1])))
    if len(rows) < 2:
        raise Refused("a single vector is like no other: at least two were expected")
    kept, nonfinite = _finite(rows)
    scalars = _spread(kept)
    units = _directions(kept)
    if len(units) > 1:  # Σ over i ≠ j of uᵢ·uⱼ is the squared length of the sum, less the n ones on the diagonal
        scalars["cosine"] = float((np.sum(units.sum(axis=0) ** 2) - len(units)) / (len(units) * (len(units) - 1)))
    return _Seen(scalars, nonfinite, len(rows))


def _pairs(first: object, second: object) -> _Seen:
    a, b = _shaped(first), _shaped(second)
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise Refused("pairs of vectors have one shape: (n, d) or (n, frames, d)")
    a, b = numbers(_some(a)), numbers(_some(b))
    flat = np.stack([a.reshape(-1, a.shape[-1]), b.reshape(-1, a.shape[-1])])
    whole: NDArray[np.bool_] = np.asarray(np.isfinite(flat).all(axis=(0, 2)))
    kept = flat[:, whole]
    cosines = np.full(whole.shape, np.nan)
    cosines[whole] = _cosines(*kept)
    scalars = {
        **_spread(kept.reshape(-1, a.shape[-1])),
        "cosine": _mean(cosines),
        "pearson": _mean(_cosines(*(kept - kept.mean(axis=2, keepdims=True)))),
        "l2": _mean(np.linalg.norm(kept[0] - kept[1], axis=1)),
    }
    frames = [_mean(frame) for frame in cosines.reshape(a.shape[:2]).T] if a.ndim == 3 else []
    told = {name: value for name, value in scalars.items() if np.isfinite(value)}
    return _Seen(told, int(np.count_nonzero(~np.isfinite(flat))), len(whole), np.array(frames, np.float64))


def _shaped(given: object) -> Any:
    """A tensor as it is, anything else as an array; refused where it is empty."""
    values = given.detach() if is_tensor(given) else numbers(given)
    if 0 in values.shape:
        raise Refused("an empty set of vectors")
    return values


def _some(values: Any) -> Any:
    """The values, with no more entries along the first dimension than are worth reading: a view, or evenly spread ones."""
    numbers_each = int(np.prod(values.shape[1:]))
    return thinned(values, max(2, min(_MOST_VECTORS, _MOST_NUMBERS // numbers_each)))


def _finite(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    finite = np.isfinite(rows)
    return rows[finite.all(axis=1)], int(np.count_nonzero(~finite))


def _spread(rows: NDArray[np.float64]) -> dict[str, float]:
    """The variance and the effective rank of vectors (n, d); nothing where there are none."""
    if len(rows) == 0:
        return {}
    return {"variance": float(rows.var(axis=0).mean()), "rank": effective_rank(sample(rows))}


def _directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors at length one; those without a direction are left out."""
    lengths = np.linalg.norm(rows, axis=1)
    return np.asarray(rows[lengths > 0] / lengths[lengths > 0, None])


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine of each pair of rows, NaN where one has no direction."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.divide(np.sum(a * b, axis=1), lengths, out=np.full(len(a), np.nan), where=lengths > 0))


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of what is a number; NaN where nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
