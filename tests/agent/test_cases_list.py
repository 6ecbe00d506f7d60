"""The list of cases: that it is sound, how it reads in a narrow terminal, and how a sign is read off a log.

Whether each case's quantity tells its forms apart is the business of the flow tests, which train them.
"""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from bedside.cases.__main__ import main
from bedside.cases.case import Case, Over, Sign
from bedside.cases.catalogue import BROKEN, CASES, GROUPS, HARD, case
from bedside.cases.reading import quantity, shown_since
from bedside_protocol.records import Body, Ended, Metrics, Record, Snapshot

SIGN = Sign("", "", "loss", "last", (0.0, 1.0), (2.0, 3.0), "vitals")
SCREENS = {"vitals", "chart", "codebook", "model", "samples", "alerts", "log", "ranks"}


def test_names_are_unique_and_a_case_is_found_by_its_own() -> None:
    assert len({one.name for one in CASES}) == len(CASES)
    assert [case(one.name) for one in CASES] == list(CASES)
    assert case("no-such-case") is None


def test_every_case_is_in_one_group_and_the_groups_say_what_is_in_them() -> None:
    assert tuple(one for _, group in GROUPS for one in group) == CASES
    assert all(one.broken for one in BROKEN)
    assert not any(one.broken for one in HARD)


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_every_script_has_a_training_and_its_fault_begins_while_it_lasts(one: Case) -> None:
    assert callable(one.train())
    assert 0 <= one.fault_at < one.steps
    if one.broken:
        assert getattr(import_module(f"bedside.cases.{one.script}"), "FAULT_AT", one.fault_at) == one.fault_at


@pytest.mark.parametrize("one", BROKEN, ids=lambda one: one.name)
def test_every_broken_case_says_on_which_screen_to_look_and_is_its_twin_but_for_the_fault(one: Case) -> None:
    assert one.sign is not None
    assert one.sign.screen in SCREENS
    sick, twin = one.settings(seed=3), one.settings(seed=3, healthy=True)
    assert (sick.broken, twin.broken) == (True, False)
    assert (sick.run_name, twin.run_name) == (f"{one.name}-3", f"{one.name}-healthy-3")
    assert dataclasses.replace(twin, broken=True, twin=False) == sick


def test_a_case_that_has_no_fault_is_called_by_its_name_alone() -> None:
    assert CASES[0].settings(healthy=True) == CASES[0].settings()
    assert CASES[0].settings(seed=2, steps=7).run_name == "vq-digits-2"


def test_intervals_that_share_a_number_are_no_sign() -> None:
    for healthy, broken in (((0.0, 1.0), (1.0, 2.0)), ((0.0, 5.0), (2.0, 3.0)), ((3.0, 2.0), (8.0, 9.0))):
        with pytest.raises(ValueError, match=r"overlap|before it begins"):
            dataclasses.replace(SIGN, healthy=healthy, broken=broken)


def test_a_broken_case_without_a_sign_and_a_healthy_one_with_one_are_refused() -> None:
    for broken, sign in ((True, None), (False, SIGN)):
        with pytest.raises(ValueError, match="a broken case has a sign"):
            Case("name", "script", broken, 10, "about", 0, sign)


# --- the list


def test_the_list_reads_in_eighty_columns_and_names_every_case_with_its_field_and_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    lines = listed.splitlines()
    assert max(map(len, lines)) < 80
    for one in CASES:
        (row,) = (place for place, line in enumerate(lines) if line.startswith(f"  {one.name} "))
        block = [lines[row], *_until_next(lines[row + 1 :])]
        text = " ".join(word for line in block for word in line.split())
        assert one.about in text
        assert one.sign is None or (one.sign.field in text and one.sign.screen in text)


def _until_next(lines: list[str]) -> list[str]:
    """The lines of a block that follow its first."""
    return lines[: next((place for place, line in enumerate(lines) if not line.startswith("    ")), len(lines))]


def test_the_list_needs_no_torch() -> None:
    code = "import sys; from bedside.cases.__main__ import main; main(['--list']); raise SystemExit('torch' in sys.modules)"
    sources = [str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol")]
    program = f"import sys; sys.path[:0] = {sources}\n{code}"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_a_case_there_is_not_is_answered_on_one_line_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-case"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"no case is called no-such-case: there are {', '.join(one.name for one in CASES)}"


# --- a sign, read


def log(*bodies: Body) -> list[Record]:
    return [Record(float(place), body, seq=place) for place, body in enumerate(bodies, 1)]


def losses(first: int, *values: float) -> Metrics:
    steps = np.arange(first, first + len(values))
    return Metrics(("lr", "loss"), steps, steps / 10, np.array([[0.1] * len(values), values]))


@pytest.mark.parametrize(
    ("over", "expected"), [("last", 4.0), ("max", 8.0), ("min", 1.0), ("median", 3.5), ("mean", 4.0), ("peak", 8 / 3.5)]
)
def test_a_sign_is_over_the_finite_values_from_the_step_of_the_fault_on(over: Over, expected: float) -> None:
    records = log(losses(1, 100.0, 0.01, 2.0), losses(4, 1.0, 8.0, 3.0), losses(7, 4.0, math.nan, math.inf))
    assert quantity(dataclasses.replace(SIGN, over=over), records, since=4) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("over", "broken", "expected"),
    [("last", (2, 9), 6), ("max", (2, 9), 4), ("last", (7, 9), None), ("median", (3.2, 4), 7), ("last", (0, 9), 4)],
)
def test_a_sign_shows_from_the_step_on_from_which_it_is_as_in_the_broken_form_for_good(
    over: Over, broken: tuple[float, float], expected: int | None
) -> None:
    sign = dataclasses.replace(SIGN, over=over, healthy=(-2, -1), broken=broken)
    records = log(losses(1, 100.0, 0.01, 2.0), losses(4, 8.0, 1.0, 3.0), losses(7, 4.0, math.nan))
    assert shown_since(sign, records, since=4) == expected


def test_a_sign_of_a_probe_is_read_off_its_snapshots_and_no_others() -> None:
    sign = dataclasses.replace(SIGN, kind="codebook", probe="vq", field="usage")
    records = log(
        Snapshot("vq", "codebook", 50, {"usage": 0.9}),
        Snapshot("vq", "codebook", 100, {"usage": 0.2}),
        Snapshot("other", "codebook", 150, {"usage": 0.7}),
        losses(1, 1.0),
    )
    assert quantity(sign, records) == 0.2
    assert math.isnan(quantity(sign, records, since=101))


def test_a_sign_on_the_ending_is_one_where_that_exception_ended_it() -> None:
    sign = dataclasses.replace(SIGN, kind="ended", field="KeyError", healthy=(0, 0), broken=(1, 1))
    assert quantity(sign, log(Ended("failed", 26, "KeyError", "'kv_cache'"))) == 1
    assert quantity(sign, log(Ended("failed", 26, "ValueError"))) == 0
    assert quantity(sign, log(Ended("finished", 30))) == 0
