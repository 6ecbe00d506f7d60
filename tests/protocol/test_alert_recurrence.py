"""Spikes that come back are told with the event they follow, or with their period; accidents and healthy habits are not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import exp

import numpy as np
import pytest
from point_by_point import see

from bedside_protocol.alerts.circumstances import Marks
from bedside_protocol.alerts.conditions import Recurs
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.recurrence import Recurrence
from bedside_protocol.alerts.surroundings import Surroundings
from bedside_protocol.records import AlertChanged, Event, Metrics, Record

PACE = 0.1
RULES = [rule for rule in DEFAULT_RULES if rule.name == "periodic-spikes"]
STEPS = 3000
Events = Mapping[str, Iterable[int]]


def spiking(at: Iterable[int], to: float = 4.4, lasting: float = 8.0, steps: int = STEPS) -> list[float]:
    """A loss around 1 with a tenth of noise, that jumps at these steps and is learnt down again."""
    source = random.Random(1)
    values = [exp(source.gauss(0.0, 0.1)) for _ in range(steps)]
    for begin in at:
        for step in range(begin, min(begin + 40, steps)):
            values[step] *= 1.0 + (to - 1.0) * exp((begin - step) / lasting)
    return values


def run(columns: Mapping[str, Sequence[float]], events: Events | None = None, late: bool = False) -> list[AlertChanged]:
    """What fires. An event of a step stands in the log before the values of that step, or (`late`) right after them."""
    engine, fired = Engine(RULES), []
    marked = sorted((step, name) for name, steps in (events or {}).items() for step in steps)
    cuts = sorted({step + late for step, _ in marked} | set(range(0, STEPS + 50, 50)))
    for begin, end in pairwise(cuts):
        records = [Record(step * PACE, Event(name, step)) for step, name in marked if step == begin - late]
        steps = np.arange(begin, min(end, STEPS))
        if steps.size:
            values = np.array([column[begin:end] for column in columns.values()])
            records.append(Record(float(steps[-1] * PACE), Metrics(tuple(columns), steps, steps * PACE, values)))
        fired += [change for record in records for change in engine.observe(record) if change.state == "firing"]
    return fired


def told(values: Sequence[float], events: Events | None = None, late: bool = False) -> list[tuple[int, str, str]]:
    return [(change.step, change.severity, change.message) for change in run({"loss": values}, events, late)]


REGULAR = range(750, STEPS, 250)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_the_third_spike_after_an_event_names_the_event_and_its_period(delay: int, late: bool) -> None:
    ((step, severity, message),) = told(spiking(step + delay for step in REGULAR), {"reinit": REGULAR, "note": [100, 900]}, late)
    assert (step, severity) == (1251 + delay, "amber")
    assert message.startswith("3 spikes after reinit every 250 steps, 4.")


def test_spikes_at_no_equal_distances_are_told_with_their_event_alone() -> None:
    at = [700, 950, 1500]
    ((step, _, message),) = told(spiking(at), {"swap": at})
    assert step == 1501
    assert message.startswith("3 spikes after swap, 5.")


def test_an_event_that_mostly_does_no_harm_is_named_all_the_same() -> None:
    ((_, _, message),) = told(spiking(REGULAR), {"reinit": range(50, STEPS, 50)})
    assert message.startswith("3 spikes after reinit every 250 steps")


def test_an_event_at_every_step_is_no_news_nor_is_one_at_every_tenth() -> None:
    at = [700, 950, 1500]
    assert told(spiking(at), {"epoch": range(STEPS)}) == told(spiking(at), {"epoch": range(0, STEPS, 10)}) == []


def test_without_events_the_period_is_told_once_it_can_be_no_accident() -> None:
    ((step, _, message),) = told(spiking(REGULAR))
    assert step == 1501
    assert message.startswith("4 spikes every 250 steps, 5.")


def test_a_long_name_is_cut() -> None:
    ((_, _, message),) = told(spiking(REGULAR), {"re-initialisation of the whole codebook": REGULAR})
    assert message.startswith("3 spikes after re-initialisati… every 250 steps")
    assert len(message) <= 60


def test_the_alarm_is_over_when_the_spikes_are() -> None:
    engine = Engine(RULES)
    at = [750, 1000, 1250]
    states = []
    for step, value in enumerate(spiking(at)):
        records = [Record(step * PACE, Event("reinit", step))] if step in at else []
        records.append(Record(step * PACE, Metrics(("loss",), np.array([step]), np.array([step * PACE]), np.array([[value]]))))
        states += [(change.state, change.step) for record in records for change in engine.observe(record)]
    assert states[-2:] == [("firing", 1251), ("cleared", 1250 + 376 + 1000)]


def test_parts_are_looked_at_and_the_first_to_tell_speaks_for_all() -> None:
    calm, sick = spiking([]), spiking(REGULAR)
    part = run({"loss": calm, "loss/vq": sick}, {"reinit": REGULAR})
    assert [change.target for change in part] == ["loss/vq"]
    both = run({"loss": sick, "loss/vq": sick}, {"reinit": REGULAR})
    assert [change.target for change in both] == ["loss"]


@pytest.mark.parametrize(
    ("values", "events"),
    [
        pytest.param(spiking([1000]), {"reinit": [1000]}, id="one spike"),
        pytest.param(spiking([700, 1000]), {"reinit": [700, 1000]}, id="two spikes"),
        pytest.param(spiking([700, 1000, 1900, 2150, 2700]), {}, id="irregular"),
        pytest.param(spiking([700, 1000, 1900, 2150, 2700]), {"reinit": [300, 1200, 2400]}, id="not after the event"),
        pytest.param(spiking(REGULAR, to=1.5, lasting=40), {"restart": REGULAR}, id="warm restarts"),
        pytest.param(spiking(range(5, STEPS, 10), to=3.0, lasting=0.1), {}, id="one long sequence in ten"),
        pytest.param([3.0 if step % 2 else 1.0 for step in range(STEPS)], {}, id="long and short in turn"),
        pytest.param([1.0 + 0.3 * (step % 100) / 100 for step in range(STEPS)], {"epoch": range(0, STEPS, 100)}, id="sawtooth"),
        pytest.param([2.5 ** (step // 600) for step in range(STEPS)], {"stage": range(0, STEPS, 600)}, id="steps that stay"),
        pytest.param([0.5 - value for value in spiking([])], {}, id="around zero"),
    ],
)
def test_what_is_no_pattern_or_a_healthy_habit_is_left_alone(values: list[float], events: dict[str, Iterable[int]]) -> None:
    assert told(values, events) == []


def test_spikes_by_accident_among_frequent_events_rarely_agree() -> None:
    """Sixty runs with eight spikes each at random, and an event marked every 40 steps that has nothing to do with them."""
    source = random.Random(2)
    runs = [[step + source.randrange(9) for step in sorted(source.sample(range(200, STEPS, 60), 8))] for _ in range(60)]
    assert sum(bool(told(spiking(at), {"shard": range(7, STEPS, 40)})) for at in runs) <= 1


def test_a_loss_logged_every_fifty_steps_has_its_points_counted() -> None:
    marks = Marks()
    for step in range(5000, 20000, 5000):
        marks.take(Event("reload", step))
    test = Recurrence(Recurs(), marks, Surroundings())
    values = [5.0 if step in (5050, 10050, 15050) else 1.0 + 0.01 * (step % 3) for step in range(0, 20000, 50)]
    found = [step for step, value in zip(range(0, 20000, 50), values, strict=True) if see(test, step, value) == 1]
    assert found[0] == 15100
    assert test.facts()["why"] == "3 spikes after reload every 5,000 steps"
    assert repr(test) == "<Recurrence 3 spikes: 3 spikes after reload every 5,000 steps>"


def test_marks_remember_so_much_and_the_rate_is_of_what_they_remember() -> None:
    marks = Marks()
    for step in range(5000):
        marks.take(Event("each", step))
    marks.take(Event("rare", 4000))
    assert marks.rate("each", 0, 4999) == 1.0
    assert marks.rate("rare", 0, 4999) == 1 / 5000
    assert marks.near(3999, 4001) == {"each", "rare"}
    assert marks.rate("never", 0, 4999) == 0.0
