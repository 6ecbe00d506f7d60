"""Which probes are measured at a boundary, what holds their cost, and that nothing they do reaches the training."""

from __future__ import annotations

import copy
import gc
import pickle
import time
from collections import Counter
from collections.abc import Mapping

import pytest

from bedside.probes.codebook import Codebook
from bedside.probes.probe import Gone, Probe, SilentProbe
from bedside.probes.probe_set import ProbeSet
from bedside.schedule import Schedule, every, log_spaced, on_demand
from bedside_protocol.records import ProbeDeclared, Snapshot


class Steps(Probe):
    """Tells the step, and says it cost `seconds`: costs and steps of many seconds, beside which the test's own do not count."""

    kind = "steps"

    def __init__(self, name: str, schedule: Schedule, seconds: float = 0.0) -> None:
        super().__init__(name, schedule)
        self.seconds = seconds

    def measure(self, step: int) -> Snapshot | None:
        return Snapshot(self.name, self.kind, step, {"step": float(step)}, cost=self.seconds)


class Working(Steps):
    """Takes the time it says."""

    def measure(self, step: int) -> Snapshot | None:
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            pass
        return Snapshot(self.name, self.kind, step, {})


class FedOneStep(Steps):
    """Notes whether it was wanted during the step it tells of."""

    lead = 1

    def __init__(self, name: str, schedule: Schedule) -> None:
        super().__init__(name, schedule)
        self.fed: list[bool] = []

    def measure(self, step: int) -> Snapshot | None:
        return super().measure(step) if self.fed and self.fed[-1] else None


class Faulty(Steps):
    def __init__(self, error: Exception) -> None:
        super().__init__("faulty", every(5))
        self.error = error

    def measure(self, step: int) -> Snapshot | None:
        raise self.error


def measured_steps(probes: ProbeSet, steps: range, seconds: float = 1000.0) -> list[int]:
    return [snapshot.step for step in steps for snapshot in probes.boundary(step, seconds)]


@pytest.fixture
def probes(problems: Counter[str]) -> ProbeSet:
    """Steps take 1000 s here: a measurement is slow from as many times its usual second."""
    return ProbeSet(problem=lambda text: problems.update([text]), slow=1e6)


@pytest.fixture
def usual(problems: Counter[str]) -> ProbeSet:
    return ProbeSet(problem=lambda text: problems.update([text]))


def test_a_probe_is_measured_at_its_due_steps_and_declared_once(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(10)))
    assert probes.declared() == [ProbeDeclared("s", "steps", 10, {})]
    assert probes.declared() == []
    assert measured_steps(probes, range(1, 41)) == [10, 20, 30, 40]


def test_a_probe_added_in_the_middle_of_a_run_begins_there(probes: ProbeSet) -> None:
    probes.boundary(1, 1.0)
    assert measured_steps(probes, range(2, 100)) == []
    probes.add(Steps("late", every(10)))
    assert measured_steps(probes, range(100, 121)) == [100, 110, 120]


def test_a_jump_over_a_due_step_is_measured_after_the_jump(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(10)))
    assert measured_steps(probes, range(7, 70, 7)) == [14, 21, 35, 42, 56, 63]


def test_going_back_to_an_earlier_step_measures_it_again(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(10)))
    assert measured_steps(probes, range(1, 36)) == [10, 20, 30]
    assert measured_steps(probes, range(12, 25)) == [20]


def test_a_second_probe_of_a_name_gets_a_number(probes: ProbeSet) -> None:
    first, second = Codebook("vq", 8), Codebook("vq", 8)
    probes.add(first)
    probes.add(second)
    assert [declared.probe for declared in probes.declared()] == ["vq", "vq-2"]


def test_a_probe_asked_for_is_measured_at_the_next_boundary(probes: ProbeSet) -> None:
    probes.add(Steps("s", on_demand()))
    assert measured_steps(probes, range(1, 30)) == []
    assert probes.demand("s")
    assert not probes.demand("nobody")
    assert measured_steps(probes, range(30, 60)) == [30]


