"""The machine's vitals and the flow of steps."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

from bedside.system import StepClock, SystemVitals


def test_steps_are_told_as_median_and_tail_with_the_share_of_waiting() -> None:
    clock = StepClock()
    for number in range(1, 101):
        clock.note(number / 1000, number / 4000)
    assert clock.read() == pytest.approx({"system/step_ms": 51.0, "system/step_ms_p95": 96.0, "system/data_wait": 0.25})


def test_without_steps_nothing_is_told_and_each_step_is_told_once() -> None:
    clock = StepClock()
    assert clock.read() == {}
    clock.note(0.0, 0.0)
    assert clock.read() == {"system/step_ms": 0.0, "system/step_ms_p95": 0.0, "system/data_wait": 0.0}
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


def test_a_source_that_fails_is_left_out_and_the_rest_goes_on() -> None:
    vitals = SystemVitals()
    calls = []

    def broken() -> dict[str, float]:
        calls.append(1)
        raise RuntimeError("driver lost")

    vitals._sources.insert(0, broken)
    assert "system/memory" in vitals.read()
    assert "system/memory" in vitals.read()
    assert calls == [1]


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
