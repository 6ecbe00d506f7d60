"""Which part of a checkpoint's file fits a model, how long it was trained, and what is refused with which words."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bedside.checkpoint_file import CheckpointFile, Unfit

Save = Callable[..., CheckpointFile]


def net(width: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width))


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    """`saved(content, name)`: the file as it is read again."""

    def save(content: Any, name: str = "some.pt") -> CheckpointFile:
        torch.save(content, tmp_path / name)
        return CheckpointFile(tmp_path / name)

    return save


def wrapped(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("", lambda state: state),
        ("model", lambda state: {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}, "step": 7}),
        ("state_dict", lambda state: {"state_dict": state, "epoch": 3}),
        ("model_state_dict", lambda state: {"model_state_dict": state, "ema": state}),
        ("parts.encoder", lambda state: {"parts": {"encoder": state, "head": {"weight": torch.zeros(4)}}}),
        ("", lambda state: wrapped(state, "module.")),
        ("", lambda state: wrapped(state, "_orig_mod.")),
        ("model", lambda state: {"model": wrapped(state, "module._orig_mod.")}),
        ("state_dict", lambda state: {"state_dict": wrapped(state, "net.")}),
    ],
    ids=["bare", "model", "state_dict", "usual before others", "nested", "parallel", "compiled", "both", "an attribute's name"],
)
def test_the_weights_are_found_wherever_a_file_keeps_them(saved: Save, place: str, content: Callable[[Any], Any]) -> None:
    trained, fresh = net(), net()
    fit = saved(content(trained.state_dict())).fit(fresh)
    fresh.load_state_dict(fit.state)
    assert fit.place == place
    assert torch.equal(fresh[0].weight, trained[0].weight)


def test_a_model_that_is_wrapped_takes_weights_that_were_not(saved: Save) -> None:
    trained, fresh = net(), nn.DataParallel(net())
    fresh.load_state_dict(saved(trained.state_dict()).fit(fresh).state)
    assert torch.equal(fresh.module[0].weight, trained[0].weight)


@pytest.mark.parametrize(
    ("content", "name", "trained"),
    [
        ({"step": 1200, "epoch": 3}, "step_7.pt", (1200, "step")),
        ({"global_step": torch.tensor(40)}, "x.pt", (40, "global_step")),
        ({"epoch": 0}, "e9.pt", (0, "epoch")),
        ({"step": "many"}, "epoch=3-step=1500-v2.ckpt", (1500, "name")),
        ({}, "vq512_000030.pt", (30, "name")),
        ({}, "last.pt", (4, "order")),
    ],
)
def test_the_step_is_told_by_the_file_else_by_its_name_else_by_its_place(
    saved: Save, content: dict[str, Any], name: str, trained: tuple[int, str]
) -> None:
    assert saved({"model": net().state_dict(), **content}, name).trained(order=4) == trained


def without(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            lambda: net(5).state_dict(),
            "some.pt does not fit the watched Sequential: 6 of another shape (0.weight 5×2 for 3×2, 0.bias 5 for 3, 1.weight 5 for 3, …)",
        ),
        (lambda: without(net().state_dict(), "0.bias"), "1 of its 7 tensors missing (0.bias)"),
        (lambda: {**net().state_dict(), "2.weight": torch.zeros(1)}, "1 it does not know (2.weight)"),
        (lambda: {"step": 3}, "some.pt holds no weights"),
        (lambda: {"a": net().state_dict(), "b": net().state_dict()}, "several weights that fit the watched Sequential: a, b"),
    ],
    ids=["shapes", "missing", "unknown", "none", "several"],
)
def test_what_does_not_fit_to_the_last_tensor_is_refused_with_names(saved: Save, content: Callable[[], Any], words: str) -> None:
    with pytest.raises(Unfit) as refused:
        saved(content()).fit(net())
    assert words in str(refused.value)


def test_an_object_in_a_file_is_not_unpickled_and_the_sentence_says_what_to_do(saved: Save, tmp_path: Path) -> None:
    with pytest.raises(Unfit) as refused:
        saved({"model": net().state_dict(), "args": argparse.Namespace(lr=1)})
    assert "holds an object of argparse.Namespace" in str(refused.value)
    assert "torch.serialization.add_safe_globals([argparse.Namespace])" in str(refused.value)


@pytest.mark.parametrize("name", ["garbage.pt", "empty.pt", "cut.pt", "gone.pt", "folder.pt"])
def test_what_is_no_checkpoint_is_refused_in_a_sentence_that_names_it(tmp_path: Path, name: str) -> None:
    torch.save(net().state_dict(), tmp_path / "whole.pt")
    (tmp_path / "garbage.pt").write_bytes(b"\x00\x01 not a checkpoint" * 50)
    (tmp_path / "empty.pt").touch()
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:900])
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(Unfit, match=f"^{name} (is no file|is a directory|cannot be read|holds no weights)"):
        CheckpointFile(tmp_path / name)
