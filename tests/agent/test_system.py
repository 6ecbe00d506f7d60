"""The machine's vitals and the flow of steps."""

from __future__ import annotations

import math
import mmap
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy.stats import kendalltau, theilslopes

from bedside.memory_room import host_room
from bedside.memory_trend import MemoryTrend, significant_slope, theil_sen
from bedside.system import StepClock, SystemVitals


def test_steps_are_told_as_median_and_tail_with_the_share_of_waiting() -> None:
    clock = StepClock()
    for number in range(1, 101):
        clock.note(number / 1000, number / 4000)
    assert clock.read() == pytest.approx(
        {"system/step_ms": 51.0, "system/step_ms_p95": 96.0, "system/step_ms_p99": 100.0, "system/data_wait": 0.25}
    )


def test_the_slowest_hundredth_is_looked_for_in_more_than_one_reading() -> None:
    clock = StepClock()
    read = {}
    for number in range(500):
        clock.note(1.1 if number % 50 else 4.0, 0.0)
        read = clock.read()
    assert read["system/step_ms"] == pytest.approx(1_100)
    assert read["system/step_ms_p99"] == pytest.approx(4_000)


def test_without_steps_nothing_is_told_and_each_step_is_told_once() -> None:
    clock = StepClock()
    assert clock.read() == {}
    clock.note(0.0, 0.0)
    assert clock.read() == {"system/step_ms": 0.0, "system/step_ms_p95": 0.0, "system/step_ms_p99": 0.0, "system/data_wait": 0.0}
    assert clock.read() == {}


def test_fast_steps_are_bounded_in_number() -> None:
    clock = StepClock()
    for number in range(100_000):
        clock.note(float(number), 0.0)
    assert clock.read()["system/step_ms"] == 1e3 * 99_000


def test_a_training_thread_and_a_reader_lose_no_time_between_them(together: Callable[[int, Callable[[int], None]], None]) -> None:
    clock = StepClock()

    def work(thread: int) -> None:
        for _ in range(3000):
            if thread:
                clock.note(0.001, 0.0005)
            else:
                values = clock.read()
                assert not values or values["system/data_wait"] == pytest.approx(0.5)

    together(2, work)


def test_memory_and_load_of_this_process_are_told() -> None:
    values = SystemVitals().read()
    assert {"system/cpu_percent", "system/memory", "system/memory_total", "system/memory_available"} <= set(values)
    assert 1e6 < values["system/memory"] < values["system/memory_total"]


def test_a_source_that_fails_is_left_out_for_a_minute_and_the_rest_goes_on() -> None:
    vitals = SystemVitals()
    calls: list[int] = []

    def broken() -> dict[str, float]:
        calls.append(1)
        raise RuntimeError("driver lost")

    vitals._sources.insert(0, broken)
    for now, asked in [(0.0, 1), (1.0, 1), (59.0, 1), (60.0, 2), (61.0, 2)]:
        assert "system/memory" in vitals.read(now)
        assert len(calls) == asked


def driver(count: int) -> types.ModuleType:
    """What stands for a graphics driver's library here: nothing of it is ours."""
    library = types.ModuleType("pynvml")
    library.__dict__.update(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetMemoryInfo=lambda place: types.SimpleNamespace(used=10 + place, total=100),
        nvmlDeviceGetUtilizationRates=lambda place: types.SimpleNamespace(gpu=50 + place),
    )
    return library


VISIBLE = [(None, [0, 1, 2]), ("1", [1]), ("2,0", [2, 0]), ("", []), ("-1", []), ("7", []), ("GPU-8f2c", []), ("0, x,2", [0, 2])]


@pytest.mark.parametrize(("visible", "places"), VISIBLE)
def test_only_the_graphics_cards_this_training_may_use_are_told(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, places: list[int]
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(3))
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    values = {name: value for name, value in SystemVitals().read().items() if "gpu" in name}
    assert values == {
        name: value
        for place in places
        for name, value in {
            f"system/gpu{place}_memory": 10.0 + place,
            f"system/gpu{place}_memory_total": 100.0,
            f"system/gpu{place}_percent": 50.0 + place,
        }.items()
    }


# --- memory over time

MIB = float(1 << 20)


def trend_of(used: Callable[[int, np.random.Generator], float], seconds: int = 600, room: float = 1e9) -> MemoryTrend:
    random, trend = np.random.default_rng(0), MemoryTrend()
    for second in range(seconds):
        trend.note(float(second), used(second, random), room)
    return trend


