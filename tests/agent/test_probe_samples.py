"""Which pictures the samples probe keeps, and how it says how near they came."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

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
    assert measured(samples).scalars == {"psnr/copy": float("inf")}


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


@pytest.mark.parametrize("wrong", [None, 3.0, "picture", torch.zeros(4), torch.zeros(0, 8, 8), torch.zeros(2, 7, 8, 8)])
def test_what_is_no_picture_is_said_by_name(wrong: object) -> None:
    problems: Counter[str] = Counter()
    samples = Samples("digits")
    samples.attach(lambda text: problems.update([text]))
    samples.observe(wrong)
    assert next(iter(problems)).startswith("probe digits: pictures that cannot be read")
    assert samples.measure(1) is None
