"""One value far above its level, and a loss that breaks away from one: neither needs a beginning."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import exp, inf

import numpy as np
import pytest
from point_by_point import levels, see

from bedside_protocol.alerts.conditions import Explodes, Spikes
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.levels import AMBER, OK, UNCHECKED
from bedside_protocol.alerts.spike import BreakAway, Spike
from bedside_protocol.alerts.surroundings import SPARSE, Surroundings
from bedside_protocol.records import AlertChanged, Metrics, Record, RunStarted

PACE = 0.1


def noisy(n: int, level: float = 1.0, sigma: float = 0.1, pace: float = inf) -> list[float]:
    """Noise around a level; with a pace, one that falls to a third in so many steps."""
    source = random.Random(0)
    return [level * exp(source.gauss(0.0, sigma) - i / pace) for i in range(n)]


def run(values: Sequence[float], start: int = 0, continues: str = "", rows: int = 50) -> list[AlertChanged]:
    engine = Engine()
    changes = engine.observe(Record(0.0, RunStarted("b", "b", "b", 0.0, continues=continues)))
    for at in range(0, len(values), rows):
        steps = start + np.arange(at, min(at + rows, len(values)))
        block = Metrics(("loss",), steps, np.asarray(steps * PACE, np.float64), np.array([values[at : at + rows]]))
        changes += engine.observe(Record(float(steps[-1] * PACE), block))
    return changes


def fired(changes: Sequence[AlertChanged]) -> list[tuple[str, str]]:
    return [(change.rule, change.severity) for change in changes if change.state == "firing"]


def test_a_bad_batch_is_a_spike_and_no_explosion() -> None:
    values = noisy(2000, level=0.2, pace=1000)
    values[1200] = 11.6
    changes = run(values)
    assert fired(changes) == [("spike", "amber")]
    story = [(change.state, change.step) for change in changes if change.rule == "spike"]
    assert story[-3:] == [("pending", 1200), ("firing", 1201), ("cleared", 1402)]
    (told,) = [change for change in changes if change.state == "firing"]
    assert told.message == "11.6, 187× its level"
    assert (told.first_step, told.value) == (1200, 11.6)


def test_two_spikes_close_together_are_one_episode() -> None:
    values = noisy(2000, pace=1000)
    values[1200] = values[1300] = 50.0
    assert fired(run(values)) == [("spike", "amber")]


def test_a_value_within_the_noise_of_its_level_is_no_spike() -> None:
    values = noisy(2000, sigma=0.8, pace=1000)
    values[1200] = 5.0
    assert fired(run(values, start=5000)) == []


def test_a_value_less_than_twice_its_level_is_no_spike_however_quiet_the_level() -> None:
    values = noisy(2000, sigma=0.001, pace=10_000)
    values[1200] *= 1.9
    assert fired(run(values)) == []


def test_a_second_value_that_stands_out_takes_the_spike_back() -> None:
    test = Spike(Spikes(), Surroundings())
    assert levels(test, [*noisy(60), 50.0, 50.0, 50.0, 1.0, 1.0])[60:] == [AMBER, OK, OK, OK, OK]
    assert repr(test).startswith("<Spike 50 in <Surroundings log level")


def test_a_spike_is_not_looked_for_before_there_is_a_level() -> None:
    test = Spike(Spikes(), Surroundings(SPARSE))
    assert levels(test, [1.0, 2.0, 50.0, *noisy(7)]) == [UNCHECKED] * 10
    assert test.waiting == "fewer than 11 values"
    assert see(test, 10, 50.0) == UNCHECKED  # of the eleventh there is none before it


def test_a_loss_below_zero_spikes_by_its_own_size() -> None:
    values = [-5.0 + 0.1 * (i % 3) for i in range(300)]
    values[200] = 40.0
    assert levels(Spike(Spikes(), Surroundings()), values)[200:203] == [AMBER, AMBER, OK]
    values[200] = -3.0
    assert AMBER not in levels(Spike(Spikes(), Surroundings()), values)


def test_a_loss_at_nothing_has_no_level_to_spike_from() -> None:
    values = [*noisy(200), *[0.0] * 200, 1e-5, *[0.0] * 10]
    assert AMBER not in levels(Spike(Spikes(), Surroundings()), values)


def test_ten_of_fifteen_values_that_stand_out_break_away_and_a_burst_of_nine_does_not() -> None:
    between = [50.0, 50.0, 1.0] * 5 + [1.0] * 20
    assert levels(BreakAway(Explodes(), Surroundings()), [*noisy(100), *between]).index(AMBER) == 100 + 13
    assert AMBER not in levels(BreakAway(Explodes(), Surroundings()), [*noisy(100), *[50.0] * 9, *noisy(50)])


def test_where_few_values_are_logged_three_of_four_break_away() -> None:
    values = [*noisy(100), 50.0, 1.0, 50.0, 50.0, *noisy(20)]
    assert levels(BreakAway(Explodes(), Surroundings(SPARSE)), values).index(AMBER) == 103
    assert AMBER not in levels(BreakAway(Explodes(), Surroundings(SPARSE)), [*noisy(100), 50.0, 50.0, *noisy(20)])


@pytest.mark.parametrize(("start", "continues"), [(0, "a"), (5000, "")], ids=["continues", "first step far on"])
def test_a_resumed_run_explodes_amber_and_is_red_by_its_level_alone(start: int, continues: str) -> None:
    changes = run(noisy(500) + [50.0] * 200, start, continues)
    assert fired(changes) == [("explosion", "amber"), ("loss-level", "red")]
    amber, red = [change for change in changes if change.state == "firing"]
    assert amber.step == start + 509
    assert amber.message == "50, 49× its level, which was 1.021"
    assert red.step > amber.step + 50


def test_a_resumed_run_that_only_falls_explodes_nowhere() -> None:
    changes = run(noisy(2000, pace=500), start=5000)
    assert fired(changes) == []
    assert [change.state for change in changes if change.rule == "explosion"][-1] == "ok"
