"""What is remarked of a run as a whole, and that none of it is an alarm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.remark import Remark
from bedside_protocol.alerts.review import Review, review
from bedside_protocol.records import (
    Body,
    CheckpointSaved,
    Ended,
    LifecycleChanged,
    MetricDefined,
    Metrics,
    Record,
    RunStarted,
    Snapshot,
    Tick,
)

STARTED = Record(0.0, RunStarted("a", "digits", "p", 0.0))


def values(name: str, column: Sequence[float], start: int = 1, stride: int = 1, rows: int = 500) -> list[Record]:
    """A metric's column as blocks, a hundredth of a second a step."""
    steps = start + stride * np.arange(len(column), dtype=np.int64)
    made = []
    for first in range(0, len(steps), rows):
        part = steps[first : first + rows]
        times = np.asarray(0.01 * part, np.float64)
        made.append(Record(float(times[-1]), Metrics((name,), part, times, np.asarray([column[first : first + rows]], np.float64))))
    return made


def learning(count: int = 6000, noise: float = 0.02, seed: int = 0) -> list[float]:
    random = np.random.default_rng(seed)
    return list(map(float, 2.0 * np.exp(-np.arange(count) / 2000) * (1 + noise * random.standard_normal(count))))


def at(time: float, body: Body) -> Record:
    return Record(time, body)


def named(remarks: Sequence[Remark]) -> list[tuple[str, str]]:
    return [(remark.name, remark.target) for remark in remarks]


def test_a_training_that_learns_has_nothing_remarked_of_its_loss() -> None:
    assert review([STARTED, *values("loss", learning())]) == ()
    assert review([]) == ()


def test_a_loss_that_varies_by_more_than_half_its_mean_is_remarked_after_5000_steps() -> None:
    random = np.random.default_rng(1)
    noisy = (np.linspace(2.0, 0.2, 6000) * random.lognormal(0.0, 0.8, 6000)).tolist()
    (remark,) = [remark for remark in review([STARTED, *values("loss", noisy)]) if remark.name == "varies"]
    assert remark.numbers["deviation"] / remark.numbers["mean"] == pytest.approx(float(np.std(noisy[-1000:]) / np.mean(noisy[-1000:])))
    assert remark.text.startswith("varies by ")
    assert remark.look
    assert "varies" not in dict(named(review([STARTED, *values("loss", noisy[:4900])])))


def test_lengths_that_are_pooled_are_not_said_to_vary_and_each_is_looked_at_alone() -> None:
    mixed = [value * (1.0 if number % 2 else 8.0) for number, value in enumerate(learning())]
    assert named(review([STARTED, *values("loss", mixed)])) == [("varies", "loss")]
    apart = [*values("loss [T=64]", mixed[::2], stride=2), *values("loss [T=256]", mixed[1::2], start=2, stride=2)]
    assert review([STARTED, *values("loss", mixed), *apart]) == ()


def test_a_loss_that_no_longer_falls_is_remarked_with_both_its_stretches() -> None:
    flat = [*learning(4000), *[0.3] * 1000, *[0.31] * 1000]
    (remark,) = review([STARTED, *values("loss", flat)])
    assert (remark.name, remark.target) == ("not-falling", "loss")
    assert remark.text == "0.31 over the last 1,000 steps, 0.3 over those before: it no longer falls"
    assert remark.numbers == pytest.approx({"last": 0.31, "before": 0.3})
    assert review([STARTED, *values("loss", flat[2500:], start=1)]) != (remark,)  # 3,500 steps are too few to say so


def test_a_loss_that_fell_by_less_than_half_is_remarked_from_scratch_only() -> None:
    little = np.linspace(2.0, 1.5, 2000).tolist()
    (remark,) = review([STARTED, *values("loss", little)])
    assert (remark.name, remark.text) == ("fell-little", "ends at 1.501, 75% of the 1.999 it began at")
    assert review([STARTED, *values("loss", little, start=40_000)]) == ()
    assert review([at(0.0, RunStarted("a", "digits", "p", 0.0, continues="b")), *values("loss", little)]) == ()
    assert review([STARTED, *values("loss", little[:900])]) == ()


def test_only_what_is_trained_on_is_expected_to_fall() -> None:
    little = np.linspace(2.0, 1.5, 2000).tolist()
    rising = np.linspace(0.1, 0.4, 2000).tolist()
    assert review([STARTED, *values("loss", learning()), *values("loss/commit", rising), *values("reward", little)]) == ()
    defined = at(0.0, MetricDefined("quality", kind="loss"))
    assert named(review([STARTED, defined, *values("quality", little)])) == [("fell-little", "quality")]


