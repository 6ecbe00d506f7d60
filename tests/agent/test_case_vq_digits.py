"""The VQ-VAE on digits: its quantizer by hand, and what a training of a few steps leaves behind.

How it fares over thousands of steps is the business of the flow tests, which judge whole recordings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from detection.nursery import Nursery

from bedside.cases import vq_digits
from bedside.cases.__main__ import main
from bedside.cases.catalogue import CASES, case
from bedside.cases.vq_digits import CODES, DECAY, DIMENSIONS, Autoencoder, Quantizer

Train = Callable[..., list[str]]


@pytest.fixture
def quantizer() -> Quantizer:
    torch.manual_seed(0)
    return Quantizer()


def test_each_vector_is_given_its_nearest_code_and_the_gradient_passes_straight_through(quantizer: Quantizer) -> None:
    vectors = (quantizer.codebook[[3, 77, 3]] + 0.001).requires_grad_()
    codes, indices, commitment, codebook = quantizer(vectors)
    assert indices.tolist() == [3, 77, 3]
    assert torch.allclose(codes, quantizer.codebook[[3, 77, 3]])
    assert commitment.item() == pytest.approx(1e-6, rel=1e-2)
    assert codebook.item() == pytest.approx(commitment.item())
    codes.sum().backward()
    assert torch.equal(vectors.grad, torch.ones(3, DIMENSIONS))


def test_a_code_follows_the_average_of_its_vectors_and_an_unused_one_stays(quantizer: Quantizer) -> None:
    before = quantizer.codebook.clone()
    vectors = torch.full((4, DIMENSIONS), 2.0)
    quantizer.follow(vectors, torch.tensor([5, 5, 5, 5]))
    expected = (DECAY * before[5] + (1 - DECAY) * 8.0) / (DECAY + (1 - DECAY) * 4)
    assert torch.allclose(quantizer.codebook[5], expected)
    assert torch.allclose(quantizer.codebook[6], before[6])


def test_dead_codes_are_put_back_among_the_data_and_living_ones_left_alone(quantizer: Quantizer) -> None:
    before = quantizer.codebook.clone()
    quantizer.counts[[1, 8]] = 0.01
    vectors = torch.randn(10, DIMENSIONS)
    assert quantizer.revive(vectors) == 2
    assert all((vectors == quantizer.codebook[dead]).all(dim=1).any() for dead in (1, 8))
    assert torch.equal(quantizer.codebook[2:8], before[2:8])
    assert quantizer.revive(vectors) == 0


def test_pictures_come_back_in_their_shape_as_sixteen_codes_each() -> None:
    made, vectors, indices, *_ = Autoencoder()(torch.zeros(3, 1, 8, 8))
    assert made.shape == (3, 1, 8, 8)
    assert vectors.shape == (48, DIMENSIONS)
    assert indices.shape == (48,)
    assert 0 <= indices.min() <= indices.max() < CODES


def test_the_same_seed_gives_the_same_pictures_in_the_same_order() -> None:
    one, same, other = (next(iter(vq_digits.batches(3, seed))) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == (vq_digits.BATCH, 1, 8, 8)
    assert (one.min().item(), one.max().item()) == (0.0, 1.0)


def test_the_two_forms_are_one_script_and_the_healthy_one_comes_first() -> None:
    healthy, broken = CASES[0], case("codebook-collapse")
    assert broken is not None
    assert broken.fault_at == vq_digits.FAULT_AT
    assert (healthy.broken, broken.broken) == (False, True)
    assert (healthy.script, healthy.steps) == (broken.script, broken.steps)


def test_the_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(one.name in listed for one in CASES)


def test_a_case_there_is_not_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-case"]) == 2
    assert "there are vq-digits, " in capsys.readouterr().err


@pytest.mark.parametrize("steps", ["0", "-3", "many"])
def test_a_number_of_steps_that_is_none_is_refused(steps: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--steps", steps])
    assert refused.value.code == 2
    assert "--steps" in capsys.readouterr().err


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where trainings begin without loading torch each."""
    nursery = Nursery({**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"})
    yield nursery
    nursery.close()


@pytest.fixture
def train(nursery: Nursery, tmp_path: Path) -> Train:
    """`train(name, *words, onset)`: the progress a training prints, run as the viewer runs it."""

    def printed(name: str, *words: str, onset: int | None = None) -> list[str]:
        fault = f"import bedside.cases.vq_digits as script; script.FAULT_AT = {onset}" if onset else ""
        start = f"from bedside.cases.__main__ import main; raise SystemExit(main({[name, '--dir', str(tmp_path / name), *words]}))"
        script, output = tmp_path / f"{name}-{onset}.py", tmp_path / f"{name}-{onset}.txt"
        script.write_text(f"{fault}\n{start}")
        code = nursery.run([str(script)], output, 170)
        assert code == 0, output.read_text()
        return [line for line in output.read_text().splitlines() if line.startswith("step ")]

    return printed


def test_a_few_steps_are_trained_to_the_end_and_leave_one_recording(train: Train, tmp_path: Path) -> None:
    assert train("vq-digits", "--steps", "30")[-1].startswith("step     30 of 30  loss 0.")
    assert len(list((tmp_path / "vq-digits").glob("*/run.bedside"))) == 1


def test_until_its_fault_the_broken_form_is_the_healthy_one(train: Train) -> None:
    healthy = train("vq-digits", "--steps", "40", "--seed", "5")
    late = train("codebook-collapse", "--steps", "40", "--seed", "5", onset=41)
    early = train("codebook-collapse", "--steps", "40", "--seed", "5", onset=20)
    assert healthy == late != early
