"""What is true of our own trainings stands for every broken case, is read from its recording, and is judged in other processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from detection.held_out import PROGRAMS
from detection.judging import judge
from detection.model import Alarm, Run
from detection.trainings import HEALTHY_SEEDS, Training, missing, recording, wanted
from detection.twins import FAULTS, HELD_OUT, ODDITIES, first_nan, last_step, runs, schedule, snapshots

from bedside.cases.catalogue import BROKEN, CASES, HARD
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.records import Ended, Metrics, ProbeDeclared, Record, RunStarted, Snapshot
from bedside_protocol.runlog import encode_chunk

NAMES = {rule.name for rule in DEFAULT_RULES}


def metrics(first: int, *values: float, name: str = "loss") -> Record:
    steps = np.arange(first, first + len(values))
    return Record(float(first), Metrics((name,), steps, steps.astype(np.float64), np.array([values])))


LOG = [
    Record(0.0, RunStarted("x", "x", "p", 0.0)),
    Record(0.0, ProbeDeclared("vq", "codebook", 50)),
    Record(0.0, ProbeDeclared("gradients", "gradients", 25)),
    metrics(1, 2.0, 1.5, 1.0),
    Record(4.0, ProbeDeclared("vq", "codebook", 100)),
    Record(4.0, Snapshot("vq", "codebook", 50, {})),
    metrics(50, float("inf"), name="grad_norm"),
    metrics(51, 1.0, float("nan"), float("nan")),
    Record(5.0, Snapshot("vq", "codebook", 100, {})),
    Record(6.0, Ended("failed", 101)),
]


class EveryTenth:
    """A detector that alarms at every tenth step of the log."""

    name = "every tenth"
    timely = True

    def judge(self, run: Run) -> list[Alarm]:
        return [Alarm(step, "red") for step in range(10, last_step(run.records()) + 1, 10)]


def recorded(folder: Path, training: Training, log: Sequence[Record] = LOG) -> None:
    path = recording(folder, training)
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_chunk(log, 1, {}))


def test_every_broken_case_has_its_truth() -> None:
    assert set(FAULTS) == {case.name for case in BROKEN}


def test_the_right_names_are_names_of_rules() -> None:
    of_cases = {rule for fault in FAULTS.values() for rule in fault.rules} | {rule for _, rule in ODDITIES.values()}
    of_programs = {rule for rules in HELD_OUT.values() for rule in rules}
    assert (of_cases | of_programs) - NAMES == set()


def test_every_broken_program_that_is_held_out_has_its_right_names() -> None:
    assert set(HELD_OUT) == {program.name for program in PROGRAMS if program.broken}


def test_odd_batches_are_in_cases_that_are_healthy() -> None:
    assert set(ODDITIES) <= {case.name for case in HARD}


def test_a_program_is_trained_healthy_once_for_all_its_cases() -> None:
    healthy = [(training.program, training.seed) for training in wanted() if not training.broken]
    assert len(healthy) == len(set(healthy)) == HEALTHY_SEEDS * len({case.script for case in CASES})


def test_low_seeds_of_everything_come_first() -> None:
    seeds = [training.seed for training in wanted()]
    assert seeds == sorted(seeds)


def test_a_recording_that_is_there_is_a_run_and_one_that_is_not_is_missing(tmp_path: Path) -> None:
    there, absent = Training("dead-parameters", "digits", True, 0), Training("crash", "crash", True, 0)
    recorded(tmp_path, there)
    (run,) = runs(tmp_path, [there, absent])
    assert (run.name, run.program, run.steps) == ("dead-parameters-broken-0", "digits", 101)
    assert (run.truth.family, run.truth.every, run.truth.first_nan, run.truth.curve) == ("dead-parameters", 25, 52, False)
    assert [record.body for record in run.records()] == [record.body for record in LOG]
    assert missing(tmp_path, [there, absent]) == [absent]


def test_a_program_that_is_held_out_has_the_truth_of_its_own_table(tmp_path: Path) -> None:
    training = Training("level-of-zero", "denoising", True, 0)
    recorded(tmp_path, training)
    (run,) = runs(tmp_path, [training])
    assert (run.source, run.truth.family, run.truth.onset) == ("held out", "level-of-zero", 1)
    assert run.truth.every == 1  # its probe is not in this log


def test_a_fault_in_a_step_that_never_ended_is_at_the_last_that_did(tmp_path: Path) -> None:
    training = Training("crash", "crash", True, 0)
    recorded(tmp_path, training, [LOG[0], metrics(1, *[1.0] * 25), Record(6.0, Ended("failed", 25))])
    (run,) = runs(tmp_path, [training])
    assert run.truth.onset == 25  # the case's own is 26


def test_a_training_that_ended_before_its_fault_is_no_run_of_it(tmp_path: Path) -> None:
    training = Training("codebook-collapse", "vq_digits", True, 0)
    recorded(tmp_path, training)  # 101 steps; the fault comes at 1,200
    assert list(runs(tmp_path, [training])) == []
    assert missing(tmp_path, [training]) == []


def test_a_healthy_form_has_no_fault_and_a_damaged_batch_is_told(tmp_path: Path) -> None:
    trainings = [Training("gan", "gan", False, 0), Training("single-bad-batch", "bad_batch", False, 0)]
    for training in trainings:
        recorded(tmp_path, training)
    plain, odd = (run.truth for run in runs(tmp_path, trainings))
    assert (plain.is_healthy, plain.onset, plain.rules) == (True, 0, ())
    assert (odd.is_healthy, odd.onset, odd.rules) == (True, 700, ("spike",))


def test_a_schedule_is_what_the_script_asked_for_and_not_what_the_budget_made_of_it() -> None:
    assert schedule(LOG, "vq") == 50
    assert schedule(LOG, "") == 1
    assert snapshots(LOG) == {"vq": [50, 100]}


def test_the_first_nan_is_that_of_a_loss() -> None:
    assert first_nan(LOG) == 52
    assert first_nan(LOG[:-3]) is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # whatever the suite has started before
def test_runs_whose_records_are_made_by_a_closure_are_judged_in_two_processes(tmp_path: Path) -> None:
    trainings = [Training("gan", "gan", False, seed) for seed in range(3)]
    for training in trainings:
        recorded(tmp_path, training)
    done: list[int] = []
    (outcomes,) = judge(list(runs(tmp_path, trainings)), [EveryTenth()], done.append).values()
    assert [one.run for one in outcomes] == [training.name for training in trainings]
    assert [len(one.false) for one in outcomes] == [10, 10, 10]
    assert done == [1, 2, 3]
