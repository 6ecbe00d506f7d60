"""What a metric's name says about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.metrics import grouped, is_system, kind_of, split_group, unit_of, words_of


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "loss",
            [
                "loss",
                "train_loss",
                "train/loss",
                "trainLoss",
                "loss/commit",
                "nll",
                "val/nll",
                "recon_mse",
                "loss_kl",
                "cross_entropy",
                "BCE",
            ],
        ),
        ("adversarial", ["d_loss", "gen_loss", "loss/discriminator", "loss_G", "critic_loss", "policy_loss", "value_loss", "entropy_loss"]),
        ("reward", ["reward", "episode/return", "rollout/ep_rew_mean"]),
        ("ratio", ["data/share", "clip_fraction", "vq/usage", "win_rate"]),
        ("norm", ["grad_norm", "gradient norm", "weights/norm"]),
        ("count", ["epoch", "tokens", "dead"]),
        ("entropy", ["entropy", "perplexity", "val/ppl"]),
        ("time", ["step_time", "data/wait", "forward_ms"]),
        ("memory", ["system/memory", "gpu/mem", "system/rss"]),
        ("rate", ["lr", "learning_rate", "lr-AdamW/pg1", "optimizer/lr"]),
        ("accuracy", ["acc", "val/accuracy", "top1", "psnr", "f1"]),
        ("other", ["temperature", "tau", "samples_per_second", "blossom", "lossless"]),
    ],
)
def test_a_name_tells_the_kind(kind: str, names: list[str]) -> None:
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


@pytest.mark.parametrize("name", ["loss_scale", "loss/weight", "grad_scaler", "loss_coef", "loss_std", "loss_grad_norm"])
def test_a_knob_or_statistic_of_a_loss_is_no_loss(name: str) -> None:
    assert kind_of(name) != "loss"


def test_words_are_split_at_signs_and_capitals() -> None:
    assert words_of("trainLoss/recon_x.y") == ("train", "loss", "recon", "x", "y")
    assert words_of("") == ()


def test_units_are_said_where_the_name_says_them() -> None:
    assert [unit_of(name) for name in ["step_ms", "samples_per_sec", "gpu/mem_gb", "system/cpu", "loss"]] == ["ms", "/s", "GB", "%", ""]


def test_system_metrics_are_told_by_their_prefix() -> None:
    assert is_system("system/rss")
    assert not is_system("my/system/loss")


@pytest.mark.parametrize("name", ["", "/", "\x1b[31m", "损失", "a" * 100_000])
def test_a_strange_name_is_other(name: str) -> None:
    assert kind_of(name) == "other"
    assert unit_of(name) == ""


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ({}, "loss"),
        ({"T": 64}, "loss [T=64]"),
        ({"task": "arc", "T": 64}, "loss [T=64 task=arc]"),
        ({"split": "all of it"}, "loss [split=all_of_it]"),
        ({"a]b=c": "[x] y=z"}, "loss [a_b_c=_x_y=z]"),
        ({"": ""}, "loss [_=]"),
    ],
)
def test_a_group_makes_a_series_of_its_own_by_name(group: dict[str, object], name: str) -> None:
    assert grouped("loss", group) == name


_WORDS = st.text("abT_019.-", min_size=1, max_size=8)


@given(st.text(max_size=30), st.dictionaries(_WORDS, _WORDS, max_size=4))
def test_the_group_of_a_series_is_found_again(name: str, group: dict[str, str]) -> None:
    if not split_group(name)[1]:
        assert split_group(grouped(name, group)) == (name, group)


@pytest.mark.parametrize("name", ["loss", "acc[top5]", "loss [64]", "loss[T=64]", "loss [T=64] x", "[T=64]", "loss [T =64]", "loss []"])
def test_brackets_alone_make_no_group(name: str) -> None:
    assert split_group(name) == (name, {})


def test_a_series_of_a_group_is_what_its_metric_is() -> None:
    group = {"T": 64, "loss": "mse", "ms": 3}
    for name in ("loss", "policy_loss", "reward", "step_ms", "temperature", "val/nll"):
        assert (kind_of(grouped(name, group)), unit_of(grouped(name, group))) == (kind_of(name), unit_of(name))
