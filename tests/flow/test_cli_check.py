"""What `bedside check` says beside the alarms: how soon each matters, which checkpoints are good, and the review."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bedside_protocol.records import CheckpointSaved, LifecycleChanged, Metrics, RulesDeclared
from bedside_tui.places import RunPlace

Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[[Sequence[float]], Metrics]


def saved(step: int) -> CheckpointSaved:
    return CheckpointSaved(f"/ckpt/step_{step}.pt", 1000, step)


def exploded(losses: Losses) -> Metrics:
    return losses([*(2.0 - 0.001 * step for step in range(1000)), *[50.0] * 200])


def test_an_explosion_leaves_a_last_good_checkpoint_and_the_later_ones_suspect(bedside: Cli, record: Made, losses: Losses) -> None:
    record([saved(500), exploded(losses), saved(1001), saved(1200)], "burst")
    said = bedside("check", "burst")
    assert said.code == 2
    assert (
        "\n  last good checkpoint: /ckpt/step_500.pt (step 500); 2 later ones are suspect: explosion since step 1,002\nreview\n" in said.out
    )
    judged = bedside("check", "burst", "--json").json
    assert [(each["step"], each["suspect_of"]) for each in judged["checkpoints"]] == [
        (500, None),
        (1001, "explosion since step 1,002"),
        (1200, "explosion since step 1,002"),
    ]


def test_where_no_checkpoint_is_good_that_is_said(bedside: Cli, record: Made, losses: Losses) -> None:
    record([exploded(losses), saved(1100)], "burst")
    assert "  no good checkpoint: 1 saved, all suspect: explosion since step 1,002\n" in bedside("check", "burst").out


def test_good_checkpoints_are_counted_in_the_review_which_changes_no_exit_code(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([2.0 / (1.0 + 0.002 * step) for step in range(1200)]), saved(1000)], "well")
    said = bedside("check", "well")
    assert said.code == 0
    assert "review\n  run: 1 checkpoint was saved, the last at step 1,000, 200 steps before the end" in said.out
    assert "last good checkpoint" not in said.out
    (remark,) = bedside("check", "well", "--json").json["review"]
    assert remark == {
        "name": "checkpoints",
        "target": "run",
        "text": "1 checkpoint was saved, the last at step 1,000, 200 steps before the end",
        "numbers": {"count": 1.0, "step": 1000.0, "age": 200.0},
    }


def test_an_alarm_says_how_soon_it_matters(bedside: Cli, record: Made, losses: Losses) -> None:
    rules = 'rules.high = {watch = {metric = "loss"}, when = {beyond = {amber_above = 10.0}}, horizon = "hour"}'
    record([RulesDeclared("mine.toml", rules), losses([*[1.0] * 50, *[12.0] * 50])], "high")
    assert {alert["rule"]: alert["horizon"] for alert in bedside("check", "high", "--json").json["alerts"]}["high"] == "hour"
    assert "since step 51 (within the hour)\n" in bedside("check", "high").out


def test_a_crash_is_red_and_a_run_that_was_stopped_is_not(bedside: Cli, record: Made, losses: Losses) -> None:
    well = losses([2.0 / (1.0 + 0.002 * step) for step in range(1200)])
    record([well, LifecycleChanged("failed", "KeyError: 'kv_cache'", 1200)], "crash", ended=None)
    said = bedside("check", "crash")
    assert said.code == 2
    assert said.out.startswith(
        "✖ red  ·  failed at step 1,200\n  ✖ RED    crash on run at step 1,200: KeyError: 'kv_cache' after step 1,200\n"
    )
    record([well, LifecycleChanged("stopped", "asked to stop", 1200)], "stopped", ended=None)
    assert bedside("check", "stopped").code == 0
