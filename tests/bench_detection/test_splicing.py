"""A healthy curve that goes wrong in its middle."""

from __future__ import annotations

import numpy as np
import pytest
from detection import corpus, splicing
from detection.curve import Curve
from detection.model import Run
from detection.splicing import Donor

from bedside_protocol.records import RunStarted

AT = 2500
FLAT = Donor("flat", "b", np.full(splicing.AFTER, 40.0))


def after(curve: Curve, step: int) -> float:
    """The level from `step` on."""
    return float(np.median(curve.values[step : step + 51]))


def test_only_healthy_runs_that_are_long_enough_are_spliced_three_times(public: list[Run]) -> None:
    made = list(splicing.splices(public, splicing.donors(public)))
    assert [run.name.split(" ")[0] for run in made] == ["well"] * 3
    assert [run.truth.family for run in made] == list(splicing.FORMS[:3])
    assert all(splicing.EARLIEST < run.truth.onset <= run.steps - splicing.LEAST_AFTER for run in made if run.truth.first_nan is None)


def test_the_same_corpus_makes_the_same_splices(public: list[Run]) -> None:
    one, other = ([corpus.loss(run) for run in splicing.splices(public, splicing.donors(public))] for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_a_spliced_run_is_the_healthy_one_until_its_onset(public: list[Run], well: Run) -> None:
    whole = corpus.loss(well).values
    for run in splicing.splices(public, splicing.donors(public)):
        at = run.truth.onset - 1
        values = corpus.loss(run).values
        np.testing.assert_array_equal(values[:at], whole[:at])
        assert (values[at:] != whole[at : len(values)]).all()


@pytest.mark.parametrize("steps", [10, 100, 1000])
@pytest.mark.parametrize("lost", [0.5, 1.0, 1.5])
def test_a_ramp_ends_where_its_share_of_the_drop_is_lost_and_stays_there(well: Run, steps: int, lost: float) -> None:
    curve = corpus.loss(well)
    level, first = after(curve, AT - 51), float(np.median(curve.values[:10]))
    made = splicing.spliced(curve, AT, f"ramp of {steps}", (), lost)
    for step in (AT + steps, AT + 2000):
        assert after(made, step) == pytest.approx(level + lost * (first - level), rel=0.05)
    assert level < after(made, AT + steps // 2 - 26) < after(made, AT + steps) or steps < 100


def test_the_noise_is_the_healthy_runs_own(well: Run) -> None:
    curve = corpus.loss(well)
    made = splicing.spliced(curve, AT, "jump", [FLAT], 0.0)
    there, here = (np.diff(np.log(one.values[AT + 100 : AT + 2000])).std() for one in (made, curve))
    assert there == pytest.approx(here, rel=0.1)


def test_a_jump_multiplies_the_level_by_the_donors_factors(well: Run) -> None:
    curve = corpus.loss(well)
    made = splicing.spliced(curve, AT, "jump", [FLAT], 0.0)
    assert after(made, AT) == pytest.approx(40 * after(curve, AT - 51), rel=0.05)


def test_a_donor_that_makes_no_lasting_divergence_is_passed_over(well: Run) -> None:
    curve = corpus.loss(well)
    factors = FLAT.factors.copy()
    factors[2000:] = 2.0
    fleeting = Donor("fleeting", "b", factors)
    made = splicing.spliced(curve, AT, "jump", [fleeting, FLAT], 0.0)
    assert after(made, AT + 2500) == pytest.approx(40 * after(curve, AT - 51), rel=0.05)
    with pytest.raises(ValueError, match="no donor stays"):
        splicing.spliced(curve, AT, "jump", [fleeting], 0.0)


def test_donors_are_of_another_problem(public: list[Run]) -> None:
    donors = splicing.donors(public)
    assert {donor.name for donor in donors.jumps} == {"own", "fleeting", "lasting"}
    (jump, *_) = splicing.splices(public, donors)
    at = jump.truth.onset - 1
    curve = corpus.loss(jump)
    assert after(curve, at + 1000) == pytest.approx(50 * after(curve, at - 51), rel=0.1)


def test_a_corpus_of_one_problem_has_no_donors(public: list[Run]) -> None:
    with pytest.raises(ValueError, match="no jump of another problem than a"):
        list(splicing.splices(public, splicing.donors(public[:3])))


def test_a_blow_up_does_what_the_donor_did_since_its_last_usual_value(public: list[Run]) -> None:
    donor = splicing.donors(public).blow_ups[0]
    np.testing.assert_allclose(donor.factors / donor.factors[0], [1, 3, 9, 27], rtol=1e-6)
    (_, _, blow_up) = splicing.splices(public, splicing.donors(public))
    curve, first_nan = corpus.loss(blow_up), blow_up.truth.first_nan
    assert first_nan == blow_up.truth.onset + 4
    assert np.isfinite(curve.values[: first_nan - 1]).all()
    assert np.isnan(curve.values[first_nan - 1 :]).all()


def test_a_resumed_log_begins_at_least_a_thousand_steps_before_the_onset(public: list[Run]) -> None:
    for run in splicing.splices(public, splicing.donors(public)):
        again = splicing.resumed(run)
        body = again.records()[0].body
        assert isinstance(body, RunStarted)
        assert (body.continues, again.source, again.truth) == (run.name, "spliced, resumed", run.truth)
        assert 200 < int(corpus.loss(again).steps[0]) <= run.truth.onset - 1000
