"""The loss along an index: by frame of a rollout, by position in a sequence, by diffusion timestep or tau.

A mean loss hides that later frames are worse than early ones, or that one end of the noise range is not learnt. The losses of every step
since the last measurement are taken together, on their device, without a sync. The probe judges nothing.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_no_real_step, is_tensor, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.probes.profile import Bins, bins_of, figures, profile_of
from bedside.schedule import NEVER, Schedule
from bedside_protocol.records import Array, Snapshot

_MOST_DRAWN = 1 << 16
"""Losses with an index that are kept between two measurements, the latest: one in ten of them is known to 1.2 % of its deviation."""


class PerIndex(Probe):
    """The mean loss by index. `bins`: how many equal bins over the range of the indices seen, or their edges; 10 unless given, and one a
    value where whole numbers have no more of them. Frames have a bin each, 256 at most.

    A snapshot counts all steps since the last one: of losses with an index the latest 65,536, of losses by frame all. It has the
    table `profile` (mean loss of each bin, labelled with its bounds; NaN where nothing fell), and the scalars `first` and `last` (means of
    the first and the last third of the bins that have losses), `later_worse` (last / first; NaN unless `first` is above zero), `trend`
    (Spearman's ρ of the profile over the index, Am. J. Psychol. 15, 1904: 1 rises throughout, −1 falls; 0 for a flat one, NaN below
    3 bins), `count` (losses in the profile), `outside` (left out because no bin of the edges given holds them) and `nonfinite`.
    """

    kind = "per_index"

    def __init__(self, name: str, *, bins: int | Sequence[float] | None = None, every: int | Schedule = 50) -> None:
        super().__init__(name, schedule_of(every))
        self.lead = self.schedule.every or NEVER
        self._bins: Bins = None
        self._with_index: bool | None = None
        self._forget()
        with self.taking("bins"):
            self._bins = bins_of(bins)

    def observe(self, loss: object, index: object = None, bins: int | Sequence[float] | None = None) -> None:
        """Take losses that are not yet averaged. Never raises, never syncs; fed every step.

        `loss` (n, frames): the second axis is the index. Sequences may differ in length from step to step. `loss` and `index` of equal
        shape: each loss belongs to its index, a timestep or a tau, whole or not. `bins` takes the place of the constructor's.
        """
        if self.idle:
            return
        with self.taking("losses"):
            if is_no_real_step(loss) or is_no_real_step(index):
                return
            if self._with_index not in (None, index is not None):
                raise Refused("losses with and without index: use two probes")
            if bins is not None:
                self._bins = bins_of(bins)
            losses = _values(loss, "loss")
            self._add_frames(losses) if index is None else self._add_drawn(losses, index)
            self._with_index = index is not None

    def _add_frames(self, losses: Any) -> None:
        if losses.ndim != 2:
            raise Refused("a loss without index= has two axes: samples, and frames or positions")
        array = np if isinstance(losses, np.ndarray) else sys.modules["torch"]
        finite = array.isfinite(losses)
        fresh = array.stack([array.where(finite, one, 0.0).sum(0) for one in (losses, array.ones_like(losses))])
        self._elements += losses.shape[0] * losses.shape[1]
        known = self._frames.get(_place(losses))
        self._frames[_place(losses)] = fresh if known is None else _summed(known, fresh)

    def _add_drawn(self, losses: Any, index: object) -> None:
        array: Any = sys.modules["torch"] if is_tensor(losses) or is_tensor(index) else np
        where = _values(index, "index")
        if tuple(where.shape) != tuple(losses.shape):
            raise Refused("loss and index must have the same shape")
        self._whole &= _is_whole(index)
        thin = -(-int(np.prod(losses.shape)) // _MOST_DRAWN)
        pair = [one.reshape(-1)[::thin] for one in (where, losses)]
        kept = array.stack(pair if array is np else _on_one_device(*map(array.as_tensor, pair)))
        self._drawn.append(kept)
        self._elements += kept.shape[1]
        while self._elements - self._drawn[0].shape[1] >= _MOST_DRAWN:
            self._elements -= self._drawn.popleft().shape[1]

    def measure(self, step: int) -> Snapshot | None:
        if not self._elements:
            return None
        index, sums, counts = self._read_drawn() if self._drawn else self._read_frames()
        whole, frames, elements, bins = self._whole, bool(self._frames), self._elements, self._bins
        self._forget()
        nonfinite = elements - int(counts.sum())
        found = profile_of(index, sums, counts, bins, whole=whole, every_value=frames)
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars={**figures(found), "nonfinite": float(nonfinite)},
            arrays={"profile": Array("table", found.means, found.labels)},
        )

    def _read_frames(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        total = np.zeros((2, 0))
        for sums in self._frames.values():
            total = _summed(total, numbers(sums))  # the sync of this probe
        return np.arange(total.shape[1], dtype=np.float64), total[0], total[1]

    def _read_drawn(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        places: dict[str, list[Any]] = {}
        for drawn in self._drawn:
            places.setdefault(_place(drawn), []).append(drawn)
        joined = [sys.modules["torch"].cat(each, 1) if place else np.concatenate(each, 1) for place, each in places.items()]
        index, losses = np.concatenate([numbers(one) for one in joined], 1)  # the sync of this probe
        finite = np.isfinite(index) & np.isfinite(losses)
        return index[finite], losses[finite], np.ones(int(finite.sum()))

    def _forget(self) -> None:
        self._frames: dict[str, Any] = {}
        """Of each place the sums and the counts by frame, (2, frames)."""
        self._drawn: deque[Any] = deque()
        """The indices and losses of each step, (2, n), oldest first."""
        self._elements = 0
        self._whole = True


def _values(values: object, what: str) -> Any:
    """Numbers in float64 (float32 where the device has no more), without their graph. Raises `Refused` where there are none."""
    if is_tensor(values):
        if values.is_complex():
            raise Refused("complex numbers are not measured")
        read: Any = values.detach().float() if values.device.type == "mps" else values.detach().double()
    else:
        read = numbers(values)
    if 0 in read.shape:
        raise Refused(f"an empty {what}")
    return read


def _summed(one: Any, other: Any) -> Any:
    """The sum of two (2, frames), as long as the longer: what one has not counts as nothing. Writes to the longer."""
    longer, shorter = (one, other) if one.shape[1] >= other.shape[1] else (other, one)
    longer[:, : shorter.shape[1]] += shorter
    return longer


def _is_whole(index: Any) -> bool:
    if is_tensor(index):
        return not (index.is_floating_point() or index.is_complex())
    return np.asarray(index).dtype.kind in "iub"


def _on_one_device(one: Any, other: Any) -> tuple[Any, Any]:
    """Two tensors on the accelerator where either is: in that direction a copy waits for nothing."""
    home = other if one.device.type == "cpu" else one
    return one.to(home.device, home.dtype, non_blocking=True), other.to(home.device, home.dtype, non_blocking=True)


def _place(values: Any) -> str:
    """The device of a tensor; empty for an array."""
    return str(values.device) if is_tensor(values) else ""
