"""What the engine is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detection import baselines, corpus
from detection.baselines import BASELINES, Bedside, episodes, not_decreasing, sigmas, z_score
from detection.curve import Curve, blocks, curves, started
from detection.log_checker import LogChecker
from detection.model import Alarm, Run, Truth

from bedside_protocol.records import MetricDefined, Record

NOISE = np.random.default_rng(0).normal(0.0, 0.1, 2000)


def curve(values: list[float] | np.ndarray, stride: int = 1) -> Curve:
    return Curve(np.arange(0, len(values) * stride, stride, dtype=np.int64), np.asarray(values, np.float64))


def with_values(**at: float) -> Curve:
    """Noise around 1, with the named values (`v300=9.0`)."""
    values = 1.0 + NOISE
    for name, value in at.items():
        values[int(name[1:])] = value
    return curve(values)


def run(one: Curve) -> Run:
    return Run("r", "p", "corpus", Truth("healthy"), lambda: (started("r", "p"), *blocks(one)), len(one))


def places(flags: baselines.Flags) -> list[int]:
    return np.flatnonzero(flags).tolist()


def test_an_episode_lasts_until_fifty_values_are_quiet() -> None:
    flags = np.zeros(500, bool)
    flags[[10, 11, 60, 110, 161, 400]] = True
    assert episodes(flags) == [10, 161, 400]
    assert episodes(np.zeros(9, bool)) == []


def test_sigmas_look_at_the_values_before_and_not_at_the_value_itself() -> None:
    assert 300 in places(sigmas(with_values(v300=2.0), 6.0))
    assert places(sigmas(with_values(v300=1.5), 6.0)) == []


def test_sigmas_are_those_of_a_sample_of_the_last_128_values() -> None:
    made = with_values()
    window = made.values[1000 - 128 : 1000]
    edge = window.mean() + 3.0 * window.std(ddof=1)
    above, below = with_values(v1000=edge + 1e-9), with_values(v1000=edge - 1e-9)
    assert (sigmas(above, 3.0)[1000], sigmas(below, 3.0)[1000]) == (True, False)


def test_sigmas_say_nothing_of_the_first_63_values() -> None:
    assert places(sigmas(with_values(v62=1e6), 6.0)) == []
    assert places(sigmas(with_values(v63=1e6), 6.0)) == [63]


def test_what_is_not_finite_is_above_every_sigma_and_counts_in_none() -> None:
    assert places(sigmas(with_values(v300=np.nan, v301=np.inf), 6.0)) == [300, 301]


def test_windows_are_the_same_wherever_a_block_of_them_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sigmas(with_values(v300=2.0), 2.0)
    monkeypatch.setattr(baselines, "_ROWS", 7)
    np.testing.assert_array_equal(sigmas(with_values(v300=2.0), 2.0), whole)


def test_a_z_score_follows_what_the_value_is_clipped_to() -> None:
    made = with_values(v500=50.0)
    flags = z_score(made)
    assert flags[500]
    assert z_score(with_values(v500=50.0, v502=1.6))[502]  # an unclipped mean of 2.5 would hide it
    assert places(z_score(with_values(v10=50.0)))[:1] != [10]


def test_a_z_score_outlives_a_nan() -> None:
    assert z_score(with_values(v100=np.nan, v500=50.0))[500]


def test_a_loss_is_compared_every_ten_steps_with_the_newest_value_ten_steps_back() -> None:
    values = [10.0 - place for place in range(15)]  # saved every 3 steps, compared at 12, 24, 36
    assert places(not_decreasing(curve(values, 3))) == []
    values[8] = 9.9  # at step 24, against 10 - 4 at step 12
    assert places(not_decreasing(curve(values, 3))) == [8]


def test_a_fall_of_less_than_a_thousandth_is_none() -> None:
    assert places(not_decreasing(curve([1.0] * 10 + [0.9991]))) == [10]
    assert places(not_decreasing(curve([1.0] * 10 + [0.9989]))) == []
    assert places(not_decreasing(curve([1.0] * 10 + [np.nan]))) == [10]


def test_a_baseline_says_the_step_and_the_metric() -> None:
    made = Curve(np.arange(1000, 3000, dtype=np.int64), with_values(v300=np.nan).values)
    assert BASELINES[0].judge(run(made)) == [Alarm(1300, "red", target="loss")]


def test_detectors_have_names_of_their_own_and_definitions() -> None:
    assert len({one.name for one in BASELINES}) == len(BASELINES) == 5
    assert all(one.about for one in BASELINES)


def test_bedside_says_where_a_rule_begins_to_fire_and_where_it_turns_red(well: Run) -> None:
    assert Bedside().judge(well) == []
    values = corpus.loss(well).values.copy()
    values[3000:] += 1.2
    alarms = [alarm for alarm in Bedside().judge(run(Curve(corpus.loss(well).steps, values))) if alarm.rule == "loss-level"]
    assert [alarm.severity for alarm in alarms] == ["amber", "red"]
    assert 3001 <= alarms[0].step < alarms[1].step <= 3101


def test_only_losses_the_training_follows_are_looked_at() -> None:
    made = curve([1.0] * 60)
    records = (started("r", "p"), *blocks(made), *blocks(made, "val/loss"), *blocks(made, "lr"))
    assert list(curves(records)) == ["loss"]


def test_what_a_script_says_of_a_metric_decides_whether_it_is_a_loss() -> None:
    defined = Record(0.0, MetricDefined("gap", kind="loss"))
    assert list(curves((defined, *blocks(curve([1.0] * 60), "gap")))) == ["gap"]
    assert list(curves(tuple(blocks(curve([1.0] * 60), "gap")))) == []


def test_a_log_checker_that_is_not_there_is_said() -> None:
    assert LogChecker("no_such_checker").why_not == "no_such_checker: not installed: pip install no_such_checker"


def test_a_log_checkers_findings_stand_at_the_end_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strict_checker").mkdir()
    (tmp_path / "strict_checker" / "epoch.py").write_text(
        "def check_records(records):\n"
        "    last = records[-1]['loss']\n"
        "    return {'findings': [{'level': 'FAIL', 'id': f'LAST-{last}'}, {'level': 'WARN', 'id': 'W'}, {'level': 'PASS', 'id': 'P'}]}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    checker = LogChecker("strict_checker")
    assert checker.why_not == ""
    assert not checker.timely
    assert checker.judge(run(curve([3.0, 2.0]))) == [Alarm(1, "red", "LAST-2.0", "loss"), Alarm(1, "amber", "W", "loss")]
