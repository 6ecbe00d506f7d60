"""What a view says of a run, record by record."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from bedside_protocol.records import (
    HUB_RANK,
    AlertAcknowledged,
    AlertChanged,
    Body,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    LifecycleChanged,
    Lost,
    Metrics,
    Note,
    ProbeDeclared,
    Problem,
    Record,
    RunStarted,
    Snapshot,
    Tick,
)
from bedside_tui.store.metrics import MOST_METRICS
from bedside_tui.store.store import Store


def block(names: str | Sequence[str], steps: Sequence[int], values: object, time: float = 0.0) -> Metrics:
    """Rows of metrics: `values` has one row a name, or is one for all."""
    names = (names,) if isinstance(names, str) else tuple(names)
    array = np.broadcast_to(np.array(values, np.float64), (len(names), len(steps)))
    return Metrics(names, np.array(steps, np.int64), np.full(len(steps), time), np.array(array))


def store_of(*moments: tuple[float, Body], rank: int = 0) -> Store:
    store = Store()
    store.feed(Record(time, body, rank) for time, body in moments)
    return store


def fired(rule: str = "codebook-collapse", target: str = "vq", severity: str = "red", **more: object) -> AlertChanged:
    return AlertChanged(rule, target, "firing", severity, **{"step": 100, "first_step": 90, "episode": 1, **more})  # type: ignore[arg-type]


def cleared(rule: str = "codebook-collapse", target: str = "vq", severity: str = "red", step: int = 300) -> AlertChanged:
    return AlertChanged(rule, target, "cleared", severity, step=step, episode=1)  # type: ignore[arg-type]


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_alarmed_metrics_come_first_then_losses_learning_rate_and_gradient() -> None:
    names = ["zeta", "grad norm", "lr", "loss/commit", "loss", "alpha", "system/cpu", "psnr"]
    store = store_of((0.0, block(names, [1], [[1.0]] * 8)), (1.0, fired("slow", "zeta", "amber")), (2.0, fired("bad", "psnr", "red")))
    view = store.at()
    assert [metric.name for metric in view.metrics] == ["psnr", "zeta", "loss", "loss/commit", "lr", "grad norm", "alpha"]
    assert [metric.badge for metric in view.metrics[:3]] == ["red", "amber", "none"]
    assert view.system == {"cpu": 1.0}


def test_names_that_differ_only_in_what_cannot_be_shown_stay_two() -> None:
    view = store_of((0.0, block(["a\u0301", "\u00e1"], [1], [[1.0], [2.0]]))).at()
    assert {metric.name: metric.value for metric in view.metrics} == {"á": 1.0, "á~2": 2.0}


def test_a_metric_in_two_kinds_of_rows_keeps_the_order_in_which_it_was_logged() -> None:
    store = store_of(
        (0.0, block("loss", [1, 2], [[1.0, 2.0]])),
        (1.0, block(["loss", "val"], [3], [[3.0], [9.0]])),
        (2.0, block("loss", [4], [[4.0]])),
        (3.0, block(["val", "loss"], [5], [[8.0], [5.0]])),
    )
    metric = store.at().metric("loss")
    assert metric is not None
    assert metric.history.columns(9).last.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_metrics_that_are_logged_together_keep_their_steps_once() -> None:
    store = store_of((0.0, block(["loss", "lr", "psnr"], [1, 2], 1.0)), (1.0, block(["loss"], [3], 1.0)))
    loss, rate, psnr = (store.at().metric(name) for name in ("loss", "lr", "psnr"))
    assert loss is not None
    assert rate is not None
    assert psnr is not None
    assert np.shares_memory(rate.history.steps, psnr.history.steps)
    assert not np.shares_memory(rate.history.steps, loss.history.steps)
    assert [metric.history.steps.tolist() for metric in (loss, rate)] == [[1, 2, 3], [1, 2]]


def test_of_what_several_ranks_log_rank_0_stands_for_all_and_what_another_logs_alone_is_shown_as_its_own() -> None:
    store = Store()
    store.feed([Record(0.0, block("loss", [9], [[2.0]]), 3), Record(0.0, block("val", [9], [[4.0]]), 3)])
    assert {metric.name: metric.value for metric in store.at().metrics} == {"loss @3": 2.0, "val @3": 4.0}
    store.feed([Record(0.0, block("loss", [5], [[1.0]]), 0)])
    assert {metric.name: metric.value for metric in store.at().metrics} == {"loss": 1.0, "val @3": 4.0}


def test_a_flood_of_names_is_bounded_and_counted() -> None:
    names = [f"m{at}" for at in range(MOST_METRICS + 500)]
    view = store_of((0.0, block(names, [1, 2], 1.0))).at()
    assert len(view.metrics) == MOST_METRICS
    assert list(view.problems.values()) == [1000]


@pytest.mark.parametrize(
    ("name", "values", "remark"),
    [
        ("loss", [3.0, 1.0, 2.0], "best 1.00 @ 20"),
        ("accuracy", [0.1, 0.9, 0.5], "best 0.9000 @ 20"),
        ("loss", [1.0, math.nan, math.nan], "nan since 20"),
        ("lr", [1.0, math.inf], "inf since 20"),
        ("lr", [3.0, 1.0, 2.0], ""),
    ],
)
def test_remarks_are_quiet_and_true(name: str, values: list[float], remark: str) -> None:
    steps = [10 * (at + 1) for at in range(len(values))]
    metric = store_of((0.0, block(name, steps, [values]))).at().metric(name)
    assert metric is not None
    assert metric.remark == remark


def test_a_loss_that_rises_is_said_to_rise_since_its_lowest() -> None:
    steps = np.arange(0, 12_800)
    random = np.random.default_rng(1)
    falling = np.where(steps < 6400, 2 - steps / 6400, 1 + (steps - 6400) / 12_800) + 0.05 * random.normal(size=len(steps))
    metric = store_of((0.0, block("loss", steps.tolist(), [falling]))).at().metric("loss")
    assert metric is not None
    assert metric.remark == "rising since 6,656"


@pytest.mark.parametrize("seed", range(8))
def test_noise_alone_is_not_called_rising(seed: int) -> None:
    values = 1 + 0.3 * np.random.default_rng(seed).normal(size=5000)
    metric = store_of((0.0, block("loss", list(range(5000)), [values]))).at().metric("loss")
    assert metric is not None
    assert metric.remark.startswith("best")


# ── steps, pace, pauses ──────────────────────────────────────────────────────────────────────────────────────────────────────


def training(seconds: float, per_second: int, begin: float = 0.0, step: int = 0) -> list[tuple[float, Body]]:
    """Steps logged four times a second."""
    each = per_second // 4
    return [
        (begin + 0.25 * (at + 1), block("loss", range(step + at * each + 1, step + (at + 1) * each + 1), 1.0, begin + 0.25 * at))
        for at in range(int(seconds * 4))
    ]


def test_steps_per_second_leave_pauses_out() -> None:
    before = training(8, 100)
    after = training(4, 100, begin=608.0, step=800)
    held = [(8.0, LifecycleChanged("paused")), (608.0, LifecycleChanged("running"))]
    store = store_of(*before, *held, *after)
    assert store.at().steps_per_second == pytest.approx(100, rel=0.05)
    assert store.at().paused_seconds == 600.0
    assert store.at(308.0).paused_seconds == 300.0
    assert store.at(308.0).lifecycle == "paused"
    assert store.at(308.0).steps_per_second == pytest.approx(100, rel=0.05)


def test_steps_per_second_see_a_change_of_pace_within_the_window() -> None:
    store = store_of(*training(30, 100), *training(11, 8, begin=30.0, step=3000))
    assert store.at(30.0).steps_per_second == pytest.approx(100, rel=0.05)
    assert store.at().steps_per_second == pytest.approx(8, rel=0.1)


def test_a_stalled_run_slows_down_by_the_hubs_clock() -> None:
    store = store_of(*training(10, 100), *((10.0 + at, Tick(1000)) for at in range(1, 21)))
    assert store.at().steps_per_second == 0.0


def test_pace_is_unknown_before_it_can_be_known() -> None:
    assert math.isnan(store_of((0.0, block("loss", [1], 1.0))).at().steps_per_second)
    assert math.isnan(Store().at().steps_per_second)


def test_the_step_is_the_hubs_or_what_metrics_are_ahead_of_it() -> None:
    store = store_of((1.0, block("loss", [100], 1.0)), (2.0, Tick(98)), (3.0, Tick(120)), (4.0, block("epoch loss", [3], 1.0)))
    assert [store.at(time).step for time in (1.0, 2.0, 3.0, 4.0)] == [100, 100, 120, 120]


def test_going_back_to_a_checkpoint_goes_back_and_keeps_both_times() -> None:
    store = store_of(
        (1.0, block("loss", [1, 2, 3], 1.0)),
        (1.0, Tick(3)),
        (2.0, block("loss", [4, 5, 6], 1.0)),
        (2.0, Tick(6)),
        (9.0, Tick(3)),
        (10.0, block("loss", [4, 5], 1.0)),
    )
    assert store.at().step == 5
    assert store.time_of_step(6) == 2.0
    assert store.time_of_step(5) == 10.0
    assert store.time_of_step(7) is None


# ── lifecycle ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hub_has_the_last_word_about_the_end() -> None:
    store = store_of(
        (0.0, RunStarted("id", "digits-1", "tokenizer", 0.0)),
        (1.0, LifecycleChanged("running")),
        (2.0, Ended("failed", 7, "KeyError", "'x'")),
        (3.0, LifecycleChanged("killed", "by signal 9")),
    )
    assert [(store.at(t).lifecycle, store.at(t).reason) for t in (0.0, 1.0, 2.0, 3.0)] == [
        ("starting", ""),
        ("running", ""),
        ("failed", "KeyError: 'x'"),
        ("killed", "by signal 9"),
    ]
    run = store.at().run
    assert run is not None
    assert run.name == "digits-1"


def test_without_a_hub_steps_say_that_it_runs() -> None:
    assert store_of((0.0, RunStarted("id", "n", "p", 0.0))).at().lifecycle == "starting"
    assert store_of((0.0, RunStarted("id", "n", "p", 0.0)), (1.0, block("loss", [1], 1.0))).at().lifecycle == "running"


def test_an_empty_store_has_a_view() -> None:
    view = Store().at()
    assert (view.time, view.run, view.metrics, view.alerts, list(view.marks)) == (0.0, None, [], [], [])
    assert Store().at(5.0).lifecycle == "starting"


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_red_latches_until_somebody_has_seen_it() -> None:
    store = store_of((1.0, fired()), (2.0, cleared()), (3.0, AlertAcknowledged("", "", "sven")))
    assert [len(store.at(time).alarms) for time in (1.0, 2.0, 3.0)] == [1, 1, 0]
    assert store.at(2.0).alerts[0].state == "cleared"
    assert store.at(3.0).alerts[0].acknowledged == "sven"


def test_amber_clears_itself() -> None:
    store = store_of((1.0, fired(severity="amber")), (2.0, cleared(severity="amber")))
    assert [len(store.at(time).alarms) for time in (1.0, 2.0)] == [1, 0]
    assert store.at().alerts[0].cleared_step == 300


def test_an_alert_that_grows_red_after_it_was_seen_must_be_seen_again() -> None:
    store = store_of((1.0, fired(severity="amber")), (2.0, AlertAcknowledged("codebook-collapse", "vq", "sven")), (3.0, fired()))
    assert store.at(2.0).alerts[0].acknowledged == "sven"
    assert (store.at().alerts[0].severity, store.at().alerts[0].acknowledged) == ("red", "")
    assert [mark.text for mark in store.marks if mark.kind == "alert"] == ["codebook collapse (vq)"] * 2


def test_a_red_episode_stays_red_when_it_ends_as_amber() -> None:
    store = store_of((1.0, fired()), (2.0, fired(severity="amber", step=200)), (3.0, cleared(severity="amber")))
    assert [store.at(t).alerts[0].severity for t in (1.0, 2.0, 3.0)] == ["red"] * 3
    assert store.at().alerts[0].fired_step == 100


def test_alerts_are_ordered_by_what_needs_eyes() -> None:
    store = store_of(
        (1.0, fired("a", severity="amber")),
        (2.0, fired("b")),
        (3.0, fired("c")),
        (4.0, cleared("c")),
        (5.0, fired("d", severity="amber")),
        (6.0, cleared("d", severity="amber")),
        (7.0, AlertChanged("e", "vq", "pending", "red", episode=1)),
        (8.0, fired("f")),
    )
    assert [alert.rule for alert in store.at().alerts] == ["f", "b", "a", "c", "e", "d"]
    assert [alert.rule for alert in store.at().alerts if alert.first_out] == ["a"]
    assert store.at().alarms[0].rule == "f"


def test_what_was_pending_and_came_to_nothing_leaves_no_trace() -> None:
    store = store_of(
        (1.0, block("loss", [1], 1.0)),
        (2.0, AlertChanged("explosion", "loss", "pending", "red", episode=1)),
        (3.0, AlertChanged("explosion", "loss", "ok", episode=1)),
    )
    badge = {time: store.at(time).metrics[0].badge for time in (1.0, 2.0, 3.0)}
    assert badge == {1.0: "none", 2.0: "pending", 3.0: "ok"}
    assert (store.at().alerts, list(store.marks)) == ([], [])


def test_what_cannot_be_judged_says_why() -> None:
    store = store_of(
        (1.0, ProbeDeclared("vq", "codebook", 50)),
        (2.0, AlertChanged("codebook-collapse", "vq", "not_checked", message="warming up: step 400 of 1,000")),
        (3.0, AlertChanged("codebook-collapse", "vq", "ok")),
    )
    assert store.at(2.0).not_checked == [("codebook-collapse", "vq", "warming up: step 400 of 1,000")]
    assert store.at(2.0).probes[0].not_checked == "warming up: step 400 of 1,000"
    assert (store.at().not_checked, store.at().probes[0].not_checked, store.at().probes[0].badge) == ([], "", "ok")


# ── checkpoints and commands ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("moments", "suspect"),
    [
        ([(1.0, CheckpointSaved("a", 1, 80)), (2.0, fired())], False),
        ([(1.0, fired()), (2.0, CheckpointSaved("a", 1, 120))], True),
        ([(1.0, CheckpointSaved("a", 1, 95)), (2.0, fired())], True),  # the evidence begins at 90
        ([(1.0, fired(severity="amber")), (2.0, CheckpointSaved("a", 1, 120))], False),
        ([(1.0, fired()), (2.0, cleared()), (3.0, CheckpointSaved("a", 1, 400))], False),
        ([(1.0, fired()), (2.0, CheckpointSaved("a", 1, 200)), (3.0, cleared())], True),
    ],
)
def test_a_checkpoint_taken_after_a_red_alarm_began_is_suspect(moments: list[tuple[float, Body]], suspect: bool) -> None:
    checkpoint = store_of(*moments).at().checkpoint
    assert checkpoint is not None
    assert checkpoint.suspect is suspect


def test_a_command_lives_visibly() -> None:
    store = store_of(
        (1.0, CommandChanged("1", "checkpoint", "requested", "sven")),
        (2.0, CommandChanged("1", "checkpoint", "scheduled", step=10_000)),
        (3.0, CheckpointSaved("ckpt/step_010000.pt", 48_000_000, 10_000, command="1")),
        (3.0, CommandChanged("1", "checkpoint", "applied", step=10_000)),
        (4.0, CommandChanged("2", "pause", "requested", "sven")),
        (5.0, CommandChanged("2", "pause", "refused", detail="the script calls no step boundary")),
    )
    first = store.at().commands[-1]
    assert [(state, step) for _, state, step, _ in first.life] == [("requested", -1), ("scheduled", 10_000), ("applied", 10_000)]
    assert (first.who, store.at(2.0).commands[0].state, len(store.at(2.0).commands[0].life)) == ("sven", "scheduled", 2)
    assert [(mark.glyph, mark.text, mark.jump) for mark in store.marks] == [
        ("›", "checkpoint asked for by sven", False),
        ("✓", "checkpoint saved  ckpt/step_010000.pt  48 MB  asked by sven", True),
        ("›", "pause asked for by sven", False),
        ("✗", "pause refused: the script calls no step boundary", True),
    ]


def test_what_is_asked_of_a_probe_names_it() -> None:
    asked = {"probe": "vq", "every": 25}
    store = store_of(
        (1.0, CommandChanged("1", "rate", "requested", "sven", arguments=asked)),
        (2.0, CommandChanged("1", "rate", "applied", detail="every 25 steps", step=40)),
    )
    assert [mark.text for mark in store.marks] == ["rate of vq asked for by sven", "rate of vq done: every 25 steps"]


# ── probes ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_probes_show_their_newest_snapshot_and_the_history_of_their_scalars() -> None:
    moments: list[tuple[float, Body]] = [(0.0, ProbeDeclared("vq", "codebook", 50, {"size": 512}))]
    moments += [(float(at), Snapshot("vq", "codebook", 50 * at, {"used": 100.0 - at}, cost=0.01)) for at in range(1, 101)]
    store = store_of(*moments)
    assert store.at(0.5).probes[0].snapshot is None
    probe = store.at(10.0).probes[0]
    assert probe.snapshot is not None
    assert (probe.snapshot.step, len(probe.snapshots), probe.scalars["used"].last) == (500, 10, (500, 10.0, 90.0))
    assert store.at().probe_cost == pytest.approx(0.01)
    assert math.isnan(store.at(1.0).probe_cost)
    assert (store.at().probes[0].every, store.at().probes[0].settings) == (50, {"size": 512})


def test_alarmed_probes_come_first() -> None:
    store = store_of((0.0, ProbeDeclared("a", "gradients", 1)), (0.0, ProbeDeclared("vq", "codebook", 1)), (1.0, fired()))
    assert [(probe.name, probe.badge) for probe in store.at().probes] == [("vq", "red"), ("a", "none")]


# ── timeline ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_jumps_between_what_happened_and_not_between_epochs() -> None:
    store = store_of(
        (1.0, Event("epoch", 5, {"n": 1})),
        (2.0, Note("looks odd", "sven", 9)),
        (3.0, Event("epoch", 50, {"n": 2})),
        (4.0, fired(message="41 of 512")),
        (5.0, Tick(60)),
    )
    assert [mark.text for mark in store.marks] == [
        "epoch  n 1",
        "sven: looks odd",
        "epoch  n 2",
        "codebook collapse (vq)  41 of 512",
    ]
    stops = [store.next_mark(0.0, 1), store.next_mark(2.0, 1), store.next_mark(4.0, 1), store.next_mark(4.0, -1), store.next_mark(2, -1)]
    assert [mark.time if mark else None for mark in stops] == [2.0, 4.0, None, 2.0, None]
    assert len(store.at(2.5).marks) == 2
    assert store.at(2.5).marks[-1].text == "sven: looks odd"


def test_what_is_missing_is_told() -> None:
    store = Store()
    store.feed(
        [
            Record(0.0, Tick(1), HUB_RANK, seq=1),
            Record(1.0, Lost(12, "the buffer was full"), seq=2),
            Record(2.0, Tick(2), HUB_RANK, seq=9),
            Record(3.0, Problem("a name of 10 MB", 3), seq=10),
            Record(4.0, Problem("a name of 10 MB", 8), seq=11),
        ]
    )
    view = store.at()
    assert (view.lost, view.problems) == (12, {"a name of 10 MB": 8})
    assert [mark.kind for mark in view.marks] == ["lost", "gap", "problem"]
    assert view.marks[1].text == "6 records are missing here"
    assert store.at(3.0).problems == {"a name of 10 MB": 3}


def test_damage_that_a_source_has_told_is_not_told_twice() -> None:
    store = Store()
    store.feed([Record(0.0, Tick(1), seq=1), Record(0.0, Lost(7, "damage at byte 512")), Record(2.0, Tick(2), seq=9)])
    assert [mark.kind for mark in store.marks] == ["lost"]


def test_a_pause_is_two_places_to_jump_to() -> None:
    store = store_of(
        (1.0, LifecycleChanged("running")),
        (2.0, CommandChanged("1", "pause", "requested", "sven")),
        (3.0, CommandChanged("1", "pause", "applied", step=7)),
        (3.0, LifecycleChanged("paused", step=7)),
        (63.0, CommandChanged("2", "resume", "applied")),
        (63.0, LifecycleChanged("running")),
    )
    assert [mark.text for mark in store.marks if mark.jump] == ["paused", "running again after 1m00"]


def test_time_never_turns_around_whatever_the_records_say() -> None:
    store = store_of((5.0, Tick(1)), (2.0, Tick(2)), (math.nan, Tick(3)), (1e300, Tick(4)), (6.0, Tick(5)))
    assert store.span == (5.0, 6.0)
    assert store.at(5.0).step == 4


def test_a_moment_outside_the_recording_is_its_nearer_end() -> None:
    store = store_of((5.0, Tick(1)), (7.0, Tick(2)))
    assert [(store.at(t).time, store.at(t).step) for t in (-1.0, 5.0, 6.0, 99.0)] == [(5.0, 1), (5.0, 1), (6.0, 1), (7.0, 2)]


# ── cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def busy_store(blocks: int = 600) -> Store:
    names = ["loss", "lr", "grad norm", *(f"layer{at}/loss" for at in range(197))]
    store = Store()
    random = np.random.default_rng(0)
    for at in range(blocks):
        steps = range(at * 25, at * 25 + 25)
        store.feed([Record(at * 0.25, block(names, steps, random.normal(size=(200, 25)), at * 0.25))])
        store.feed(Record(at * 0.25, Snapshot(f"p{probe}", "codebook", at * 25, {"used": 1.0, "dead": 2.0})) for probe in range(8))
    return store


def seconds_to_look(store: Store, times: Iterable[float | None]) -> float:
    """The least processor time of some views."""
    taken = []
    for time in times:
        begin = clock.process_time()
        store.at(time)
        taken.append(clock.process_time() - begin)
    return min(taken)


def test_a_view_of_two_hundred_metrics_costs_the_same_after_many_points_as_after_few() -> None:
    few, many = busy_store(60), busy_store()
    for store in (few, many):
        store.at()
    # Ten times as many points are one or two levels more to look at.
    assert seconds_to_look(many, range(1, 150, 21)) < 4 * seconds_to_look(few, (0.1 * at for at in range(10, 150, 21)))


def test_a_view_of_what_has_been_looked_at_costs_little_of_the_first_look() -> None:
    store = busy_store(200)
    first = seconds_to_look(store, [25.0])
    store.at()
    store.feed([Record(51.0, Tick(5_000))])
    assert seconds_to_look(store, [None, 25.0, None, 25.0, None, 25.0]) < first / 3


def test_the_newest_view_is_kept_while_a_recording_plays() -> None:
    store = busy_store(20)
    newest = store.at()
    assert [store.at(time) is newest for time in (None, 1.0, None, 2.0, None, 3.0, None)] == [True, False] * 3 + [True]
    store.feed([Record(10.0, Tick(600))])
    assert store.at() is not newest
    assert store.at().step == 600
