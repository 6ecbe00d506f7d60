"""When memory is told to end: of a leak soon enough, of what fills and is full never."""

from __future__ import annotations

import math
import mmap
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from bedside.memory_room import file_backed
from bedside.memory_trend import MemoryTrend
from bedside.system import FAR, SystemVitals
from bedside_protocol.alerts.judge import judge
from bedside_protocol.records import Metrics, Record

MIB = float(1 << 20)


def first_told(used: Callable[[int, np.random.Generator], float], seconds: int, room: float) -> int | None:
    """The second at which an end is first told, where `room` is what is left at the beginning."""
    random, trend = np.random.default_rng(0), MemoryTrend()
    for second in range(seconds):
        grown = used(second, random)
        trend.note(float(second), grown, room - grown)
        if second % 4 == 0 and trend.hours_left() is not None:
            return second
    return None


@pytest.mark.parametrize("begins", [0, 40, 620])
def test_a_steep_leak_is_told_soon_whenever_it_begins(begins: int) -> None:
    told = first_told(lambda second, random: max(0, second - begins) * 85 * MIB + 5 * MIB * random.standard_normal(), begins + 60, 21e9)
    assert told is not None
    assert 15 <= told - begins <= 44


def test_a_slow_leak_takes_a_tenth_of_the_time_it_leaves() -> None:
    told = first_told(lambda second, random: second * 5 * MIB + MIB * random.standard_normal(), 300, 1800 * 5 * MIB)
    assert told == pytest.approx(1800 / 11, abs=8)


def paced(second: int) -> int:
    """Steps made by a second: a machine that is shared makes 30 of them in one quarter of a minute and 12 in the next."""
    return sum(30 if at // 15 % 2 == 0 else 12 for at in range(second))


def test_a_leak_of_every_step_is_told_however_the_pace_of_steps_changes() -> None:
    def hours(steps: Callable[[int], int]) -> float | None:
        random, trend = np.random.default_rng(0), MemoryTrend()
        for second in range(30):
            used = paced(second) * 3 * MIB + MIB * random.standard_normal()
            trend.note(float(second), used, 21e9 - used, steps(second))
        return trend.hours_left()

    assert hours(lambda second: 0) is None  # by the clock alone it slows down
    assert hours(paced) == pytest.approx(21e9 / (60 * MIB) / 3600, rel=0.5)


def test_a_cache_of_what_was_seen_fills_by_steps_as_by_seconds() -> None:
    random, trend = np.random.default_rng(0), MemoryTrend()
    for second in range(300):
        used = 3000 * MIB * (1 - math.exp(-paced(second) / 800)) + 5 * MIB * random.standard_normal()
        trend.note(float(second), used, 21e9 - used, paced(second))
        assert trend.hours_left() is None


FILLS: dict[str, Callable[[int, np.random.Generator], float]] = {
    "an allocator that warms up": lambda second, random: 2000 * MIB * (1 - math.exp(-second / 15)) + MIB * random.standard_normal(),
    "a cache of what was seen": lambda second, random: 3000 * MIB * (1 - math.exp(-second / 40)) + 5 * MIB * random.standard_normal(),
    "a first evaluation": lambda second, random: (1500 if second > 25 else 0) * MIB + MIB * random.standard_normal(),
    "a small data set that is read whole": lambda second, random: min(second, 40) * 10 * MIB + MIB * random.standard_normal(),
    "a sawtooth": lambda second, random: MIB * 20 * (second % 45) + MIB * random.standard_normal(),
    "noise": lambda second, random: 300 * MIB * random.standard_normal(),
}


@pytest.mark.parametrize("name", FILLS)
def test_what_fills_and_then_is_full_has_no_end(name: str) -> None:
    assert first_told(FILLS[name], 300, 21e9) is None


def test_a_mapped_data_set_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nRssAnon:\t  900 kB\nRssFile:\t  4096 kB\n")
    assert file_backed(tmp_path / "status") == 4 * MIB
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert file_backed(tmp_path / "status") == 0.0
    assert file_backed(tmp_path / "none") == 0.0
    (tmp_path / "data").write_bytes(b"x" * (64 << 20))
    before, resident = file_backed(), psutil.Process().memory_info().rss
    with open(tmp_path / "data", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[place] for place in range(0, len(mapped), 4096)) > 0
        assert psutil.Process().memory_info().rss - resident > 50 * MIB
        assert file_backed() - before > 50 * MIB


def test_when_what_grew_has_stopped_the_end_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr("bedside.system.host_room", lambda: 400 * MIB)
    vitals, hog, told = SystemVitals(), [], []
    for second in range(60):
        if second < 24:
            hog.append(mmap.mmap(-1, 4 << 20))
            hog[-1].write(b"x" * (4 << 20))
        told.append(vitals.read(float(second)).get("system/memory_hours_left"))
    assert told[10] is None
    assert (told[23] or 0.0) < 0.1
    assert told[59] == FAR


def test_the_alarm_of_a_steep_leak_is_amber_soon_and_red_within_minutes_of_the_end() -> None:
    trend, records = MemoryTrend(), []
    for second in range(300):
        used = 20 * MIB * second
        trend.note(float(second), used, 8000 * MIB - used)
        if (hours := trend.hours_left()) is not None:
            value = np.array([[hours]], np.float64)
            at = np.array([second], np.int64)
            records.append(Record(float(second), Metrics(("system/memory_hours_left",), at, np.asarray(at, np.float64), value)))
    (alert,) = judge(records).alerts
    assert (alert.rule, alert.severity) == ("memory-end", "red")
    assert 8000 / 20 / 11 - 5 <= alert.step <= 60
