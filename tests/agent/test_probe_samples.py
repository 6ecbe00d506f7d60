"""Which pictures, videos and texts the samples probe keeps, and how it says how near they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from bedside.probes import picture_quality
from bedside.probes.probe_set import ProbeSet
from bedside.probes.samples import Samples
from bedside_protocol.records import Snapshot


def measured(samples: Samples) -> Snapshot:
    snapshot = samples.measure(200)
    assert snapshot is not None
    return snapshot


def test_the_first_pictures_are_kept_beside_what_was_made_of_them() -> None:
    samples = Samples(count=4)
    target = torch.rand(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    made = (target * 0.5).requires_grad_()
    samples.observe(target=target, reconstruction=made)
    snapshot = measured(samples)
    assert list(snapshot.arrays) == ["target", "reconstruction"]
    assert {array.meaning for array in snapshot.arrays.values()} == {"image"}
    assert np.array_equal(snapshot.arrays["target"].values, target[:4, 0].numpy())
    error = (0.5 * target[:4]).pow(2).mean().item()
    assert snapshot.scalars["psnr/reconstruction"] == pytest.approx(-10 * np.log10(error), rel=1e-5)


def test_a_perfect_picture_is_infinitely_near() -> None:
    samples = Samples()
    samples.observe(np.ones((4, 8, 8)), copy=np.ones((4, 8, 8)))
    scalars = dict(measured(samples).scalars)
    assert np.isnan(scalars.pop("sharpness/copy"))  # nothing to be sharp about
    assert scalars == {"psnr/copy": float("inf"), "nonfinite": 0.0}


def test_colour_pictures_have_their_channels_last_and_large_ones_are_thinned() -> None:
    samples = Samples()
    samples.observe(torch.zeros(2, 3, 200, 100))
    assert measured(samples).arrays["target"].values.shape == (2, 50, 25, 3)


def test_values_outside_are_cut_and_nan_stays() -> None:
    samples = Samples()
    samples.observe(np.array([[[-1.0, 2.0], [np.nan, 0.5]]]))
    assert np.array_equal(measured(samples).arrays["target"].values, np.array([[[0, 1], [np.nan, 0.5]]], np.float32), equal_nan=True)


def test_pictures_are_read_on_scheduled_steps_only() -> None:
    class Pictures:
        read = 0

        def __getitem__(self, _: slice) -> np.ndarray:
            self.read += 1
            return np.zeros((1, 2, 2))

    pictures, probes = Pictures(), ProbeSet(problem=pytest.fail)
    samples = Samples(every=20)
    probes.add(samples)
    told = []
    for step in range(1, 61):
        samples.observe(pictures)
        told += [snapshot.step for snapshot in probes.boundary(step, 1.0)]
    assert told == [20, 40, 60]
    assert pictures.read == 3


WRONG = [
    None,
    3.0,
    {"a": 1},
    [],
    ["a", 1],
    torch.zeros(4),
    torch.zeros(0, 8, 8),
    torch.zeros(2, 7, 5, 8, 8),
    torch.zeros(2, 4, 8, 8, dtype=torch.cfloat),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_sample_is_said_by_name(wrong: object) -> None:
    problems: Counter[str] = Counter()
    samples = Samples("digits")
    samples.attach(lambda text: problems.update([text]))
    samples.observe(wrong)
    assert next(iter(problems)).startswith("probe digits: ")
    assert samples.measure(1) is None


def test_samples_without_a_target_are_shown_all_the_same() -> None:
    samples = Samples()
    samples.observe(drawn=np.full((2, 8, 8), 0.5))
    snapshot = measured(samples)
    assert list(snapshot.arrays) == ["drawn"]
    assert snapshot.scalars == {"nonfinite": 0.0}


def test_nan_is_counted_and_left_out_of_the_comparison() -> None:
    samples = Samples()
    target, made = np.full((1, 2, 2), 0.5), np.full((1, 2, 2), 0.6)
    made[0, 0, 0], made[0, 1, 1] = np.nan, np.inf
    samples.observe(target, made=made)
    snapshot = measured(samples)
    assert snapshot.scalars["nonfinite"] == 2
    assert snapshot.scalars["psnr/made"] == pytest.approx(-10 * np.log10((0.1**2 * 2 + 0.5**2) / 3))


# --- how good


def textures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def blurred(pictures: np.ndarray) -> np.ndarray:
    """Each pixel as the mean of itself and its eight neighbours."""
    return np.mean([np.roll(pictures, (dy, dx), (-2, -1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)


def test_blur_is_told_by_sharpness_far_below_one() -> None:
    samples, target = Samples(), textures(4, 32, 32)
    samples.observe(target, sharp=target[:, ::-1], blurry=blurred(target), noisy=textures(4, 32, 32) * 2 - 0.5)
    scalars = measured(samples).scalars
    assert scalars["sharpness/sharp"] == pytest.approx(1.0, abs=1e-3)
    assert scalars["sharpness/blurry"] < 0.1
    assert scalars["sharpness/noisy"] > 1.5


def test_gradient_and_motion_energy_are_those_of_hand_values() -> None:
    video = np.array([[[[0, 1], [0, 0]], [[0, 0], [0, 0.5]]]], np.float32)
    first = video[:, 0]
    assert picture_quality.gradient_energy(first) == 0.5 + 0.5
    assert picture_quality.motion_energy(video) == (1 + 0.25) / 4
    assert picture_quality.motion(video, video * np.float32(0.5)) == 0.25
    assert np.isnan(picture_quality.motion(np.zeros_like(video), video))


def moving(count: int, frames: int) -> np.ndarray:
    """Videos of a texture that moves one pixel a frame."""
    return np.stack([np.roll(textures(count, 16, 16), t, -1) for t in range(frames)], 1)


def test_a_video_that_stands_still_is_told_by_its_motion() -> None:
    samples, target = Samples(), moving(3, 10)
    frozen = np.repeat(target[:, :1], 10, axis=1)
    samples.observe(torch.from_numpy(target), lively=torch.from_numpy(target[::-1].copy()), frozen=frozen)
    snapshot = measured(samples)
    assert snapshot.scalars["motion/lively"] == pytest.approx(1.0)
    assert snapshot.scalars["motion/frozen"] == 0.0
    assert snapshot.scalars["sharpness/frozen"] == pytest.approx(1.0, abs=0.01)
    assert snapshot.scalars["psnr/frozen"] < 15


def test_a_video_that_blurs_late_is_told_frame_by_frame() -> None:
    samples, target = Samples(), moving(2, 12)
    late = target.copy()
    late[:, 5:] = blurred(target[:, 5:])
    samples.observe(target, made=late)
    arrays = measured(samples).arrays
    trajectory = arrays["sharpness/made"]
    assert trajectory.meaning == "trajectory"
    assert trajectory.values[:5] == pytest.approx(1.0)
    assert trajectory.values[5:].max() < 0.1
    assert np.isinf(arrays["psnr/made"].values[:5]).all()
    assert arrays["motion/made"].values.shape == (11,)


def test_a_video_is_shown_as_frames_of_the_first() -> None:
    samples, target = Samples(), moving(3, 22)
    samples.observe(target, colour=torch.zeros(2, 5, 3, 80, 70), grey=torch.zeros(2, 5, 1, 8, 8))
    arrays = measured(samples).arrays
    assert np.array_equal(arrays["target"].values, target[0, ::3])
    assert arrays["colour"].values.shape == (5, 40, 35, 3)
    assert arrays["grey"].values.shape == (5, 8, 8)


def test_texts_are_kept_beside_their_target_with_their_variety() -> None:
    samples = Samples(count=2)
    samples.observe(target=["the cat sat", "a dog ran", "it rained"], stuck=("the the the the",) * 3, whole="one text alone")
    snapshot = measured(samples)
    assert snapshot.texts == {"target": ("the cat sat", "a dog ran"), "stuck": ("the the the the",) * 2, "whole": ("one text alone",)}
    assert snapshot.scalars["distinct1/target"] == 1.0
    assert snapshot.scalars["distinct2/target"] == 5 / 8
    assert snapshot.scalars["distinct1/stuck"] == 1 / 12
    assert snapshot.scalars["distinct2/stuck"] == 1 / 12
    assert not snapshot.arrays


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [(["a b a b"], 1, 0.5), (["a b a b"], 2, 0.5), (["a b", "b a"], 2, 0.5), (["a"], 2, 0.0), (["", " "], 1, np.nan)],
)
def test_distinct_n_is_that_of_hand_values(texts: Sequence[str], n: int, expected: float) -> None:
    assert picture_quality.distinct(texts, n) == pytest.approx(expected, nan_ok=True)


def test_texts_may_stand_beside_pictures_and_long_ones_are_cut() -> None:
    samples = Samples()
    samples.observe(textures(2, 8, 8), caption=np.array(["a", "b"]), story=["x" * 5_000])
    snapshot = measured(samples)
    assert snapshot.texts["caption"] == ("a", "b")
    assert len(snapshot.texts["story"][0]) == 2_000
    assert list(snapshot.arrays) == ["target"]


def test_what_was_given_is_not_written_to() -> None:
    samples, target = Samples(), np.array([[[-1.0, 2.0], [np.nan, 0.5]]], np.float32)
    samples.observe(target, made=target)
    measured(samples)
    assert np.array_equal(target, np.array([[[-1.0, 2.0], [np.nan, 0.5]]], np.float32), equal_nan=True)
