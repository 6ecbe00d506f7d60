"""Several runs side by side: what they have in common, what differs, which is best, and that none of it is told by colour alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.records import (
    AlertChanged,
    Body,
    CheckpointSaved,
    LifecycleChanged,
    Metrics,
    ProbeDeclared,
    Record,
    RunStarted,
    Snapshot,
)
from bedside_tui.compare.as_json import to_json
from bedside_tui.compare.best import best, direction_of
from bedside_tui.compare.comparison import Comparison, compare
from bedside_tui.compare.configuration import differing_words
from bedside_tui.compare.curves import called, common, overlaid
from bedside_tui.compare.grids import checkpoint_grid
from bedside_tui.compare.lines import plain, shortened
from bedside_tui.compare.parts import alert_lines, checkpoint_lines, configuration_lines, legend, metric_lines, run_lines
from bedside_tui.compare.report import markdown, report
from bedside_tui.compare.runs import LETTERS, MOST
from bedside_tui.compare.shortening import MOST_COLUMNS, MOST_ROWS, short
from bedside_tui.draw.axes import Axes
from bedside_tui.draw.cells import text_of, width
from bedside_tui.store.store import Store
from bedside_tui.store.view import View


def run_of(*bodies: Body, name: str = "run", **about: object) -> View:
    """A run whose records are a second apart."""
    store = Store()
    started = RunStarted(name, name, "flow", 1_795_143_240.0, **about)  # type: ignore[arg-type]
    store.feed(Record(float(at), body) for at, body in enumerate((started, LifecycleChanged("running"), *bodies)))
    return store.at(None)


def logged(name: str, values: Sequence[float], first: int = 1, seconds: float = 0.1) -> Metrics:
    steps = np.arange(first, first + len(values))
    return Metrics((name,), steps, steps * seconds, np.array([values], np.float64))


def measured(step: int, scalars: Mapping[str, float], probe: str = "vq", kind: str = "codebook") -> Snapshot:
    return Snapshot(probe, kind, step, scalars)


def fired(rule: str, target: str, step: int, severity: str = "red", episode: int = 1) -> AlertChanged:
    return AlertChanged(rule, target, "firing", severity, step, step, 1.0, "found", rule, episode)  # type: ignore[arg-type]


def losses(*all_values: Sequence[float]) -> Comparison:
    return compare([run_of(logged("loss", values), name=f"run-{place}") for place, values in enumerate(all_values)])


# --- who they are


def test_runs_are_named_as_shortly_as_tells_them_apart() -> None:
    alike = [run_of(name="digits"), run_of(name="digits")]
    assert [run.name for run in compare([run_of(name="a"), run_of(name="b")]).runs] == ["a", "b"]
    assert [run.name for run in compare(alike).runs] == ["digits", "digits"]  # their ids are the same too: letters tell

    store = Store()
    store.feed([Record(0.0, RunStarted("x-1", "digits", "other", 0.0))])
    assert [run.name for run in compare([alike[0], store.at(None)]).runs] == ["flow/digits", "other/digits"]


def test_a_log_that_does_not_say_who_it_is_is_known_by_its_letter() -> None:
    store = Store()
    store.feed([Record(0.0, logged("loss", [1.0, 2.0]))])
    assert [run.name for run in compare([run_of(name="a"), store.at(None)]).runs] == ["a", "run B"]


def test_there_are_as_many_runs_as_letters_and_no_more() -> None:
    views = [run_of(logged("loss", [1.0]), name=f"r{place}") for place in range(MOST + 1)]
    assert [run.letter for run in compare(views[:MOST]).runs] == list(LETTERS)
    with pytest.raises(ValueError, match="at most 16"):
        compare(views)


# --- curves


def test_metrics_that_more_runs_have_come_first_and_a_run_without_one_is_blank() -> None:
    both = compare([run_of(logged("only", [1.0]), logged("loss", [2.0])), run_of(logged("loss", [1.0]))])
    assert [(metric.name, metric.runs) for metric in both.metrics] == [("loss", 2), ("only", 1)]
    assert both.metrics[1].newest == (1.0, None)
    assert "only  1  —" in " ".join(plain(metric_lines(both.runs, both.metrics, 60)).split("\n")[-1].split()).replace(" ", "  ")


def test_the_best_last_value_and_the_best_of_all_may_be_different_runs() -> None:
    (loss,) = losses([3.0, 0.1, 2.0], [3.0, 2.0, 1.0]).metrics
    assert loss.direction == "down"
    assert (loss.best_newest, loss.best_record) == ({1}, {0})
    assert loss.records == ((2, 0.1), (3, 1.0))


def test_runs_that_are_all_as_good_have_no_best_among_them() -> None:
    assert losses([2.0, 1.0], [3.0, 1.0]).metrics[0].best_newest == frozenset()
    assert losses([1.0], [1.0], [2.0]).metrics[0].best_newest == {0, 1}


def test_a_metric_of_which_no_direction_is_known_has_no_best() -> None:
    (metric,) = compare([run_of(logged("lr", [1.0])), run_of(logged("lr", [2.0]))]).metrics
    assert (metric.best_newest, metric.best_record) == (frozenset(), frozenset())
    assert "◆" not in plain(run_lines(compare([run_of(logged("lr", [1.0]))]).runs, metric, 80)[:1])


def test_a_run_that_is_nan_is_said_to_be_and_never_the_best() -> None:
    both = losses([1.0, math.nan], [1.0, 5.0])
    assert both.metrics[0].best_newest == {1}
    text = plain(metric_lines(both.runs, both.metrics, 60))
    assert "nan" in text
    assert "◆ 5" in text


def test_curves_of_runs_lie_over_each_other_by_their_letters() -> None:
    both = losses(np.linspace(4, 1, 300).tolist(), np.linspace(4, 3, 150).tolist())
    lines = [text_of(line) for line in overlaid(both.runs, both.metrics[0], 70, 12, Axes())]
    rows = {letter: [at for at, line in enumerate(lines) if letter in line] for letter in "AB"}
    assert min(rows["B"]) < max(rows["A"])
    assert all(width(line) == 70 for line in lines)


def test_by_time_a_slow_run_reaches_further_than_a_fast_one_of_as_many_steps() -> None:
    views = [run_of(logged("loss", [1.0 + place] * 100, seconds=seconds)) for place, seconds in enumerate((0.1, 0.4))]
    both = compare(views)

    def ends(axis: str) -> list[int]:
        lines = [text_of(line) for line in overlaid(both.runs, both.metrics[0], 70, 12, Axes(axis=axis))]  # type: ignore[arg-type]
        return [max(line.rfind(letter) for line in lines) for letter in "AB"]

    by_step, by_time = ends("step"), ends("time")
    assert by_step[0] == by_step[1]
    assert by_time[0] < 30 < 65 < by_time[1]


def test_at_a_step_each_run_has_its_value_there_and_its_difference_from_the_first() -> None:
    three = losses([4.0, 3.0, 2.0, 1.0], [4.0, 4.0, 1.5, 1.0], [9.0])
    lines = plain(run_lines(three.runs, three.metrics[0], 100, 3)).split("\n")
    assert ["2.00 @ 3" in lines[1], "◆ 1.50 @ 3" in lines[2], "9.00 @ 1" in lines[3]] == [True] * 3
    assert "Δ -0.5000 -25 %" in lines[2]
    assert "Δ" not in lines[3]  # it never came so far


def test_a_noisy_curve_is_drawn_by_its_means_so_that_it_hides_no_other() -> None:
    noisy = losses(np.tile([0.0, 10.0], 5000).tolist(), np.linspace(6.0, 4.0, 10_000).tolist())
    lines = [text_of(line) for line in overlaid(noisy.runs, noisy.metrics[0], 70, 14, Axes())]
    labels = [float(label) for line in lines[:-2] if (label := line.partition("┤")[0].strip()) and "┤" in line]
    assert labels
    assert all(3.9 <= label <= 6.1 for label in labels)


def test_metrics_are_called_by_name_or_glob_and_a_word_for_none_is_told() -> None:
    both = compare([run_of(logged("loss/a", [1.0]), logged("loss/b", [1.0]), logged("acc[top5]", [1.0]))] * 2)
    chosen, unknown = called(both.metrics, ["loss/*", "acc[top5]", "loss/a", "nothing"])
    assert ([metric.name for metric in chosen], unknown) == (["loss/a", "loss/b", "acc[top5]"], ["nothing"])


# --- configuration


def configured(*configs: Mapping[str, object], **more: Sequence[object]) -> Comparison:
    about = [{key: values[place] for key, values in more.items()} for place in range(len(configs))]
    return compare([run_of(name=f"r{place}", config=config, **about[place]) for place, config in enumerate(configs)])


def test_only_what_differs_is_shown_with_the_seeds_and_the_commit() -> None:
    found = configured({"lr": 0.1, "seed": 0, "batch": 64}, {"lr": 0.1, "seed": 1, "batch": 64}, git_commit=["a" * 40, "b" * 40])
    assert [(each.section, each.key, each.values) for each in found.configuration.differences] == [
        ("config", "seed", {0: 0, 1: 1}),
        ("environment", "git commit", {0: "a" * 40, 1: "b" * 40}),
    ]
    text = plain(configuration_lines(found.runs, found.configuration, 80))
    assert "seed" in text
    assert "lr" not in text
    assert "3 keys are the same" in text


def test_a_key_that_a_run_does_not_have_differs_from_every_value() -> None:
    found = configured({"clip": None}, {}).configuration.differences
    assert [(each.key, each.values) for each in found] == [("clip", {0: None})]


def test_nan_is_the_same_as_nan_and_true_is_not_one() -> None:
    found = configured({"a": math.nan, "b": True, "c": 1}, {"a": math.nan, "b": 1, "c": 1.0}).configuration.differences
    assert [each.key for each in found] == ["b"]


def test_what_was_redacted_before_it_was_recorded_stays_so() -> None:
    found = configured({"api_key": "<redacted>"}, {"api_key": "<redacted>"})
    assert found.configuration.differences == ()
    assert "redacted" not in plain(configuration_lines(found.runs, found.configuration, 80))


def test_of_commands_only_the_words_that_differ_are_shown_with_their_options() -> None:
    assert differing_words({0: "python train.py --lr 0.1 --seed 0", 2: "python train.py --lr 0.2 --seed 0 --fast"}) == {
        0: "… --lr 0.1 …",
        2: "… --lr 0.2 … --fast",
    }
    assert differing_words({1: "python train.py"}) == {1: "python train.py"}


def test_equal_runs_say_so() -> None:
    found = configured({"lr": 0.1}, {"lr": 0.1})
    assert plain(configuration_lines(found.runs, found.configuration, 80)).strip() == "nothing differs: 2 keys are the same"


# --- checkpoints


def test_a_checkpoint_has_the_newest_value_at_or_before_it_and_the_best_is_marked() -> None:
    def trained(worse: float) -> View:
        return run_of(
            ProbeDeclared("vq", "codebook", 50, {}),
            measured(50, {"used": 100.0 - worse, "nearest": 0.5}), measured(100, {"used": 300.0 - worse, "nearest": 0.4}),
            CheckpointSaved("/ckpt/a.pt", 1, 99), CheckpointSaved("/ckpt/b.pt", 1, 100), CheckpointSaved("/ckpt/0.pt", 1, 10),
        )  # fmt: skip

    table = compare([trained(0.0), trained(1.0)]).checkpoints
    assert [(each.name, each.direction) for each in table.quantities] == [("vq: used", "up"), ("vq: nearest", None)]
    assert [(row.place, row.step, row.values) for row in table.rows] == [
        (0, 99, (100.0, 0.5)), (0, 100, (300.0, 0.4)), (0, 10, (None, None)),
        (1, 99, (99.0, 0.5)), (1, 100, (299.0, 0.4)), (1, 10, (None, None)),
    ]  # fmt: skip
    assert table.best == ({1}, frozenset())


def test_ties_are_all_marked() -> None:
    runs = [run_of(measured(1, {"usage": usage})) for usage in (0.5, 0.9, 0.9)]
    (chosen,) = compare(runs).checkpoints.best
    assert chosen == {1, 2}


def test_a_family_of_checkpoints_measured_one_by_one_makes_one_table() -> None:
    views = [run_of(measured(step, {"usage": step / 500}), name=f"step_{step:04}", config={"checkpoint": step}) for step in (100, 400, 250)]
    family = compare(views)
    text = plain(checkpoint_lines(family.runs, family.checkpoints, 80))
    rows = text.split("\n")[2:]
    assert [row.split()[0] for row in rows] == ["A", "B", "C"]
    assert ["◆" in row for row in rows] == [False, True, False]
    assert "step_0400" in rows[1]


def test_metrics_with_a_better_side_stand_beside_the_probes_at_each_checkpoint() -> None:
    view = run_of(
        logged("val/acc", [0.1, 0.9, 0.5]), logged("lr", [1.0] * 3), CheckpointSaved("/2.pt", 1, 2), CheckpointSaved("/3.pt", 1, 3)
    )
    table = compare([view, run_of(logged("val/acc", [0.2]))]).checkpoints
    assert [each.name for each in table.quantities] == ["val/acc"]
    assert [row.values for row in table.rows] == [(0.9,), (0.5,), (0.2,)]
    assert table.best == ({0},)


def test_a_suspect_checkpoint_says_so_in_its_row() -> None:
    exploded = AlertChanged("explosion", "loss", "firing", "red", 90, 80, 9.0, "grew", "explosion", 1)
    runs = compare([run_of(logged("loss", [1.0] * 100), exploded, CheckpointSaved("/bad.pt", 1, 100)), run_of(logged("loss", [2.0]))])
    lines = plain(checkpoint_lines(runs.runs, runs.checkpoints, 100)).split("\n")
    assert [("suspect" in line) for line in lines if "100" in line] == [True]


def test_what_is_the_same_in_every_row_is_named_and_not_drawn() -> None:
    runs = compare([run_of(measured(1, {"usage": usage, "size": 512.0})) for usage in (0.5, 0.9)])
    text = plain(checkpoint_lines(runs.runs, runs.checkpoints, 80))
    assert "1 is the same in every row: vq: size" in text
    assert "512" not in text


def test_where_nothing_was_measured_the_table_says_what_would_fill_it() -> None:
    runs = compare([run_of(), run_of()])
    assert "run.probe" in plain(checkpoint_lines(runs.runs, runs.checkpoints, 80))


@given(st.lists(st.none() | st.floats(), max_size=6), st.sampled_from(["up", "down"]))
def test_the_best_is_as_good_as_every_other_and_never_no_number(values: list[float | None], direction: str) -> None:
    for place in best(values, direction):  # type: ignore[arg-type]
        value = values[place]
        assert value is not None
        others = [other for other in values if other is not None and not math.isnan(other) and abs(other) != math.inf]
        assert all(value >= other if direction == "up" else value <= other for other in others)


def test_one_value_alone_is_not_the_best_of_anything() -> None:
    assert best([None, 3.0, None], "up") == frozenset()


def test_a_direction_is_known_by_the_kind_of_the_probe_or_by_what_a_scalar_is_called() -> None:
    assert [direction_of(kind, scalar) for kind, scalar in (
        ("codebook", "dead"), ("samples", "psnr/made"), ("codebook", "top1"), ("gradients", "norm"), ("mine", "val_loss"), ("mine", "size"),
        ("mine", "nonfinite"),
    )] == ["down", "up", None, None, "down", None, "down"]  # fmt: skip


# --- alerts


def test_alarms_stand_side_by_side_red_first_with_the_step_at_which_each_fired_first() -> None:
    cleared = AlertChanged("spike", "loss", "cleared", "amber", 70, 50, 1.0, "", "spike", 1)
    runs = compare([
        run_of(logged("loss", [1.0] * 90), fired("spike", "loss", 50, "amber"), cleared, fired("spike", "loss", 80, "amber", 2)),
        run_of(logged("loss", [1.0] * 90), fired("explosion", "loss", 60), fired("spike", "loss", 40, "amber")),
    ])  # fmt: skip
    assert [(row.rule, sorted(row.runs)) for row in runs.alerts] == [("explosion", [1]), ("spike", [0, 1])]
    spike = runs.alerts[1].runs
    assert [(spike[place].step, spike[place].episodes, spike[place].stands) for place in (0, 1)] == [(50, 2, True), (40, 1, True)]
    text = plain(alert_lines(runs.runs, runs.alerts, 80))
    assert "✖ 60" in text
    assert "▲ 50 ×2" in text
    assert [run.verdict for run in runs.runs] == ["amber", "red"]


def test_an_alarm_that_is_over_is_said_to_be() -> None:
    cleared = AlertChanged("spike", "loss", "cleared", "amber", 70, 50, 1.0, "", "spike", 1)
    runs = compare([run_of(fired("spike", "loss", 50, "amber"), cleared), run_of()])
    assert "▲ 50 cleared" in plain(alert_lines(runs.runs, runs.alerts, 80))


def test_runs_without_alarms_say_so() -> None:
    runs = compare([run_of(), run_of()])
    assert plain(alert_lines(runs.runs, runs.alerts, 80)).strip() == "no alarm in any of these runs"


# --- as text


def sixteen() -> Comparison:
    return compare([
        run_of(
            logged("loss", np.linspace(4, place / 10, 50).tolist()),
            measured(40, {"usage": place / 16, "a_rather_long_name": 1.0 * place}),
            fired("spike", "loss", 30 + place), name=f"a-family-of-runs-{place}", config={"seed": place, "lr": 0.1 * (place % 2)},
        )
        for place in range(16)
    ])  # fmt: skip


PARTS: tuple[Callable[[Comparison, int, bool], list[object]], ...] = (
    lambda all_, size, ascii: run_lines(all_.runs, all_.metrics[0], size, ascii=ascii),  # type: ignore[return-value]
    lambda all_, size, ascii: legend(all_.runs, all_.metrics[0], size, 6, ascii=ascii),  # type: ignore[return-value]
    lambda all_, size, ascii: metric_lines(all_.runs, all_.metrics, size, ascii=ascii),  # type: ignore[return-value]
    lambda all_, size, ascii: configuration_lines(all_.runs, all_.configuration, size, ascii=ascii),  # type: ignore[return-value]
    lambda all_, size, ascii: checkpoint_lines(all_.runs, all_.checkpoints, size, ascii=ascii),  # type: ignore[return-value]
    lambda all_, size, ascii: alert_lines(all_.runs, all_.alerts, size, ascii=ascii),  # type: ignore[return-value]
)


@pytest.mark.parametrize("size", [40, 57, 80, 120, 200])
@pytest.mark.parametrize("part", range(len(PARTS)))
def test_no_line_of_sixteen_runs_is_wider_than_it_may_be_and_none_is_left_out(part: int, size: int) -> None:
    lines = [text_of(line) for line in PARTS[part](sixteen(), size, False)]  # type: ignore[arg-type]
    assert max(width(line) for line in lines) <= size
    words = " ".join(lines).split()
    assert all(letter in words for letter in LETTERS)


def test_names_that_are_cut_keep_the_ends_by_which_they_differ() -> None:
    assert shortened("a-family-of-runs-12", 12) == "a-fam…uns-12"
    lines = [text_of(line) for line in run_lines(sixteen().runs, None, 44)]
    assert all(f"-{place} " in line for place, line in enumerate(lines[1:]))


def test_a_table_of_many_runs_and_few_keys_is_turned_where_that_is_shorter() -> None:
    many = configured(*({"data": f"shards/of/the/corpus-{place}", "seed": place} for place in range(16)))
    lines = plain(configuration_lines(many.runs, many.configuration, 80)).split("\n")
    assert lines[0].split() == ["run", "data", "seed"]
    assert lines[16].split() == ["P", "r15", "shards/of/the/corpus-15", "15"]


def test_a_report_of_runs_with_nothing_in_common_says_so_and_shows_the_rest() -> None:
    apart = compare([run_of(logged("loss", [1.0])), run_of(logged("reward", [1.0]))])
    assert common(apart.metrics) == ()
    text = plain(report(apart, (), (80, 12), Axes()))
    assert "no metric in common" in text
    assert "metrics · 0 of 2 in common" in text


def test_a_run_that_never_logged_the_metric_is_named_below_its_chart() -> None:
    runs = compare([run_of(logged("loss", [1.0, 2.0])), run_of(logged("loss", [1.0, 2.0])), run_of()])
    assert "C: never logged" in plain(report(runs, runs.metrics, (80, 12), Axes()))


def crowded(metrics: int) -> Comparison:
    """Two runs with very many metrics: one has a better side and another differs, both far down."""
    names = ("loss/z", "z", *(f"m{place:04}" for place in range(metrics - 2)))
    rows = [[1.0] * metrics, [0.5, 2.0, *[1.0] * (metrics - 2)]]
    blocks = [Metrics(names[::-1], np.array([1]), np.array([0.1]), np.array([row[::-1]]).T) for row in rows]
    return compare([run_of(block, name=name) for block, name in zip(blocks, "ab", strict=True)])


def test_a_long_table_shows_what_is_best_and_what_differs_and_counts_the_rest() -> None:
    comparison = crowded(1274)
    lines = plain(report(comparison, (), (80, 16), Axes())).split("\n")
    rows = [row.split()[0] for row in lines if row.startswith((" loss/z", " z ", " m0", " m1"))]
    assert len(rows) == MOST_ROWS
    assert {"loss/z", "z"} < set(rows)
    assert "   … and 1,234 more: --all" in lines
    assert "\n… and 1,234 more: --all\n" in markdown(comparison, (), (80, 16), Axes())


def test_the_whole_of_a_long_table_is_there_for_who_asks_and_for_scripts() -> None:
    comparison = crowded(1274)
    for text in (plain(report(comparison, (), (80, 16), Axes(), whole=True)), markdown(comparison, (), (80, 16), Axes(), whole=True)):
        assert all(metric.name in text for metric in comparison.metrics)
        assert "--all" not in text
    assert len(to_json(comparison, (), Axes())["metrics"]) == 1274


def test_of_very_many_checkpoints_the_best_and_the_last_are_shown_by_the_quantities_that_have_a_best() -> None:
    bodies: list[Body] = []
    for step in range(1, 101):
        scalars = {"used": 500.0 if step == 7 else 100.0 + step % 2, **{f"q{place}": float(step) for place in range(80)}}
        bodies += [measured(step, scalars), CheckpointSaved(f"ckpt/{step}.pt", 1, step)]
    comparison = compare([run_of(ProbeDeclared("vq", "codebook", 1), *bodies, name="a"), run_of(name="b")])
    kept = short(checkpoint_grid(comparison.runs, comparison.checkpoints), newest=True)
    labels = [cell.text for cell in kept.grid.labels.cells]
    assert (len(labels), len(kept.grid.columns)) == (MOST_ROWS, MOST_COLUMNS)
    assert labels[0] == "A 7 7.pt"
    assert labels[-2:] == ["A 100 100.pt", "B 0 now b"]
    assert kept.grid.columns[0].head.text == "used"
    assert kept.said == "… and 61 more rows and 33 more columns: --all"


def test_in_ascii_everything_is() -> None:
    all_ = sixteen()
    for part in PARTS[:3]:
        lines = [text_of(line) for line in part(all_, 80, True)]  # type: ignore[arg-type]
        assert "*" in " ".join(lines)
        assert "◆" not in " ".join(lines)


def test_a_page_of_markdown_has_a_table_a_part_the_best_in_bold_and_obeys_no_name() -> None:
    runs = compare([run_of(logged("loss", [value]), name="a|b *c*", config={"k": value}) for value in (1.0, 2.0)])
    page = markdown(runs, runs.metrics, (80, 12), Axes())
    assert "**1**" in page
    assert "a\\|b \\*c\\*" in page
    rows = [line for line in page.split("\n") if line.startswith("|")]
    assert all(line.count("|") - line.count("\\|") >= 3 for line in rows)


def test_scripts_get_null_for_what_is_no_number_and_letters_for_runs() -> None:
    told = to_json(losses([1.0, math.nan], [2.0]), losses([1.0, math.nan], [2.0]).metrics, Axes())
    assert told["metrics"][0]["last"] == {"A": None, "B": 2.0}
    assert told["metrics"][0]["best"] == {"A": 1.0, "B": 2.0}
    assert [curve["run"] for curve in told["curves"]] == ["A", "B"]
