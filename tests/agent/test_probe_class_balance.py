"""How predicted classes are counted against targets: in which forms, over which window, and what is left out."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from bedside.probes.class_balance import ClassBalance
from bedside.probes.class_tally import _NOT_A_NUMBER, Pairs, count_pairs_on_device, pairs, tally
from bedside_protocol.records import Snapshot


def measured(probe: ClassBalance) -> Snapshot:
    snapshot = probe.measure(50)
    assert snapshot is not None
    return snapshot


def heard(probe: ClassBalance, problems: Counter[str]) -> ClassBalance:
    probe.attach(lambda text: problems.update([text]))
    return probe


def labels(count: int, shares: list[float], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(len(shares), count, p=shares)


def test_the_numbers_are_those_of_the_formulas() -> None:
    made, meant = labels(1000, [0.7, 0.2, 0.1, 0.0]), labels(1000, [0.4, 0.3, 0.2, 0.1], seed=1)
    probe = ClassBalance("mask", 4)
    probe.observe(made, meant)
    found = measured(probe)
    predicted, target = np.bincount(made, minlength=4), np.bincount(meant, minlength=4)
    assert found.arrays["predicted"].values.tolist() == predicted.tolist()
    assert found.arrays["target"].values.tolist() == target.tolist()
    assert found.scalars["observed"] == 1000
    assert found.scalars["predicted_max"] == predicted.max() / 1000
    assert found.scalars["effective"] == pytest.approx(np.exp(entropy(predicted)))
    assert found.scalars["target_effective"] == pytest.approx(np.exp(entropy(target)))
    assert found.scalars["effective_ratio"] == pytest.approx(np.exp(entropy(predicted) - entropy(target)))
    assert found.scalars["accuracy"] == pytest.approx((made == meant).mean())
    assert found.scalars["missing"] == 1
    assert found.texts["missing"] == ("3",)
    assert found.scalars["present"] == 4


def test_a_classifier_of_background_alone_is_told_from_a_healthy_one_of_the_same_accuracy() -> None:
    meant = labels(20_000, [0.97, 0.03])
    healthy, collapsed = ClassBalance("mask", ["background", "object"]), ClassBalance("mask", ["background", "object"])
    wrong = np.random.default_rng(5).random(20_000) < 0.03
    healthy.observe(np.where(wrong, 1 - meant, meant), meant)
    collapsed.observe(np.zeros_like(meant), meant)
    good, bad = measured(healthy), measured(collapsed)
    assert bad.scalars["accuracy"] == pytest.approx(good.scalars["accuracy"], abs=0.005)
    assert bad.scalars["predicted_max"] == 1.0
    assert good.scalars["predicted_max"] < 0.96
    assert bad.texts["missing"] == ("object",)
    assert good.texts["missing"] == ()
    assert bad.scalars["effective"] == 1.0
    assert good.scalars["effective_ratio"] > 1.0
    assert bad.arrays["predicted"].labels == ("background", "object")


def test_a_class_below_one_per_cent_may_be_missed() -> None:
    meant = np.zeros(1000, np.int64)
    meant[:9] = 1
    probe = ClassBalance("rare", 2)
    probe.observe(np.zeros_like(meant), meant)
    assert measured(probe).scalars["missing"] == 0
    assert measured(probe).scalars["present"] == 1


MEANT = np.arange(6 * 4 * 5).reshape(6, 4, 5) % 3
SCORES = np.random.default_rng(0).normal(size=(6, 4, 5, 3))


@pytest.mark.parametrize(
    ("made", "meant"),
    [
        (SCORES, MEANT),
        (SCORES.tolist(), MEANT.tolist()),
        (np.moveaxis(SCORES, -1, 1), MEANT),
        (SCORES.argmax(-1), MEANT),
        (SCORES.argmax(-1).astype(np.uint8), MEANT.astype(np.int16)),
        (torch.tensor(SCORES), torch.tensor(MEANT)),
        (torch.tensor(SCORES, dtype=torch.bfloat16).float(), torch.tensor(MEANT, dtype=torch.uint8)),
        (torch.tensor(np.moveaxis(SCORES, -1, 1)), torch.tensor(MEANT)),
        (torch.tensor(np.moveaxis(SCORES, -1, 1)).contiguous(), MEANT),
        (torch.tensor(SCORES.argmax(-1)), torch.tensor(MEANT)),
        (SCORES, torch.tensor(MEANT)),
        (torch.tensor(SCORES.reshape(-1, 3)), torch.tensor(MEANT.reshape(-1))),
    ],
)
def test_labels_and_logits_of_every_form_are_counted_alike(made: object, meant: object) -> None:
    probe = ClassBalance("any", 3)
    probe.observe(made, meant)
    found = measured(probe)
    assert found.arrays["predicted"].values.tolist() == np.bincount(SCORES.argmax(-1).ravel(), minlength=3).tolist()
    assert found.arrays["target"].values.tolist() == [40, 40, 40]
    assert found.scalars["accuracy"] == pytest.approx((SCORES.argmax(-1) == MEANT).mean())


def test_masks_of_two_classes_may_be_boolean() -> None:
    probe = ClassBalance("mask", 2)
    probe.observe(torch.tensor([True] * 30 + [False] * 30), torch.tensor([True] * 15 + [False] * 45))
    assert measured(probe).arrays["predicted"].values.tolist() == [30, 30]
    assert measured(probe).scalars["accuracy"] == 0.75


def test_where_both_axes_would_fit_the_classes_are_the_last() -> None:
    scores = np.zeros((30, 3, 3))
    scores[:, :, 2] = 1.0
    probe = ClassBalance("square", 3)
    probe.observe(scores, np.zeros((30, 3), np.int64))
    assert measured(probe).arrays["predicted"].values.tolist() == [0, 0, 90]


def test_nothing_is_told_before_twenty_predictions_a_class() -> None:
    probe = ClassBalance("mask", 5)
    for _ in range(99):
        probe.observe([0], [1])
    assert probe.measure(50) is None
    probe.observe([0], [1])
    assert measured(probe).scalars["observed"] == 100


def test_the_window_slides_and_never_holds_less_than_it_should() -> None:
    probe = ClassBalance("mask", 2, window=100)
    for _ in range(100):
        probe.observe([0] * 5, [0] * 5)
    for held in range(5, 96, 5):
        probe.observe([1] * 5, [0] * 5)
        assert measured(probe).arrays["predicted"].values.tolist() == [100 - held, held]


def test_targets_to_be_ignored_are_left_out_with_their_predictions_and_counted() -> None:
    made, meant = np.array([0, 1, 1, 1, 0] * 20), np.array([0, 1, -100, 255, 1] * 20)
    probe = ClassBalance("mask", 2)
    probe.observe(made, meant)
    found = measured(probe)
    assert found.scalars["ignored"] == 40
    assert found.scalars["observed"] == 60
    assert found.arrays["predicted"].values.tolist() == [40, 20]
    assert found.scalars["accuracy"] == pytest.approx(2 / 3)


def test_a_window_of_mostly_ignored_targets_grows_until_it_can_tell() -> None:
    probe, told = ClassBalance("tokens", 2), []
    for step in range(1, 60):
        meant = np.full(20, -100)
        meant[step % 20] = step % 2
        probe.observe(np.zeros(20, np.int64), meant)
        told.append(probe.measure(step))
    assert told[19] is None
    last = told[-1]
    assert last is not None
    assert 40 <= last.scalars["observed"] <= 60
    assert last.scalars["ignored"] > 15 * last.scalars["observed"]


def test_a_window_of_nothing_but_ignored_targets_stays_bounded() -> None:
    probe = ClassBalance("tokens", 2)
    for step in range(500):
        probe.observe(np.zeros(100, np.int64), np.full(100, -1))
        assert probe.measure(step) is None
    assert sum(len(batch) for batch in probe._batches) <= 64 * 40 + 100


def test_predicted_labels_that_are_no_class_are_said_and_count_as_wrong(problems: Counter[str]) -> None:
    probe = heard(ClassBalance("mask", 2), problems)
    probe.observe([0, 1, 2, -7] * 10, [0, 1, 1, 1] * 10)
    found = measured(probe)
    assert found.scalars["outside"] == 20
    assert found.scalars["accuracy"] == 0.5
    assert found.arrays["predicted"].values.tolist() == [10, 10]
    assert list(problems) == ["probe mask: predicted labels outside 0 … 1 are no class"]


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_predictions_from_logits_with_nan_are_counted_and_left_out(kind: str) -> None:
    scores = np.eye(3)[np.arange(90) % 3]
    scores[::9, 1] = np.nan
    meant = np.arange(90) % 3
    probe = ClassBalance("mask", 3)
    probe.observe(scores if kind == "array" else torch.tensor(scores), meant)
    found = measured(probe)
    assert (found.scalars["nonfinite"], found.scalars["observed"], found.scalars["accuracy"]) == (10, 80, 1.0)
    assert found.arrays["predicted"].values.tolist() == [20, 30, 30]


def test_a_batch_of_pictures_is_thinned_without_missing_columns() -> None:
    meant = np.zeros((4, 256, 512), np.int64)
    meant[:, :, 256:] = 1
    made = torch.zeros(4, 2, 256, 512)
    made[:, 1] = torch.tensor(meant)
    made[:, 0] = 1 - made[:, 1]
    kept = pairs(made, meant, 2)
    assert 1 << 13 < len(kept) <= 1 << 15
    assert np.array_equal(kept.predicted, kept.target)
    assert float(kept.target.double().mean()) == pytest.approx(0.5, abs=0.01)
    flat = pairs(meant, meant, 2)
    assert 1 << 14 < len(flat) <= 1 << 16
    assert flat.target.mean() == pytest.approx(0.5, abs=0.01)


def test_counting_on_a_device_gives_what_counting_here_gives() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [Pairs(*(torch.randint(-2, 9, (500,), generator=generator) for _ in range(2))) for _ in range(3)]
    batches[0].predicted[::7] = _NOT_A_NUMBER
    there = count_pairs_on_device([one.predicted for one in batches], [one.target for one in batches], 7).tolist()
    here = tally(batches, 7)
    assert there == [*here.predicted, *here.target, here.observed, here.correct, here.ignored, here.outside, here.nonfinite]
    assert here.observed + here.ignored + here.nonfinite == 1500


@pytest.mark.parametrize(
    ("made", "meant", "said"),
    [
        (np.zeros((5, 4)), np.zeros(5, np.int64), "one more axis of 3 classes"),
        (np.zeros((5, 3)), np.zeros(4, np.int64), "one more axis of 3 classes"),
        (np.zeros(5), np.zeros(5, np.int64), "must be labels"),
        (torch.zeros(5), torch.zeros(5, dtype=torch.long), "must be labels"),
        (np.zeros(5, np.int64), np.zeros(5), "targets must be whole numbers, not float64"),
        (torch.zeros(5, 3), torch.zeros(5), "targets must be whole numbers, not torch.float32"),
        ([], [], "targets must be whole numbers"),
        (np.zeros(0, np.int64), np.zeros(0, np.int64), "empty batch"),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), "empty batch"),
        (None, None, "labels or logits, not object"),
        ("cat", "dog", "labels or logits, not <U3"),
        ([[1], [1, 2]], [1, 2], "cannot be read"),
        (np.array([["a"] * 3] * 5), np.zeros(5, np.int64), "labels or logits"),
    ],
)
def test_what_is_no_prediction_is_said_by_name_and_training_goes_on(problems: Counter[str], made: object, meant: object, said: str) -> None:
    probe = heard(ClassBalance("mask", 3), problems)
    for _ in range(2):
        probe.observe(made, meant)
    (text,) = problems
    assert text.startswith("probe mask: ")
    assert said in text
    assert probe.measure(50) is None


@pytest.mark.parametrize("classes", [0, -3, 2.5, None, "background"])
def test_classes_that_are_none_are_said_and_the_training_goes_on(problems: Counter[str], classes: Any) -> None:
    probe = heard(ClassBalance("mask", classes), problems)
    probe.observe([0], [0])
    assert "classes are a whole number or a list of names" in next(iter(problems))


@pytest.mark.parametrize("classes", [np.int64(2), ("a", "b"), np.array(["a", "b"]), {"a": 0, "b": 1}])
def test_classes_may_be_any_whole_number_or_names_in_any_collection(problems: Counter[str], classes: Any) -> None:
    probe = heard(ClassBalance("mask", classes), problems)
    assert probe.settings() == {"classes": 2, "window": 40}
    assert not problems


def test_a_batch_the_script_writes_to_afterwards_was_counted_as_it_was() -> None:
    probe, made, meant = ClassBalance("mask", 2), torch.ones(40, dtype=torch.long), torch.ones(40, dtype=torch.long)
    probe.observe(made, meant)
    made.zero_()
    meant.zero_()
    assert measured(probe).arrays["predicted"].values.tolist() == [0, 40]
    assert measured(probe).arrays["target"].values.tolist() == [0, 40]


def test_the_graph_is_free_and_no_random_number_is_drawn(mark: Callable[[torch.Tensor], torch.Tensor]) -> None:
    logits = mark(torch.randn(60, 3, requires_grad=True))
    graph = weakref.ref(logits.grad_fn)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    probe = ClassBalance("mask", 3)
    probe.observe(logits, torch.zeros(60, dtype=torch.long))
    del logits
    assert graph() is None
    measured(probe)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_under_autocast_half_precision_logits_are_counted() -> None:
    probe, layer = ClassBalance("mask", 3), torch.nn.Linear(4, 3)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        probe.observe(layer(torch.randn(60, 4, generator=torch.Generator().manual_seed(0))), torch.arange(60) % 3)
    assert measured(probe).scalars["observed"] == 60


def test_inside_a_compiled_region_nothing_is_counted_and_the_graph_stays_whole() -> None:
    probe = ClassBalance("mask", 1)

    @torch.compile(backend="eager", fullgraph=True)
    def forward(made: torch.Tensor) -> torch.Tensor:
        probe.observe(made, made)
        return made + 1

    assert forward(torch.zeros(40, dtype=torch.long)).sum() == 40
    assert probe.measure(1) is None


def test_a_forward_recomputed_in_the_backward_pass_is_counted_once() -> None:
    probe = ClassBalance("mask", 2)

    def forward(x: torch.Tensor) -> torch.Tensor:
        probe.observe(torch.zeros(40, dtype=torch.long), torch.zeros(40, dtype=torch.long))
        return x.sin()

    x = torch.ones(2, requires_grad=True)
    torch.utils.checkpoint.checkpoint(forward, x, use_reentrant=False).sum().backward()
    assert measured(probe).scalars["observed"] == 40
    assert sum(len(batch) for batch in probe._batches) == 40


@pytest.mark.parametrize("form", ["labels", "last", "second"])
def test_nothing_waits_for_the_device_before_the_counts_are_there(form: str, unwaited: AbstractContextManager[Any]) -> None:
    made = {"labels": torch.zeros(9, 4, dtype=torch.int64), "last": torch.zeros(9, 4, 2), "second": torch.zeros(9, 2, 4)}[form]
    probe, problems = ClassBalance("mask", 2), []
    probe.attach(problems.append)
    with unwaited:
        probe.observe(made, torch.ones(9, 4, dtype=torch.int64))
        probe.observe(made, torch.ones(9, 4, dtype=torch.int64))
        count_pairs_on_device([one.predicted for one in probe._batches], [one.target for one in probe._batches], 2)
    assert not problems
    assert measured(probe).scalars["observed"] == 72