def test_a_probe_that_must_see_a_step_is_fed_in_the_step_it_tells_of_and_in_no_other(probes: ProbeSet) -> None:
    probe = FedOneStep("s", every(10))
    probes.add(probe)
    for step in range(1, 41):
        probe.fed.append(probe.armed)
        probes.boundary(step, 1.0)
    assert [step for step, fed in enumerate(probe.fed, 1) if fed] == [10, 20, 30, 40]


def test_a_probe_that_must_see_a_step_and_is_asked_for_tells_of_the_step_after(probes: ProbeSet) -> None:
    probe = FedOneStep("s", on_demand())
    probes.add(probe)
    told = []
    for step in range(1, 10):
        if step == 4:
            probes.demand("s")
        probe.fed.append(probe.armed)
        told += [snapshot.step for snapshot in probes.boundary(step, 1.0)]
    assert told == [5]


def test_a_probe_with_nothing_to_tell_is_asked_ever_more_rarely(probes: ProbeSet) -> None:
    class Silent(Steps):
        asked: list[int] = []  # noqa: RUF012 - one probe, one test

        def measure(self, step: int) -> Snapshot | None:
            self.asked.append(step)
            return None

    probes.add(Silent("s", every(10)))
    assert measured_steps(probes, range(1, 60)) == []
    assert Silent.asked == [10, 11, 13, 17, 25, 35, 45, 55]


def test_the_cost_of_a_snapshot_is_the_time_it_took_of_the_training_thread(probes: ProbeSet) -> None:
    probes.add(Working("s", every(1), seconds=0.003))
    began = time.perf_counter()
    (snapshot,) = probes.boundary(1, 10.0)
    assert 0.003 <= snapshot.cost <= time.perf_counter() - began


def test_a_dear_probe_is_stretched_until_it_keeps_the_budget_and_says_so(probes: ProbeSet) -> None:
    probes.add(Steps("dear", every(10), seconds=2000.0))
    probes.declared()
    steps = measured_steps(probes, range(1, 4001), seconds=1000.0)
    assert steps[-1] - steps[-2] == 320  # 2 of every 1 need 200 steps for one per cent; the next power of two is 32 × 10
    assert probes.declared() == [ProbeDeclared("dear", "steps", 320, {})]


def test_a_probe_that_became_cheap_is_measured_as_often_as_asked_again(probes: ProbeSet) -> None:
    probe = Steps("s", every(10), seconds=2000.0)
    probes.add(probe)
    measured_steps(probes, range(1, 1001))
    probe.seconds = 0.0
    assert measured_steps(probes, range(1001, 3000))[-2:] == [2980, 2990]


