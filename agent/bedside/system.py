"""The machine's vitals, once a second on the uplink thread: CPU, memory, GPU where a driver library answers, and how the steps flow.

Names are `system/…`. Nothing here calls torch or CUDA: GPU numbers come from the driver's management library when it is installed.
"""

from __future__ import annotations

import importlib
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import psutil

from .memory_room import file_backed, host_room
from .memory_trend import MemoryTrend

_STEPS_KEPT: Final = 2000
FAR: Final = 1000.0
"""Hours of memory left when none is used up any more: an alarm about its end must hear of that."""
_STEPS_OF_TAIL: Final = 1000
"""Steps whose slowest hundredth is told: within one second there may be one step only, and its tail is itself."""


class StepClock:
    """Durations of steps and of waiting for data, written by the training thread and read by the uplink thread."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque(maxlen=_STEPS_KEPT)
        self._tail: deque[float] = deque(maxlen=_STEPS_OF_TAIL)

    def note(self, seconds: float, waited: float) -> None:
        """One step took `seconds`, of which `waited` went into waiting for its data. Pauses are not part of either."""
        self._steps.append((seconds, waited))

    def read(self) -> dict[str, float]:
        """Of the steps since last read: median and 95th percentile (ms), and the share of them spent waiting for data.

        The 99th percentile is that of the last 1,000 steps.
        """
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
        self._tail.extend(seconds for seconds, _ in taken)
        return {
            "system/step_ms": 1e3 * durations[len(durations) // 2],
            "system/step_ms_p95": 1e3 * durations[min(len(durations) - 1, int(0.95 * len(durations)))],
            "system/step_ms_p99": 1e3 * sorted(self._tail)[min(len(self._tail) - 1, int(0.99 * len(self._tail)))],
            "system/data_wait": sum(waited for _, waited in taken) / total if total > 0 else 0.0,
        }


RETRY: Final = 60.0
"""Seconds until a source that failed is asked again: what was used up (descriptors, a driver's patience) may be there again."""


class SystemVitals:
    """Reads CPU, memory and GPUs of this process and machine. A source that fails is left out for a minute."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the baseline
        self._sources: list[Callable[[], dict[str, float]]] = [self._of_process, self._of_machine]
        if (gpus := _gpu_reader()) is not None:
            self._sources.append(gpus)
        self._not_before: dict[Callable[[], dict[str, float]], float] = {}
        self._trends: dict[str, MemoryTrend] = {}
        self._end_told = False

    def read(self, now: float | None = None, steps: int = 0) -> dict[str, float]:
        """Current values by name: bytes, per cent of one core, bytes an hour, hours. `now`: seconds on any clock that never goes back;
        `steps`: how many the training has made.

        `memory_slope` (and `gpuN_memory_slope`) come once there are 20 readings, `memory_hours_left` once something grows: the host's
        memory or a card's, whichever ends first; `FAR` when that has stopped.
        """
        values: dict[str, float] = {}
        now = time.monotonic() if now is None else now
        for source in self._sources:
            if now < self._not_before.get(source, now):
                continue
            try:
                values.update(source())
            except Exception:  # psutil and the driver raise many kinds; a vital that cannot be read is absent, no more
                self._not_before[source] = now + RETRY
        return values | self._growth(values, now, steps)

    def _growth(self, values: Mapping[str, float], now: float, steps: int) -> dict[str, float]:
        found: dict[str, float] = {}
        left: list[float] = []
        for name, used in values.items():
            if name.endswith("memory"):
                trend = self._trends.setdefault(name, MemoryTrend())
                if name == "system/memory":
                    trend.note(now, used - file_backed(), host_room(), steps)
                else:
                    trend.note(now, used, values[f"{name}_total"] - used, steps)
                if (slope := trend.slope()) is not None:
                    found[f"{name}_slope"] = slope
                if (hours := trend.hours_left()) is not None:
                    left.append(hours)
        if left or self._end_told:
            self._end_told = True
            found["system/memory_hours_left"] = min(left, default=FAR)
        return found

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