def test_an_evaluation_past_its_best_is_remarked_with_the_step_of_the_best() -> None:
    turned = [*np.linspace(2.0, 0.5, 60), *np.linspace(0.5, 0.9, 60)]
    (remark,) = review([STARTED, *values("loss", learning()), *values("val/loss", turned, start=50, stride=50)])
    assert (remark.name, remark.target) == ("past-its-best", "val/loss")
    assert remark.numbers["best"] == pytest.approx(0.5, rel=0.1)
    assert abs(remark.numbers["best_step"] - 3000) <= 300
    assert review([STARTED, *values("val/loss", turned[:60], start=50, stride=50)]) == ()


def test_values_that_are_not_finite_are_left_out() -> None:
    holes = learning()
    holes[::7] = [float("nan")] * len(holes[::7])
    assert review([STARTED, *values("loss", holes)]) == ()
    assert review([STARTED, *values("loss", [float("nan")] * 6000)]) == ()


def test_later_frames_that_are_worse_and_blurry_predictions_are_remarked_by_the_newest_snapshot() -> None:
    def probed(worse: float, sharp: float) -> list[tuple[str, str]]:
        frames = Snapshot("frames", "per_index", 900, {"first": 0.1, "last": 0.1 * worse, "later_worse": worse})
        pictures = Snapshot("dream", "samples", 900, {"psnr/argmax": 20.0, "sharpness/argmax": sharp})
        early = Snapshot("frames", "per_index", 100, {"later_worse": 9.0})
        return named(review([STARTED, at(1.0, early), at(2.0, frames), at(2.0, pictures)]))

    assert probed(2.0, 0.3) == [("later-worse", "frames"), ("blurry", "dream")]
    assert probed(1.1, 0.9) == []
    assert probed(float("nan"), float("nan")) == []


def test_the_pace_is_told_with_the_share_of_waiting_and_the_tail() -> None:
    vitals = [
        record
        for name, value in (("system/data_wait", 0.4), ("system/step_ms", 12.0), ("system/step_ms_p99", 250.0))
        for record in values(name, [value] * 100)
    ]
    (remark,) = review([STARTED, *vitals])
    assert remark.text == "waits for its data 40% of its time; a step takes 12 ms, one in a hundred 250 ms"
    assert remark.numbers == pytest.approx({"data_wait": 0.4, "median_ms": 12.0, "p99_ms": 250.0})


def test_the_time_spent_paused_is_told_also_while_it_lasts() -> None:
    paused = [STARTED, at(60.0, LifecycleChanged("paused")), at(90.0, LifecycleChanged("running")), at(100.0, Tick(10))]
    assert [remark.text for remark in review(paused)] == ["was paused for 30 s, 30% of its time"]
    assert [remark.text for remark in review([*paused[:2], at(80.0, Tick(10))])] == ["was paused for 20 s, 25% of its time"]


def test_checkpoints_are_counted_and_the_age_of_the_last_is_told() -> None:
    saved = [STARTED, at(1.0, CheckpointSaved("a", 1, 400)), at(2.0, CheckpointSaved("b", 1, 900)), at(3.0, Ended("finished", 1000))]
    assert [remark.text for remark in review(saved)] == ["2 checkpoints were saved, the last at step 900, 100 steps before the end"]
    assert [remark.text for remark in review(saved[:2])] == ["1 checkpoint was saved, the last at step 400, the end"]
    assert review([STARTED, at(500.0, Tick(1000))]) == ()
    assert [remark.text for remark in review([STARTED, at(700.0, Tick(1000))])] == ["no checkpoint was saved"]


def test_a_review_of_what_there_is_so_far_can_be_asked_for_again_and_again() -> None:
    so_far = Review()
    seen = []
    for record in [STARTED, *values("loss", [*learning(4000), *[0.3] * 1000, *[0.31] * 1000])]:
        so_far.take(record)
        seen.append(named(so_far.remarks))
    assert seen[0] == []
    assert seen[-1] == named(so_far.remarks) == [("not-falling", "loss")]


def test_remarks_are_no_alarms_and_no_part_of_the_verdict() -> None:
    flat = [STARTED, *values("loss", [*learning(4000), *[0.27] * 1000, *[0.271] * 1000])]
    assert named(review(flat)) == [("not-falling", "loss")]
    assert judge(flat).verdict == "ok"
