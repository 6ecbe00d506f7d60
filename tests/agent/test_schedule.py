"""When a probe is due, and what holding the budget does to its schedule."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.schedule import BUDGET, NEVER, Schedule, allowances, every, load, log_spaced, on_demand, stretches


def due_steps(schedule: Schedule, count: int, stretch: int = 1, start: int = 0) -> list[int]:
    def walk():
        step = start
        while True:
            step = schedule.after(step, stretch)
            yield step

    return list(islice(walk(), count))


def test_every_fifty_steps_is_due_at_the_multiples_of_fifty() -> None:
    assert due_steps(every(50), 3) == [50, 100, 150]
    assert due_steps(every(50), 2, start=1234) == [1250, 1300]


def test_early_steps_come_before_the_first_multiple_and_are_not_stretched_away() -> None:
    assert due_steps(every(50, early=(1, 20, 5)), 5) == [1, 5, 20, 50, 100]
    assert due_steps(every(50, early=(1, 5, 20)), 5, stretch=4) == [1, 5, 20, 200, 400]


def test_a_log_spaced_probe_is_due_equally_often_in_every_decade() -> None:
    steps = due_steps(log_spaced(4), 14)
    assert steps[:8] == [1, 2, 3, 6, 10, 18, 32, 56]
    assert sum(10 <= step < 100 for step in steps) == sum(100 <= step < 1000 for step in steps) == 4


@given(st.integers(1, 12), st.integers(0, 10**7), st.integers(0, 10).map(lambda power: 2**power))
def test_a_stretched_log_spaced_gap_is_at_least_the_stretch_times_as_long(per_decade: int, step: int, stretch: int) -> None:
    schedule = log_spaced(per_decade)
    plain = schedule.after(step)
    assert plain > step
    if step:
        assert schedule.after(step, stretch) - step >= (plain - step) * stretch


def test_a_probe_on_demand_is_never_due_by_itself() -> None:
    assert on_demand().after(10**9) == NEVER
    assert load(on_demand(), 5, cost=3.0, step_seconds=0.01) == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [lambda: every(0), lambda: every(-1), lambda: log_spaced(0)])
def test_a_schedule_that_means_nothing_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        wrong()


def test_the_load_is_the_share_of_step_time_at_the_schedules_own_pace() -> None:
    assert load(every(50), 123, cost=0.005, step_seconds=0.01) == pytest.approx(0.01)
    assert load(every(50), 123, cost=0.005, step_seconds=0.0) == 0.0


def test_what_a_cheap_probe_leaves_over_goes_to_the_dear_ones() -> None:
    assert allowances([0.001, 0.5, 0.5], 0.011) == pytest.approx([0.001, 0.005, 0.005])
    assert allowances([0.001, 0.002], 0.01) == pytest.approx([0.001, 0.002])


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=8))
def test_stretched_schedules_together_keep_the_budget(loads: list[float]) -> None:
    factors = stretches(loads, BUDGET)
    assert sum(full / factor for full, factor in zip(loads, factors, strict=True)) <= BUDGET * (1 + 1e-6)


def test_schedules_within_the_budget_are_left_alone_and_stretched_ones_stay_subsets_of_those_asked_for() -> None:
    assert stretches([0.004, 0.005]) == [1, 1]
    assert stretches([0.03]) == [4]
    asked = set(due_steps(every(50), 400))
    assert asked.issuperset(due_steps(every(50), 20, stretch=4))
    assert all(later - earlier == 200 for earlier, later in pairwise(due_steps(every(50), 20, stretch=4)))
