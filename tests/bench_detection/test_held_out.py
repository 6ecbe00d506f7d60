"""The programs that are held out: that the list of them is whole, and that they train and record. The benchmark says what is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from detection import held_out
from detection.held_out import PROGRAMS, Program

from bedside.cases.catalogue import CASES
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import Ended, Metrics, ProbeDeclared, Record, RunStarted
from bedside_protocol.runlog import read_records

HOMES = [str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol", "tui")]
BROKEN = [one for one in PROGRAMS if one.broken]


def test_names_are_unique_and_none_is_that_of_a_case() -> None:
    names = [one.name for one in PROGRAMS]
    assert len(set(names)) == len(names)
    assert not set(names) & {case.name for case in CASES}
    assert [held_out.program(name) for name in names] == list(PROGRAMS)


def test_every_file_of_programs_is_listed_with_one_healthy_form_and_one_that_is_broken() -> None:
    files = {path.stem for path in (Path(held_out.__file__).parent / "programs").glob("*.py")}
    assert sorted(one.program for one in PROGRAMS if not one.broken) == sorted(files)
    assert {one.program for one in BROKEN} == files


@pytest.mark.parametrize("one", PROGRAMS, ids=lambda one: one.name)
def test_a_form_can_be_trained_and_a_healthy_one_has_nothing_to_be_found(one: Program) -> None:
    assert callable(one.train())
    assert one.broken or (one.fault_at, one.probe, one.curve, one.finding) == (0, "", False, "")


@pytest.mark.parametrize("one", BROKEN, ids=lambda one: one.name)
def test_a_fault_begins_while_its_training_lasts_and_is_seen_by_a_probe_or_in_a_loss(one: Program) -> None:
    assert 1 <= one.fault_at < one.steps
    assert one.finding
    assert bool(one.probe) != one.curve
    sick, twin = one.settings(seed=3), one.settings(seed=3, healthy=True)
    assert (sick.broken, twin.broken) == (True, False)
    assert (sick.run_name, twin.run_name) == (f"{one.name}-3", f"{one.name}-healthy-3")


def test_all_forms_are_wanted_low_seeds_first() -> None:
    wanted = list(held_out.wanted(broken_seeds=1, healthy_seeds=2))
    assert [one.case for one in wanted[: len(PROGRAMS)]] == [one.name for one in PROGRAMS]
    assert [(one.case, one.seed) for one in wanted[len(PROGRAMS) :]] == [(one.name, 1) for one in PROGRAMS if not one.broken]


def test_a_program_there_is_not_is_answered_on_one_line_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert held_out.main(["no-such-program"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"no program is called no-such-program: there are {', '.join(one.name for one in PROGRAMS)}"


@pytest.mark.parametrize("healthy", [False, True], ids=["broken", "healthy"])
def test_both_forms_of_a_program_train_and_record(healthy: bool, tmp_path: Path) -> None:
    records = _recorded(tmp_path, "weights-not-inverted", *["--healthy"] * healthy)
    (started,) = (one.body for one in records if isinstance(one.body, RunStarted))
    assert started.name == f"weights-not-inverted{'-healthy' * healthy}-2"
    losses = [one.body.values for one in records if isinstance(one.body, Metrics) and "loss/damage" in one.body.names]
    assert sum(values.shape[1] for values in losses) == 15  # logged at every other step
    assert all(np.isfinite(values).all() for values in losses)
    assert "damage" in {one.body.probe for one in records if isinstance(one.body, ProbeDeclared)}
    assert [one.body.outcome for one in records if isinstance(one.body, Ended)] == ["finished"]


def _recorded(place: Path, *words: str) -> list[Record]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(HOMES), "BEDSIDE_RUNTIME_DIR": str(place / "rt"), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-P", held_out.__file__, *words, "--seed", "2", "--steps", "30", "--dir", str(place)],
        env=environment, stdin=subprocess.DEVNULL, check=True, timeout=170,
    )  # fmt: skip
    (log,) = place.glob(f"*/{LOG_NAME}")
    with open(log, "rb") as file:
        return list(read_records(file))
