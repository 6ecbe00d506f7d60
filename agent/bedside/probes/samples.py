"""Pictures to look at: a target beside what the model made of it, every so often.

A number can fall while the pictures go wrong. This probe keeps a few of them; it reads them on scheduled steps only, and judges nothing.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Array, Scalar, Snapshot

_LARGEST_SIDE = 64
"""Pixels: a terminal shows no more, and a recording should not be made of pictures."""


class Samples(Probe):
    """The first `count` pictures of what `observe` was given, by name.

    A snapshot has one array of meaning `image` a name, float32 (n, height, width) or (n, height, width, 3) in 0 … 1, and for each name
    but `target` the scalar `psnr/NAME` in dB: 10 log10(1 / mean squared error) over those pictures.
    """

    kind = "samples"
    lead = 1

    def __init__(self, name: str = "samples", *, every: int | Schedule = 200, count: int = 4) -> None:
        super().__init__(name, schedule_of(every))
        self.count = max(1, count)
        self._pictures: dict[str, NDArray[np.float32]] = {}

    def settings(self) -> dict[str, Scalar]:
        return {"count": self.count}

    def observe(self, target: object, **named: object) -> None:
        """Pictures with values in 0 … 1: (n, height, width), (n, 1, height, width) or (n, 3, height, width). Never raises.

        Returns at once on steps that are not scheduled; on those that are, the device is waited for.
        """
        if not self.armed:
            return
        began = time.perf_counter()
        try:
            self._pictures = {name: self._read(pictures) for name, pictures in {"target": target, **named}.items()}
        except Exception as error:
            self.say(f"pictures that cannot be read ({type(error).__name__}: {error})")
        self.feeding += time.perf_counter() - began

    def _read(self, pictures: Any) -> NDArray[np.float32]:
        first = pictures[: self.count]
        if hasattr(first, "detach"):
            first = first.detach().float().cpu().numpy()  # waits for the device
        read = np.array(first, np.float32)
        if read.ndim == 4 and read.shape[1] in (1, 3):
            read = np.moveaxis(read, 1, -1)
        if read.ndim == 4 and read.shape[3] == 1:
            read = read[..., 0]
        if read.size == 0 or not (read.ndim == 3 or (read.ndim == 4 and read.shape[3] == 3)):
            raise ValueError("a picture is height × width, alone or in 3 channels")
        thin = -(-max(read.shape[1:3]) // _LARGEST_SIDE)
        return np.clip(read[:, ::thin, ::thin], 0.0, 1.0)

    def measure(self, step: int) -> Snapshot | None:
        if not self._pictures:
            return None
        pictures, self._pictures = self._pictures, {}
        target = pictures["target"]
        made = {name: values for name, values in pictures.items() if name != "target" and values.shape == target.shape}
        return Snapshot(
            self.name,
            self.kind,
            step,
            scalars={f"psnr/{name}": psnr(target, values) for name, values in made.items()},
            arrays={name: Array("image", values) for name, values in pictures.items()},
        )


def psnr(target: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio of values in 0 … 1, in dB; infinite where they are equal."""
    error = float(np.mean((target.astype(np.float64) - made) ** 2))
    return float("inf") if error == 0.0 else float(-10.0 * np.log10(error))