def test_a_cost_that_wavers_around_the_budget_does_not_move_the_schedule_to_and_fro(probes: ProbeSet) -> None:
    probe = Steps("s", every(10))
    probes.add(probe)
    declared = []
    for step in range(1, 4001):
        probe.seconds = (80.0, 90.0, 110.0, 120.0)[step // 150 % 4]
        probes.boundary(step, 1000.0)
        declared += [one.every for one in probes.declared()]
    assert declared == [10, 20]


def test_a_dear_probe_does_not_slow_a_cheap_one_down(probes: ProbeSet) -> None:
    probes.add(Steps("dear", every(10), seconds=5000.0))
    probes.add(Steps("cheap", every(10), seconds=10.0))
    told = [snapshot for step in range(1, 2001) for snapshot in probes.boundary(step, 1000.0)]
    assert sum(snapshot.probe == "cheap" for snapshot in told) == 200
    assert sum(snapshot.cost for snapshot in told if 720 < snapshot.step <= 2000) <= 0.01 * 1280 * 1000.0


def test_a_first_slow_measurement_stretches_nothing_and_later_ones_at_most_fourfold_each(probes: ProbeSet) -> None:
    probe = Steps("s", every(10), seconds=50_000.0)
    probes.add(probe)
    assert measured_steps(probes, range(1, 641)) == [10, 20, 40, 160, 640]


TAKES_LONG = "probe s: a measurement takes long: it is measured more rarely, so that probes keep to 1% of step time"


def test_a_measurement_of_seconds_is_repeated_no_sooner_than_the_budget_allows_from_the_first_on(
    usual: ProbeSet, problems: Counter[str]
) -> None:
    usual.add(Steps("s", every(10, early=(1, 2, 5)), seconds=3.0))
    told = measured_steps(usual, range(1, 12_001), seconds=0.1)
    assert told[0] == 1
    assert 3000 < told[1] <= 6000
    assert 3000 < told[2] - told[1] <= 6000
    assert problems == {TAKES_LONG: 1}


def test_a_measurement_of_milliseconds_slower_than_the_budget_is_repeated_at_once_as_before(
    usual: ProbeSet, problems: Counter[str]
) -> None:
    usual.add(Steps("s", every(10), seconds=0.5))
    assert measured_steps(usual, range(1, 200), seconds=0.1) == [10, 20, 40, 160]
    assert not problems


def test_one_slow_measurement_among_quick_ones_waits_once_and_the_schedule_comes_back(usual: ProbeSet) -> None:
    probe = Steps("s", every(10))
    usual.add(probe)
    measured_steps(usual, range(1, 101), seconds=0.1)
    probe.seconds = 2.0
    assert measured_steps(usual, range(101, 111), seconds=0.1) == [110]
    probe.seconds = 0.0
    assert measured_steps(usual, range(111, 2141), seconds=0.1) == [2120, 2130, 2140]


def test_a_slow_probe_that_is_within_the_budget_keeps_its_schedule(usual: ProbeSet, problems: Counter[str]) -> None:
    usual.add(Steps("s", every(10), seconds=5.0))
    assert measured_steps(usual, range(1, 31), seconds=60.0) == [10, 20, 30]
    assert not problems


def test_a_slow_measurement_is_made_when_a_person_asks_for_it(usual: ProbeSet) -> None:
    usual.add(Steps("s", every(10), seconds=60.0))
    assert measured_steps(usual, range(1, 100), seconds=0.1) == [10]
    usual.demand("s")
    assert measured_steps(usual, range(100, 200), seconds=0.1) == [100]


@pytest.mark.parametrize("fails", [True, False])
def test_a_slow_measurement_that_brings_nothing_waits_for_the_budget_too(problems: Counter[str], fails: bool) -> None:
    class Futile(Steps):
        asked = 0

        def measure(self, step: int) -> Snapshot | None:
            self.asked += 1
            until = time.perf_counter() + 0.02
            while time.perf_counter() < until:
                pass
            if fails:
                raise RuntimeError("out of memory")
            return None

    probe = Futile("s", every(1))
    probes = ProbeSet(problem=lambda text: problems.update([text]), slow=0.01)
    probes.add(probe)
    assert measured_steps(probes, range(1, 1000), seconds=0.001) == []
    assert probe.asked == 1
    assert problems[TAKES_LONG] == 1


def test_a_probe_is_measured_at_another_rate_when_asked_and_declared_again(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(10)))
    probes.declared()
    assert measured_steps(probes, range(1, 21)) == [10, 20]
    assert probes.reschedule("s", 4) == 4
    assert probes.declared() == [ProbeDeclared("s", "steps", 4, {})]
    assert measured_steps(probes, range(21, 31)) == [24, 28]


@pytest.mark.parametrize("never", [0, -3])
def test_a_rate_of_zero_measures_on_demand_only(probes: ProbeSet, never: int) -> None:
    probes.add(Steps("s", every(2)))
    assert probes.reschedule("s", never) == 0
    assert [declared.every for declared in probes.declared()] == [0]
    assert measured_steps(probes, range(1, 100)) == []
    probes.demand("s")
    assert measured_steps(probes, range(100, 200)) == [100]


def test_a_rate_for_nobody_changes_nothing(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(10)))
    assert probes.reschedule("nobody", 4) is None
    assert measured_steps(probes, range(1, 21)) == [10, 20]


def test_a_rate_the_budget_does_not_allow_is_stretched_at_once(probes: ProbeSet) -> None:
    probes.add(Steps("s", every(1000), seconds=2000.0))
    measured_steps(probes, range(1, 3001))
    assert probes.reschedule("s", 10) == 320


class FedTwoSteps(Steps):
    """Must see the measured step and the one before."""

    lead = 2