def test_a_leak_under_noise_is_told_in_bytes_an_hour_with_the_time_it_leaves() -> None:
    trend = trend_of(lambda second, random: 500 * MIB + 0.1 * MIB * second + 5 * MIB * random.standard_normal(), room=36 * MIB * 12)
    slope, hours = trend.slope(), trend.hours_left()
    assert slope == pytest.approx(360 * MIB, rel=0.1)
    assert hours == pytest.approx(1.2, rel=0.1)


STEADY: dict[str, Callable[[int, np.random.Generator], float]] = {
    "flat": lambda second, random: 500 * MIB,
    "noise": lambda second, random: 500 * MIB + 20 * MIB * random.standard_normal(),
    "sawtooth": lambda second, random: 500 * MIB + MIB * (second % 60),
    "one jump": lambda second, random: (500 if second < 310 else 900) * MIB + MIB * random.standard_normal(),
    "early jump": lambda second, random: (500 if second < 100 else 900) * MIB + MIB * random.standard_normal(),
    "a peak": lambda second, random: (900 if 200 < second < 300 else 500) * MIB + MIB * random.standard_normal(),
}


@pytest.mark.parametrize("name", STEADY)
def test_memory_that_does_not_grow_has_no_slope_and_no_end(name: str) -> None:
    for seconds in range(20, 601, 20):
        trend = trend_of(STEADY[name], seconds)
        if name == "sawtooth" and seconds < 120:  # nobody can tell the first tooth from a leak
            continue
        assert trend.slope() == 0.0
        assert trend.hours_left() is None


def test_a_shrinking_memory_has_no_end() -> None:
    trend = trend_of(lambda second, random: 500 * MIB - 0.1 * MIB * second)
    assert trend.slope() == pytest.approx(-360 * MIB)
    assert trend.hours_left() is None


def test_few_readings_say_nothing_and_readings_without_a_value_are_none() -> None:
    trend = MemoryTrend()
    for second in range(19):
        trend.note(float(second), second * MIB, 1e9)
    trend.note(math.nan, 1.0, 1e9)
    trend.note(19.0, math.inf, 1e9)
    assert (trend.slope(), trend.hours_left()) == (None, None)
    trend.note(19.0, 19 * MIB, 0.0)
    assert trend.slope() == pytest.approx(3_600 * MIB)
    assert trend.hours_left() == 0.0


def test_readings_of_one_moment_have_no_slope() -> None:
    trend = MemoryTrend()
    for number in range(30):
        trend.note(5.0, number * MIB, 1e9)
    assert trend.slope() == 0.0


def test_the_slope_and_the_test_of_a_trend_are_scipys() -> None:
    random = np.random.default_rng(3)
    significant = 0
    for drift in np.linspace(0.0, 0.2, 20):
        x, y = np.arange(40.0), drift * np.arange(40.0) + random.standard_normal(40)
        assert theil_sen(x, y) == pytest.approx(theilslopes(y, x).slope)
        found = significant_slope(x, y)
        if found:
            significant += 1
            assert kendalltau(x, y).pvalue < 0.0035
        elif drift > 0.15:
            assert kendalltau(x, y).pvalue > 0.0025 or min(np.diff([np.median(part) for part in np.split(y, 4)])) < 0.25 * drift * 10
    assert 3 < significant < 20


def test_the_vitals_tell_a_growing_process_by_its_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(1))
    vitals = SystemVitals()
    monkeypatch.setattr("bedside.system.host_room", lambda: 400 * MIB)
    hog: list[mmap.mmap] = []  # pages of the system's: the interpreter may have memory of its own to give again
    values: dict[str, float] = {}
    for second in range(24):
        hog.append(mmap.mmap(-1, 4 << 20))
        hog[-1].write(b"x" * (4 << 20))
        values = vitals.read(float(second))
        assert ("system/memory_slope" in values) == (second >= 19)
    assert values["system/memory_slope"] == pytest.approx(3_600 * 4 * MIB, rel=0.2)
    assert values["system/memory_hours_left"] == pytest.approx(400 * MIB / values["system/memory_slope"], rel=0.05)
    assert values["system/gpu0_memory_slope"] == 0.0


def test_a_containers_limit_is_the_room_where_it_is_less(tmp_path: Path) -> None:
    assert host_room(tmp_path) == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    (tmp_path / "memory.current").write_text("700\n")
    for limit, room in (("1000\n", 300.0), ("500\n", 0.0)):
        (tmp_path / "memory.max").write_text(limit)
        assert host_room(tmp_path) == room
    for limit in ("max\n", "nonsense"):
        (tmp_path / "memory.max").write_text(limit)
        assert host_room(tmp_path) > 1e6
