"""The machine's vitals, once a second on the uplink thread: CPU, memory, GPU where a driver library answers, and how the steps flow.

Names are `system/…`. Nothing here calls torch or CUDA: GPU numbers come from the driver's management library when it is installed.
"""

from __future__ import annotations

import importlib
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import psutil

_STEPS_KEPT: Final = 2000


class StepClock:
    """Durations of steps and of waiting for data, written by the training thread and read by the uplink thread."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=_STEPS_KEPT)

    def note(self, seconds: float, waited: float) -> None:
        """One step took `seconds`, of which `waited` went into waiting for its data. Pauses are not part of either."""
        self._steps.append((seconds, waited))

    def read(self) -> dict[str, float]:
        """Median and 95th percentile of the steps since last read (ms), and the share of them spent waiting for data."""
        taken: list[tuple[float, float]] = []
        while self._steps:
            try:
                taken.append(self._steps.popleft())
            except IndexError:  # pushed out by the training thread meanwhile
                break
        if not taken:
            return {}
        durations = sorted(seconds for seconds, _ in taken)
        total = sum(durations)
        return {
            "system/step_ms": 1e3 * durations[len(durations) // 2],
            "system/step_ms_p95": 1e3 * durations[min(len(durations) - 1, int(0.95 * len(durations)))],
            "system/data_wait": sum(waited for _, waited in taken) / total if total > 0 else 0.0,
        }


class SystemVitals:
    """Reads CPU, memory and GPUs of this process and machine. A source that fails once is left out from then on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the baseline
        self._sources: list[Callable[[], dict[str, float]]] = [self._of_process, self._of_machine]
        if (gpus := _gpu_reader()) is not None:
            self._sources.append(gpus)

    def read(self) -> dict[str, float]:
        """Current values by name; bytes, per cent of one core."""
        values: dict[str, float] = {}
        for source in list(self._sources):
            try:
                values.update(source())
            except Exception:  # psutil and the driver raise many kinds; a vital that cannot be read is absent, no more
                self._sources.remove(source)
        return values

    def _of_process(self) -> dict[str, float]:
        with self._process.oneshot():
            return {"system/cpu_percent": self._process.cpu_percent(), "system/memory": float(self._process.memory_info().rss)}

    def _of_machine(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {"system/memory_total": float(memory.total), "system/memory_available": float(memory.available)}


def _gpu_reader() -> Callable[[], dict[str, float]] | None:
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(place) for place in range(nvml.nvmlDeviceGetCount())]
    except Exception:  # not installed, no driver, no permission: then there is no GPU to show
        return None
    visible = _visible(len(handles))

    def read() -> dict[str, float]:
        values: dict[str, float] = {}
        for place in visible:
            memory = nvml.nvmlDeviceGetMemoryInfo(handles[place])
            values[f"system/gpu{place}_memory"] = float(memory.used)
            values[f"system/gpu{place}_memory_total"] = float(memory.total)
            values[f"system/gpu{place}_percent"] = float(nvml.nvmlDeviceGetUtilizationRates(handles[place]).gpu)
        return values

    return read if visible else None


def _visible(count: int) -> list[int]:
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return list(range(count))
    return [int(word) for word in setting.split(",") if word.strip().isdigit() and int(word) < count]