@pytest.mark.parametrize("before", [1, 2, 10, None])
def test_a_window_follows_the_new_rate_and_a_probe_of_one_step_or_two_stays_one(probes: ProbeSet, before: int | None) -> None:
    schedule = on_demand() if before is None else every(before)
    codes, one_step, two_steps = Codebook("vq", 4, every=schedule), FedOneStep("one", schedule), FedTwoSteps("two", schedule)
    for probe in (codes, one_step, two_steps):
        probes.add(probe)
        assert probes.reschedule(probe.name, 30) == 30
    fed = []
    for step in range(1, 31):
        fed.append((codes.armed, one_step.armed, two_steps.armed))
        codes.observe([0, 1])
        one_step.fed.append(one_step.armed)
        probes.boundary(step, 1000.0)
    assert fed == [(True, step == 30, step >= 29) for step in range(1, 31)]


class Reading(Steps):
    """Keeps what it is told of."""

    reads = ("loss", "lr")

    def __init__(self, name: str = "reading") -> None:
        super().__init__(name, every(10))
        self.told: list[tuple[int, float | None]] = []
        self.epochs: list[int] = []

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        self.told.append((step, row.get("loss")))

    def epoch(self, number: int) -> None:
        self.epochs.append(number)


class Raising(Reading):
    """Fails whatever it is told."""

    def logged(self, step: int, row: Mapping[str, float]) -> None:
        raise KeyError("loss")

    def epoch(self, number: int) -> None:
        raise ValueError(number)


def test_a_probe_is_told_of_the_rows_that_hold_a_metric_it_reads(probes: ProbeSet) -> None:
    assert not probes.reads_metrics
    probe = Reading()
    probes.add(Steps("s", every(10)))
    assert not probes.reads_metrics
    probes.add(probe)
    assert probes.reads_metrics
    probes.logged(1, {"loss": 0.5, "acc": 0.1})
    probes.logged(2, {"acc": 0.1})
    probes.logged(3, {"lr": 0.1})
    assert probe.told == [(1, 0.5), (3, None)]
    assert probe.feeding > 0.0


def test_a_probe_that_fails_at_what_it_is_told_is_named_and_the_others_are_told(probes: ProbeSet, problems: Counter[str]) -> None:
    healthy = Reading("healthy")
    probes.add(Raising("raising"))
    probes.add(healthy)
    probes.logged(1, {"loss": 0.5})
    probes.epoch(3)
    assert (healthy.told, healthy.epochs) == ([(1, 0.5)], [3])
    assert problems == {
        "probe raising: metrics that cannot be read (KeyError)": 1,
        "probe raising: an epoch that cannot be read (ValueError)": 1,
    }


def test_after_the_end_nobody_is_told_anything(probes: ProbeSet) -> None:
    probe = Reading()
    probes.add(probe)
    probes.close()
    probes.logged(1, {"loss": 0.5})
    probes.epoch(1)
    assert (probe.told, probe.epochs, probes.reads_metrics) == ([], [], False)


class Model:
    """Anything that can be held weakly."""


def test_probes_know_the_watched_models_that_still_exist(probes: ProbeSet) -> None:
    early, late = Steps("early", every(10)), Steps("late", every(10))
    first, second = Model(), Model()
    probes.add(early)
    for model in (first, second, first):
        probes.watch(model)  # type: ignore[arg-type] - no torch is needed to be watched
    probes.add(late)
    assert list(early.models()) == list(late.models()) == [first, second]
    del first, model
    gc.collect()
    assert list(early.models()) == [second]


def test_a_stretched_probe_is_fed_in_the_last_steps_before_it_is_measured(probes: ProbeSet) -> None:
    codes = Codebook("vq", 4, every=10)
    probes.add(codes)
    fed, told = [], []
    for step in range(1, 41):
        if codes.armed:
            fed.append(step)
        codes.observe([0, 1])
        codes.feeding += 10_000.0  # as if each had taken ten steps' time
        told += [snapshot.step for snapshot in probes.boundary(step, 1000.0)]
    assert told == [10, 20, 40]
    assert fed == [*range(1, 21), *range(31, 41)]


