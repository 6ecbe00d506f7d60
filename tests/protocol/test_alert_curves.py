"""The tests behind the rules on curves, one quantity at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain, repeat
from math import exp
from statistics import median_high

import pytest
from hypothesis import given
from hypothesis import strategies as st
from point_by_point import levels, see

from bedside_protocol.alerts.conditions import LostLevel
from bedside_protocol.alerts.explosion import Explosion
from bedside_protocol.alerts.learning import NeverLearns
from bedside_protocol.alerts.level import LossLevel
from bedside_protocol.alerts.levels import AMBER, OK, RED, UNCHECKED
from bedside_protocol.alerts.median import RollingMedian
from bedside_protocol.alerts.surroundings import SPARSE, Surroundings


def series(notation: str) -> list[float]:
    """Values in the notation rule tests are written in: `5` once, `5x3` four times, `1+2x3` is 1 3 5 7, `9-2x2` is 9 7 5."""
    return list(chain.from_iterable(_expand(word) for word in notation.split()))


def _expand(word: str) -> Iterator[float]:
    head, _, times = word.partition("x")
    sign = max(head.rfind("+"), head.rfind("-"))
    start, slope = (float(head), 0.0) if sign <= 0 else (float(head[:sign]), float(head[sign:]))
    return (start + slope * i for i in range(int(times or 0) + 1))


def falling(n: int, seed: int = 0, start: float = 2.3, end: float = 0.05, pace: float = 500.0, noise: float = 0.15) -> list[float]:
    """A loss that learns: exponential towards `end`, with noise in proportion."""
    source = random.Random(seed)
    return [(end + (start - end) * exp(-i / pace)) * exp(source.gauss(0.0, noise)) for i in range(n)]


def test_the_notation_expands() -> None:
    assert series("1+2x3 5 -1x1 9-2x2") == [1, 3, 5, 7, 5, -1, -1, 9, 7, 5]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 12))
def test_a_rolling_median_is_the_median_of_the_last_values(values: list[float], size: int) -> None:
    rolling = RollingMedian(size)
    for i, value in enumerate(values):
        assert rolling.push(value) == median_high(values[max(0, i + 1 - size) : i + 1])
    assert len(rolling) == min(size, len(values))


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_that_learns_keeps_its_level(seed: int) -> None:
    assert set(levels(LossLevel(LostLevel(), Surroundings()), falling(4000, seed))) == {UNCHECKED, OK}


def test_a_level_is_not_judged_before_its_window_is_full() -> None:
    test = LossLevel(LostLevel(), Surroundings())
    assert levels(test, [1.0] * 50) == [UNCHECKED] * 50
    assert test.waiting == "fewer than 51 values"
    assert see(test, 50, 1.0) == OK


def test_a_level_lost_for_good_is_amber_and_red_after_fifty_points() -> None:
    found = levels(LossLevel(LostLevel(), Surroundings()), falling(2000) + falling(200, start=1.0, end=1.0))
    first = found.index(AMBER)
    assert 2000 < first < 2040
    assert found[first : first + 60] == [AMBER] * 49 + [RED] * 11


def test_a_single_spike_does_not_move_the_level() -> None:
    values = falling(2000)
    values[1500] = 1e6
    assert set(levels(LossLevel(LostLevel(), Surroundings()), values)) == {UNCHECKED, OK}


def test_a_level_that_comes_back_is_well_again() -> None:
    found = levels(LossLevel(LostLevel(), Surroundings()), falling(2000) + [1.0] * 40 + [0.05] * 100)
    assert AMBER in found
    assert RED not in found
    assert found[-1] == OK


def test_a_loss_twice_above_its_start_is_lost_even_where_noise_is_large() -> None:
    source = random.Random(3)
    noisy = [exp(source.gauss(0.0, 1.0)) for _ in range(100)]
    assert levels(LossLevel(LostLevel(), Surroundings()), noisy + [value * 1000 for value in noisy])[-1] == RED


def test_a_logged_one_in_fifty_loss_is_judged_by_short_windows() -> None:
    values = falling(2000)[::50]
    found = levels(LossLevel(LostLevel(), Surroundings(SPARSE)), [*values, *[2.0] * 20], stride=50)
    assert found.index(OK) == 10
    assert found.index(RED) - len(values) < 12


def test_after_a_resume_only_a_level_far_above_the_first_is_lost() -> None:
    memorised = [0.02] * 60 + [0.001] * 300 + [0.015] * 300
    assert RED in levels(LossLevel(LostLevel(), Surroundings()), memorised)
    assert set(levels(LossLevel(LostLevel(), Surroundings(), scratch=False), memorised)) == {UNCHECKED, OK}
    assert RED in levels(LossLevel(LostLevel(), Surroundings(), scratch=False), [*memorised, *[0.5] * 100])


def test_a_loss_below_zero_is_judged_in_linear_space() -> None:
    likelihood = [3.0 - 10.0 * (1.0 - exp(-i / 300.0)) + 0.1 * (i % 3) for i in range(2000)]
    healthy = LossLevel(LostLevel(), Surroundings())
    assert set(levels(healthy, likelihood)) == {UNCHECKED, OK}
    assert healthy.best == pytest.approx(-6.9, abs=0.1)
    assert levels(LossLevel(LostLevel(), Surroundings()), likelihood + [20.0 + 0.1 * (i % 3) for i in range(200)])[-1] == RED


def test_a_surrogate_around_zero_has_no_level_to_lose() -> None:
    source = random.Random(1)
    assert RED not in levels(LossLevel(LostLevel(), Surroundings()), [source.gauss(0.0, 0.02) for _ in range(5000)])


def test_a_loss_of_exactly_zero_is_a_very_low_one() -> None:
    found = levels(LossLevel(LostLevel(), Surroundings()), falling(500) + [0.0] * 300 + [1e-5] * 300)
    assert set(found) == {UNCHECKED, OK}


def test_noise_below_a_ten_thousandth_of_the_start_is_no_event() -> None:
    assert set(levels(LossLevel(LostLevel(), Surroundings()), series("1x99 0.000000001x299 0.00005x299"))) == {UNCHECKED, OK}


def test_an_explosion_is_two_of_three_values_and_never_one() -> None:
    assert levels(Explosion(1.5, Surroundings()), [1.0] * 51 + series("9 1 9 1 1 9 1 1 1"))[51:] == [OK, OK, RED, OK, OK, OK, OK, OK, OK]
    assert levels(Explosion(1.5, Surroundings()), [1.0] * 51 + series("9 9 1 1"))[51:] == [OK, RED, OK, OK]


def test_below_the_first_value_nothing_explodes() -> None:
    assert set(levels(Explosion(1.5, Surroundings()), [10.0] + [1.0] * 60 + [9.9] * 20)) == {UNCHECKED, OK}


def test_the_wobble_of_the_first_steps_is_not_judged() -> None:
    assert set(levels(Explosion(1.5, Surroundings()), series("4.4 3.7 3.8 4.7 7 5.7 9 5.3 4 3.7") + [3.0] * 80)) == {UNCHECKED, OK}


def test_a_flat_loss_is_amber_from_step_1000() -> None:
    test = NeverLearns()
    found = levels(test, [2.3] * 1100)
    assert set(found[:1000]) == {UNCHECKED}
    assert set(found[1000:]) == {AMBER}
    assert test.waiting == "before step 1,000"


def test_a_loss_that_learns_late_is_well_from_then_on() -> None:
    found = levels(NeverLearns(), [2.3] * 1500 + [1.0] * 200 + [5.0] * 200)
    assert found[1400] == AMBER
    assert set(found[1700:]) == {OK}


def test_a_loss_logged_seldom_is_compared_with_its_first_value() -> None:
    assert AMBER not in levels(NeverLearns(), [134.0] + [69.0] * 60, stride=50)


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_that_learns_is_never_said_not_to(seed: int) -> None:
    assert AMBER not in levels(NeverLearns(), falling(1500, seed))


def test_the_tests_print_as_what_they_know() -> None:
    level, explosion, learning = LossLevel(LostLevel(), Surroundings()), Explosion(1.5, Surroundings()), NeverLearns()
    for test in (level, explosion, learning):
        levels(test, list(chain([2.0] * 60, repeat(9.0, 3))))
    assert repr(level) == "<LossLevel log best 2, bad for 0>"
    assert repr(explosion) == "<Explosion 9 against 2>"
    assert repr(learning) == "<NeverLearns waiting nan of 2>"
