"""How much memory a stretch of work takes at its height: on the model's CUDA device, or in this process."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Final

import psutil

from .memory_room import host_room

_EVERY: Final = 0.002
"""Seconds between two looks at the process: a forward of a few milliseconds is met."""


def used(device: Any) -> float:
    """Bytes in use now: by tensors on a CUDA device, or by this process."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.memory_allocated(device))
    return float(psutil.Process().memory_info().rss)


def room(device: Any) -> float:
    """Bytes that may still be taken there."""
    if device.type == "cuda":
        import torch

        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + idle)
    return host_room()


class PeakMemory:
    """`with PeakMemory(device) as peak: …`, then `peak.taken`: bytes beyond what was in use before, at the height."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._before = 0.0
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._highest = 0.0
        self.taken = 0.0

    def __enter__(self) -> PeakMemory:
        self._before = self._highest = used(self._device)
        if self._device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._device.type == "cuda":
            import torch

            self._highest = float(torch.cuda.max_memory_allocated(self._device))
        else:
            self._done.set()
            self._watcher.join()
        self.taken = max(0.0, self._highest - self._before)

    def _watch(self) -> None:
        while True:
            self._highest = max(self._highest, used(self._device))
            if self._done.wait(_EVERY):
                return