def test_an_error_in_a_probe_is_a_problem_naming_it_and_the_others_go_on(probes: ProbeSet, problems: Counter[str]) -> None:
    probes.add(Faulty(RuntimeError("no such layer")))
    probes.add(Steps("s", every(5)))
    assert measured_steps(probes, range(1, 11)) == [5, 10]
    assert problems == {"probe faulty: RuntimeError: no such layer": 2}


def test_a_probe_whose_object_is_gone_is_said_once_and_left_out(probes: ProbeSet, problems: Counter[str]) -> None:
    probes.add(Faulty(Gone("the model it watched is gone")))
    assert measured_steps(probes, range(1, 51)) == []
    assert problems == {"probe faulty: the model it watched is gone; it is not measured any more": 1}


def test_what_a_probe_had_to_say_before_it_joined_a_run_is_said_when_it_does(probes: ProbeSet, problems: Counter[str]) -> None:
    codes = Codebook("vq", 8)
    codes.observe([0.5])
    assert not problems
    probes.add(codes)
    assert list(problems) == ["probe vq: indices must be integers, not float64; they are not counted"]


def test_a_closed_set_measures_nothing(probes: ProbeSet) -> None:
    codes = Codebook("vq", 8, every=1)
    probes.add(codes)
    codes.observe([1])
    probes.close()
    assert probes.boundary(1, 1.0) == []
    assert not codes.armed


def test_probes_deep_copy_as_themselves_and_unpickle_as_handles_that_do_nothing() -> None:
    codes = Codebook("vq", 8)
    assert copy.deepcopy({"model": codes})["model"] is codes
    assert copy.copy(codes) is codes
    silent = pickle.loads(pickle.dumps(codes))
    assert isinstance(silent, SilentProbe)
    assert silent.observe([1, 2, 3]) is None
    assert isinstance(pickle.loads(pickle.dumps(silent)), SilentProbe)


def test_a_log_spaced_probe_is_measured_ever_more_rarely(probes: ProbeSet) -> None:
    probes.add(Steps("s", log_spaced(2)))
    assert measured_steps(probes, range(1, 400)) == [1, 3, 10, 32, 100, 316]


def test_measured_once_each_probe_is_fed_for_its_lead_and_tells_of_one_step_whatever_its_schedule_and_its_cost(probes: ProbeSet) -> None:
    codes, one_step, dear = Codebook("vq", 4, every=1000), FedOneStep("one", every(3)), Steps("dear", every(5), seconds=500.0)
    for probe in (codes, one_step, dear):
        probes.add(probe)
    probes.measure_once(100, 20)
    assert probes.due() == ["vq", "one", "dear"]
    fed, measured = [], []
    for step in range(101, 161):
        fed.append((codes.armed, one_step.armed))
        codes.observe([0, 1])
        one_step.fed.append(one_step.armed)
        measured += [(snapshot.probe, snapshot.step) for snapshot in probes.boundary(step, 1000.0)]
    assert measured == [("vq", 120), ("one", 120), ("dear", 120)]
    assert fed[:20] == [(True, step == 120) for step in range(101, 121)]
    assert probes.due() == []


def test_a_probe_with_nothing_to_tell_when_it_is_measured_once_stays_due_until_it_has(probes: ProbeSet) -> None:
    codes = Codebook("vq", 4, every=10)
    probes.add(codes)
    probes.measure_once(0, 3)
    measured = []
    for step in range(1, 30):
        if step > 5:
            codes.observe([0, 1])
        measured += [snapshot.step for snapshot in probes.boundary(step, 1000.0)]
        assert probes.due() == ([] if measured else ["vq"])
    assert len(measured) == 1
    assert measured[0] > 5


def test_the_longest_lead_is_that_of_the_probe_that_must_be_fed_longest_up_to_a_most(probes: ProbeSet) -> None:
    assert probes.longest_lead(50) == 0
    probes.add(FedTwoSteps("two", every(3)))
    assert probes.longest_lead(50) == 2
    probes.add(Codebook("vq", 4, every=30))
    assert probes.longest_lead(50) == 30
    probes.add(Codebook("asked for", 4, every=on_demand()))
    assert probes.longest_lead(50) == 50
