"""The machinery of the soak: it tells what grows from what does not, and finds a leak in a real training."""

from __future__ import annotations

import random

import pytest
import soak_report
from flatness import slope, thinned
from soak_report import page, verdicts
from soaking import soak

MINUTES = [60.0 * minute for minute in range(25)]


def test_a_burst_does_not_bend_a_slope_and_a_drift_is_found_under_noise() -> None:
    noise = random.Random(1)
    flat = [100 + noise.uniform(-1, 1) + (40 if minute == 12 else 0) for minute in range(25)]
    assert slope(MINUTES, flat).against(16) == "flat"
    drifting = [value + minute for minute, value in enumerate(flat)]  # a MiB a minute
    found = slope(MINUTES, drifting)
    assert found.low < 60 < found.high
    assert found.against(16) == "grows"


def test_where_the_interval_is_wider_than_the_bound_nothing_is_decided() -> None:
    noise = random.Random(2)
    assert slope(MINUTES[:6], [noise.uniform(0, 50) for _ in range(6)]).against(16) == "not decided"


def test_samples_become_the_medians_of_their_minutes() -> None:
    assert thinned([0, 1, 2, 60, 61, 125], [1, 9, 2, 5, 7, 3], 60) == ([1, 60.5, 125], [2, 6, 3])


def test_a_training_that_leaks_is_found_and_its_hub_and_its_viewer_are_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_report, "WARMING", 8.0)
    soaked = soak(16, every=1.5, leak=200_000)
    assert soaked.troubles == []
    assert len(soaked.kinds) == 7, soaked.kinds
    bound = 1024.0  # MiB an hour: a third of a MiB a second, for allocators that settle in the first seconds
    assert {verdict.name: verdict.judgement == "grows" for verdict in verdicts(soaked, bound)} == {
        "trainer": True,
        "hub": False,
        "viewer": False,
    }
    text = page(soaked, "make soak MINUTES=0.3", bound)
    assert "`make soak MINUTES=0.3`" in text
    assert [line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| trainer")] == ["grows"]
