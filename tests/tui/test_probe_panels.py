"""The panels of probes: what each kind shows of itself, and that nothing in a snapshot, however wrong, can stop them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from rich.cells import cell_len

from bedside_protocol.records import Array, Body, Meaning, ProbeDeclared, Record, Snapshot
from bedside_tui.cursor import Cursor, Spot
from bedside_tui.screens.probes import list_row, tab_line
from bedside_tui.sources.scripted_inside import EXAMPLES
from bedside_tui.sources.scripted_run import scripted_run
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.store import Store
from bedside_tui.store.view import ProbeView, View
from bedside_tui.theme import DARK
from bedside_tui.widgets.figures import FIGURES, LEADS, figures_of, lead_of
from bedside_tui.widgets.frame import Frame, Playhead
from bedside_tui.widgets.lines import Line, Paint, fit, line, plain, width_of
from bedside_tui.widgets.panels.blocks import Block, short, stacked, without_common
from bedside_tui.widgets.panels.samples import as_pictures
from bedside_tui.widgets.probe_panels import PANELS, head_of, panel_of
from bedside_tui.widgets.vitals import probe_row

SIZES = ((20, 3), (28, 8), (80, 19), (160, 45))


def view_of(*bodies: Body) -> View:
    store = Store()
    store.feed(Record(float(at), body, seq=at + 1) for at, body in enumerate(bodies))
    return store.at(None)


def frame_of(view: View, *, ascii: bool = False, coloured: bool = True) -> Frame:
    frame = Frame(view, SourceStatus("connected"), Playhead("now", view.time, 0.0, view.time), 0.2, 1000.0, view)
    return replace(frame, ascii=ascii, heat=DARK.heat if coloured and not ascii else ())


def probe_of(*bodies: Body) -> ProbeView:
    return view_of(*bodies).probes[0]


def panel(*bodies: Body, width: int = 80, height: int = 19) -> str:
    view = view_of(*bodies)
    return plain(panel_of(view.probes[0], frame_of(view, coloured=False), width, height))


def snapshot(kind: str, scalars: Mapping[str, float], step: int = 1, **more: object) -> Snapshot:
    return Snapshot("p", kind, step, dict(scalars), **more)  # type: ignore[arg-type]


def table(values: list[float], *labels: str) -> Array:
    return Array("table", np.array(values, float), labels)


@pytest.fixture(scope="module")
def everything() -> View:
    """A run that has one probe of every kind."""
    store = Store()
    store.feed(scripted_run(probes="all", steps=4_000, seconds=240.0))
    return store.at(None)


# --- all of them


def test_the_scripted_run_has_every_kind_there_is_a_panel_for(everything: View) -> None:
    assert {probe.kind for probe in everything.probes} == {*PANELS, "experts"}
    assert set(FIGURES) == set(PANELS)
    assert set(LEADS) <= set(PANELS)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ascii", [False, True])
def test_every_panel_keeps_to_its_place(size: tuple[int, int], ascii: bool, everything: View) -> None:
    width, height = size
    frame = frame_of(everything, ascii=ascii)
    for probe in everything.probes:
        rows = panel_of(probe, frame, width, height)
        assert len(rows) == height, probe.name
        assert max(map(width_of, rows)) <= width, probe.name
        assert width_of(probe_row(probe, width)) == width


def test_at_80_columns_nothing_that_matters_is_cut(everything: View) -> None:
    frame = frame_of(everything)
    cut = {
        probe.name: [row for row in plain(panel_of(probe, frame, 80, 19)).split("\n") if row.endswith("…")] for probe in everything.probes
    }
    assert {name: rows for name, rows in cut.items() if rows} == {}
    assert [row for probe in everything.probes if "…" in (row := plain([probe_row(probe, 80)])) and probe.kind != "distribution"] == []


def test_a_heat_map_has_colours_where_there_are_and_shades_where_not(everything: View) -> None:
    probe = everything.probe("attention")
    assert probe is not None
    coloured, plain_ = (panel_of(probe, frame_of(everything, coloured=coloured), 80, 19) for coloured in (True, False))
    assert {span.tone.background for row in coloured for span in row if isinstance(span.tone, Paint)} <= set(DARK.heat)
    assert not [span for row in plain_ for span in row if isinstance(span.tone, Paint)]
    assert plain(coloured) == plain(plain_)


def test_the_head_says_schedule_and_cost_and_gives_up_the_words_first(everything: View) -> None:
    probe = everything.probe("gradients")
    assert probe is not None
    assert "● ok ─ every 50 · cost 0." in plain([head_of(probe, 120, "", ("< 1 s ago", "quiet"))])
    heads = [plain([head_of(probe, width)]) for width in range(30, 100)]
    said = ["of a step" if "of a step" in head else "cost" if "cost" in head else "every" if "every" in head else "ok" for head in heads]
    assert [key for key, _ in groupby(said)] == ["ok", "every", "cost", "of a step"]


def test_each_probe_says_its_own_cost() -> None:
    def measured(name: str, cost: float) -> Iterator[Body]:
        yield Snapshot(name, "ratio", 1, {"now": 1.0}, cost=cost)

    bodies = [body for _ in range(10) for name, cost in (("dear", 0.2), ("cheap", 0.002)) for body in measured(name, cost)]
    view = view_of(*bodies)
    costs = {probe.name: probe.cost for probe in view.probes}
    assert costs["dear"] == pytest.approx(0.1, rel=0.15)
    assert costs["dear"] == pytest.approx(100 * costs["cheap"], rel=0.1)
    assert sum(costs.values()) == pytest.approx(view.probe_cost, rel=0.15)


def test_a_probe_declared_again_has_its_new_rate() -> None:
    probe = probe_of(ProbeDeclared("p", "ratio", 50), snapshot("ratio", {"now": 1.0}), ProbeDeclared("p", "ratio", 25))
    assert "every 25" in plain([head_of(probe, 80)])


# --- kinds, one by one


def test_parameters_that_do_not_learn_stand_above_the_layers() -> None:
    text = panel(snapshot(
        "gradients", {"norm": 1.0}, arrays={"layer_norm": table([0.5, 0.0, math.nan], "a", "b", "c")}, texts={"none": ("dead.weight",)},
    ))  # fmt: skip
    lines = text.split("\n")
    assert "▲ 1 no gradient: dead.weight" in lines[1]
    assert [line.split()[:2] for line in lines[4:7]] == [["a", "0.5000"], ["b", "0.0000"], ["c", "nan"]]


def test_the_newest_gradients_are_at_the_right_and_older_ones_stand_still() -> None:
    def rows(count: int) -> list[str]:
        layers = [
            snapshot("gradients", {"norm": 1.0}, 64 * at, arrays={"layer_norm": table([10.0**-at, 1.0], "a", "b")}) for at in range(count)
        ]
        return [line[40:].rstrip() for line in panel(*layers).split("\n")[2:4]]

    few, more = rows(3), rows(4)
    assert few[0][0] == more[0][0] == "█"
    assert more[0][-1] == "░"
    assert more[1] == "█" * 4 * (len(more[1]) // 4)


def test_two_thousand_layers_are_one_map_and_the_extremes() -> None:
    names = tuple(f"blocks.{at}.weight" for at in range(2_000))
    array = Array("table", np.linspace(0.001, 1.0, 2_000), names)
    text = panel(*(snapshot("gradients", {"norm": 1.0}, 50 * at, arrays={"layer_norm": array}) for at in range(5)))
    assert "the largest of" in text
    assert "1999.weight" in text
    assert "0.weight" in text


def test_structure_says_what_is_wrong_with_the_number_beside_it() -> None:
    wrong = snapshot("structure", {"never_reset": 1.0, "same_batch": 3.0, "eval_differs": 0.02, "output_difference": 1e-5})
    lines = panel(wrong).split("\n")[1:5]
    assert [line.split()[0] for line in lines] == ["▲"] * 4
    assert lines[1].endswith("3 times")
    well = snapshot("structure", {"never_reset": 0.0, "same_batch": 0.0, "eval_differs": 0.0, "output_difference": 0.4})
    assert [line.split()[0] for line in panel(well).split("\n")[1:5]] == ["●"] * 4
    assert figures_of(probe_of(well))[0] == "sound"
    assert figures_of(probe_of(wrong)) == ["4 of 4 wrong", "gradients not reset"]


def test_a_collapsed_rollout_is_marked_by_variant() -> None:
    scalars = {"collapse": 0.9, "collapse/argmax": 0.9, "collapse/top-k": 0.1, "first/argmax": 440.0, "second/argmax": 44.0}
    codes = {"argmax": [440.0, 44, 40], "top-k": [440.0, 400, 390], "reference": [441.0, 440, 439]}
    arrays = {f"codes/{name}": Array("trajectory", np.array(values)) for name, values in codes.items()}
    lines = panel(snapshot("rollout", scalars, arrays=arrays), height=24).split("\n")
    assert "✖   90 % lost" in next(line for line in lines if "argmax" in line)
    assert "✖" not in next(line for line in lines if "top-k" in line)
    assert next(place for place, line in enumerate(lines) if "real frames" in line) > next(
        place for place, line in enumerate(lines) if "top-k" in line
    )
    assert "440 → 44" in "\n".join(lines)


def test_the_quiet_sentence_of_a_collapsed_run_stands_first() -> None:
    quiet = "the rollout is collapsed: with so few codes left every input looks weak"
    text = panel(snapshot("sensitivity", {"effect/keys": 0.1}, arrays={"effect": table([0.1], "keys")}, texts={"quiet": (quiet,)}))
    assert quiet in text.split("\n")[1]


def test_a_class_that_is_never_predicted_is_named() -> None:
    arrays = {"target": Array("histogram", np.array([90, 10]), ("wall", "door")), "predicted": Array("histogram", np.array([100, 0]))}
    lines = panel(snapshot("class_balance", {"missing": 1.0}, arrays=arrays)).split("\n")
    door = next(line for line in lines if "door" in line)
    assert door.split()[:3] == ["door", "10", "%"]
    assert door.endswith("never")


def test_classes_that_are_nowhere_are_counted_in_one_line() -> None:
    arrays = {"target": Array("histogram", np.array([90, 10, 0, 0])), "predicted": Array("histogram", np.array([80, 20, 0, 0]))}
    text = panel(snapshot("class_balance", {"accuracy": 0.9}, arrays=arrays))
    assert "2 classes are neither given nor predicted" in text
    assert "class 3" not in text


def test_values_that_are_no_numbers_are_counted_only_where_there_are_some() -> None:
    assert "not finite" not in panel(snapshot("divergence", {"kl": 1.0, "nonfinite": 0.0}))
    assert "3  " in next(row for row in panel(snapshot("divergence", {"kl": 1.0, "nonfinite": 3.0})).split("\n") if "not finite" in row)


@pytest.mark.parametrize(
    ("scalars", "words"),
    [
        ({"success": 1.0, "strong": 1.0}, "● works, strongly"),
        ({"success": 1.0, "strong": 0.0}, "● works"),
        ({"success": 0.0}, "◌ does not work yet"),
        ({"success": math.nan}, "no success declared"),
        ({"success": 0.0, "equal": 0.004}, "▲ both are the same"),
    ],
)
def test_a_ratio_says_in_words_what_it_amounts_to(scalars: dict[str, float], words: str) -> None:
    text = panel(snapshot("ratio", {**scalars, "above": 0.464, "above_low": 0.42, "above_high": 0.508}))
    assert words in text
    assert "above 1 in 46 % of steps (95 %: 42 % … 51 %)" in text


def schedule_at(cursor: Cursor | None, steps: Sequence[float], width: int = 80) -> list[str]:
    """The chart of a schedule logged at these steps, from its heading on: 1.0 declared throughout, and ever less in place of it."""
    count = len(steps)
    arrays = {
        "declared": Array("trajectory", np.ones(count)),
        "value": Array("trajectory", np.linspace(1.0, 0.1, count)),
        "step": Array("trajectory", np.array(steps)),
    }
    view = view_of(snapshot("schedule", {"value": 0.1}, arrays=arrays))
    lines = plain(panel_of(view.probes[0], replace(frame_of(view), cursor=cursor), width, 19)).split("\n")
    return lines[next(at for at, row in enumerate(lines) if "so far" in row) :]


def test_a_trajectory_is_read_at_the_cursor_by_its_steps() -> None:
    steps = range(1000, 1100, 10)
    lines = schedule_at(Cursor(Spot(1047, 5.0), Spot(1020, 2.0)), steps, width=100)
    assert lines[0] == "   so far  ┃ step 1,040   ━ declared ┃ 1.00 Δ 0.0000   ━ value ┃ 0.6000 Δ -0.2000"
    across = [row.index("┃") for row in lines[1:] if "┃" in row]
    assert len(across) >= 5
    assert set(across) == {10 + int(0.4 / 0.9 * 89.5)}
    assert {row.index("┊") for row in lines if "┊" in row} == {10 + int(0.2 / 0.9 * 89.5)}


@pytest.mark.parametrize("steps", [[5.0, 6.0, 7.0], [math.nan, -math.inf, 1e300], [-1e300, math.nan, math.nan]])
def test_a_trajectory_without_a_step_before_the_cursor_is_drawn_without_it(steps: list[float]) -> None:
    assert schedule_at(Cursor(Spot(4, 0.0)), steps) == schedule_at(None, steps)


def test_what_failed_in_a_rehearsal_stands_first() -> None:
    verdict = ("✓ batch", "▲ memory: 8 % left", "✖ sampling: KeyError", "passed loss falls")
    lines = panel(snapshot("preflight", {"passed": 2.0, "failed": 1.0, "warned": 1.0}, texts={"verdict": verdict})).split("\n")
    assert lines[1].split("  ")[1].strip() == "✖ 1 failed"
    assert [line.split()[0] for line in lines[3:7]] == ["✖", "▲", "●", "●"]


def test_texts_stand_in_blocks_with_the_target_first() -> None:
    texts = {"greedy": ("the cat", "b"), "target": ("a cat", "c")}
    lines = panel(Snapshot("s", "samples", 1, {"distinct1/greedy": 0.5}, texts=texts)).split("\n")
    assert [line.split() for line in lines[1:6]] == [["target", "a", "cat"], ["greedy", "the", "cat"], [], ["target", "c"], ["greedy", "b"]]
    assert any(line.split()[:3] == ["greedy", "50", "%"] for line in lines)


def test_frames_of_a_video_stand_in_a_row() -> None:
    assert as_pictures(np.zeros((2, 5, 8, 9))).shape == (5, 8, 9)  # type: ignore[union-attr]
    assert as_pictures(np.zeros((2, 5, 8, 9, 3))).shape == (5, 8, 9, 3)  # type: ignore[union-attr]
    assert as_pictures(np.zeros((4, 8, 9, 3))).shape == (4, 8, 9, 3)  # type: ignore[union-attr]
    assert as_pictures(np.zeros((8, 9))).shape == (1, 8, 9)  # type: ignore[union-attr]
    assert as_pictures(np.zeros((0, 8, 9))) is None
    assert as_pictures(np.zeros(7)) is None


def test_near_codes_and_heads_stand_in_the_codebook() -> None:
    arrays = {"usage": Array("histogram", np.array([5, 3, 0, 1])), "near": table([0.25, 1.5], "0", "1"),
              "used_by_head": table([3, 2], "0", "1"), "perplexity_by_head": table([2.5, 1.2], "0", "1")}  # fmt: skip
    text = panel(Snapshot("vq", "codebook", 1, {"used": 3.0, "size": 4.0, "overlap": 0.5}, arrays), width=100, height=30)
    assert next(line for line in text.split("\n") if "#0" in line).count("0.2500") == 1
    assert [line.split() for line in text.split("\n") if line.startswith("   used  ")] == [["used", "3", "2"]]
    assert "overlap" in text


def test_a_kind_never_seen_before_shows_numbers_arrays_and_texts() -> None:
    arrays = {
        "bins": Array("histogram", np.array([1, 2, 3])),
        "map": Array("matrix", np.eye(3), ("x", "y", "z"), ("l0", "l1", "l2")),
        "by": table([0.1, 0.2], "one", "two"),
        "path": Array("trajectory", np.array([1.0, 2.0])),
        "nothing": Array("matrix", np.empty((0, 3))),
    }
    text = panel(snapshot("brand-new", {"load": 0.5}, arrays=arrays, texts={"lost": ("alpha", "beta")}), height=40)
    assert all(word in text for word in ("load", "bins", "l1", "two", "path", "alpha", "beta", "nothing to draw in it (0 × 3)"))


# --- anything at all


MEANINGS: tuple[Meaning, ...] = ("histogram", "matrix", "table", "trajectory", "image")
KINDS = (*PANELS, "never seen")
MEASURED = [example_.measure(0.5, 0.5, np.random.default_rng(0)) for example_ in EXAMPLES]
KNOWN_SCALARS = [
    *sorted({name for found in MEASURED for name in found.scalars}),
    *(
        "used",
        "size",
        "perplexity",
        "dead",
        "window",
        "norm",
        "tensors",
        "psnr/made",
        "motion/",
        "collapse/",
        "first/x",
        "effect/",
        "/",
        "",
    ),
]
KNOWN_ARRAYS = [
    *sorted({name for found in MEASURED for name in found.arrays}),
    *("usage", "near", "used_by_head", "perplexity_by_head", "layer_norm", "layer_update_ratio", "codes/", "made", ""),
]
KNOWN_TEXTS = ["none", "zero", "unowned", "ignored", "quiet", "verdict", "target", "greedy", "eval_differs"]

numbers = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf])
words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["[/x]", "blocks.0.a", "面白い", "x" * 300, ""]
)
shapes = arrays_of.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5) | st.sampled_from([(2000,), (300, 2), (2, 300), (1,), (0,)])
values = st.one_of(
    arrays_of.arrays(np.float64, shapes, elements=numbers, fill=numbers),
    arrays_of.arrays(np.int64, shapes, fill=st.just(0)),
    arrays_of.arrays(np.bool_, shapes),
    arrays_of.arrays(np.complex128, shapes, fill=st.just(1j)),
)
any_array = st.builds(
    Array, st.sampled_from(MEANINGS), values, st.lists(words, max_size=6).map(tuple), st.lists(words, max_size=6).map(tuple)
)  # fmt: skip


@st.composite
def snapshots(draw: st.DrawFn, kind: str, step: int) -> Snapshot:
    scalars = draw(st.dictionaries(st.sampled_from(KNOWN_SCALARS) | words, numbers, max_size=12))
    arrays = draw(st.dictionaries(st.sampled_from(KNOWN_ARRAYS) | words, any_array, max_size=4))
    texts = draw(st.dictionaries(st.sampled_from(KNOWN_TEXTS) | words, st.lists(words, max_size=4).map(tuple), max_size=3))
    return Snapshot("p", kind, step, scalars, arrays, texts, draw(numbers))


def drawn(view: View, size: tuple[int, int], frame: Frame) -> list[Line]:
    rows = []
    for probe in view.probes:
        rows += [*panel_of(probe, frame, *size), probe_row(probe, size[0]), list_row(probe), tab_line(view.probes, 0, size[0])]
        lead_of(probe)
    return rows


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_snapshot_whatever_is_in_it_stops_a_panel(kind: str, data: st.DataObject) -> None:
    bodies: list[Body] = [ProbeDeclared("p", kind, 50, {"size": math.nan}), *(data.draw(snapshots(kind, step)) for step in (1, 2))]
    view = view_of(*bodies)
    for size in SIZES:
        ascii = data.draw(st.booleans())
        rows = drawn(view, size, frame_of(view, ascii=ascii))
        assert all(width_of(fit(row, size[0])) == size[0] for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_everywhere_is_drawn_as_such(kind: str) -> None:
    example_ = next((entry for entry in EXAMPLES if entry.kind == kind), EXAMPLES[-1]).measure(0.9, 0.9, np.random.default_rng(0))
    arrays = {name: replace(array, values=np.full(array.values.shape, np.nan)) for name, array in example_.arrays.items()}
    view = view_of(Snapshot("p", kind, 1, dict.fromkeys(example_.scalars, math.nan), arrays, example_.texts))
    for size in SIZES:
        assert drawn(view, size, frame_of(view))


@pytest.mark.parametrize("kind", KINDS)
def test_layers_by_the_thousand_fit_any_room(kind: str) -> None:
    names = [entry for entry in KNOWN_ARRAYS if entry]
    labels = tuple(f"transformer.blocks.{at}.attention.query" for at in range(2_000))
    arrays = {name: Array(meaning, np.ones(2_000), labels) for name, meaning in zip(names, MEANINGS * len(names), strict=False)}
    arrays["entropy"] = Array("matrix", np.ones((2_000, 64)), tuple(map(str, range(64))), labels)
    view = view_of(Snapshot("p", kind, 1, {"norm": 1.0}, arrays, {"none": labels}))
    for size in SIZES:
        assert drawn(view, size, frame_of(view))


# --- the pieces


def test_blocks_that_do_not_fit_are_left_out_and_the_first_are_served_first() -> None:
    def block(name: str, least: int, most: int) -> Block:
        return Block(lambda given: [line(f"{name}{at}") for at in range(given)], least, most)

    text = [plain([row]) for row in stacked([block("a", 2, 4), block("b", 3, 9), block("c", 9, 9)], 8)]
    assert text == ["a0", "a1", "a2", "a3", "", "b0", "b1", "b2"]


@example("transformer.blocks.11.mlp", 8)
@given(st.text(max_size=30), st.integers(0, 12))
def test_a_short_name_fits(name: str, width: int) -> None:
    assert cell_len(short(name, width)) <= width


def test_a_dotted_name_keeps_its_end() -> None:
    assert short("transformer.blocks.11.mlp", 8) == "….11.mlp"


def test_what_all_names_begin_with_is_left_out() -> None:
    assert without_common(["blocks.0.mlp", "blocks.1.mlp"]) == ["0.mlp", "1.mlp"]
    assert without_common(["a.b", "a.b"]) == ["b", "b"]
    assert without_common(["blocks.0"]) == ["blocks.0"]
    assert without_common(["a", "b.c"]) == ["a", "b.c"]
