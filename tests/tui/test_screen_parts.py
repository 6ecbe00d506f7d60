"""The parts of screens as text: what stands on the first two lines, in rows and at the foot."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from textual.strip import Strip

from bedside_protocol.records import (
    AlertChanged,
    Array,
    Body,
    CheckpointSaved,
    LifecycleChanged,
    Metrics,
    Note,
    ProbeDeclared,
    Record,
    RunStarted,
    Snapshot,
)
from bedside_tui.cursor import Cursor, Spot
from bedside_tui.sources.source import SourceStatus
from bedside_tui.store.store import Store
from bedside_tui.theme import DARK, PALETTES, Tone, palette_for, to_ascii
from bedside_tui.widgets.choice import Choice, window
from bedside_tui.widgets.curves import Axes, CurveCache, curves
from bedside_tui.widgets.editor import Editor
from bedside_tui.widgets.frame import Asked, Frame, Playhead
from bedside_tui.widgets.lines import beside, ends, fit, line, pad, plain, rule, select, width_of, wrapped
from bedside_tui.widgets.metrics import columns_for, metric_row
from bedside_tui.widgets.probe_panels import head_of, panel_of
from bedside_tui.widgets.rows import GAP, ONE_CELL, Look, changed_spans, to_strip
from bedside_tui.widgets.spans import SpanUpdate
from bedside_tui.widgets.status import age_text, alarm_line, status_line, time_line
from bedside_tui.widgets.vitals import probe_row, system_line

STARTED = RunStarted("id", "digits-1", "tokenizer", 1_795_143_240.0)
RUNNING = LifecycleChanged("running")


def metrics(step: int, **values: float) -> Metrics:
    return Metrics(tuple(values), np.array([step]), np.array([step / 10]), np.array([[value] for value in values.values()]))


def frame_of(*bodies: Body, **facts: object) -> Frame:
    """A live frame of a run that said this, one body a second."""
    store = Store()
    store.feed(Record(float(at), body, seq=at + 1) for at, body in enumerate(bodies))
    view = store.at(None)
    frame = Frame(view, SourceStatus("connected"), Playhead("now", view.time, 0.0, view.time), 0.2, 1000.0, view)
    return replace(frame, **facts)  # type: ignore[arg-type]


def shown(row: object) -> str:
    return plain([row])  # type: ignore[list-item]


# --- the first line


def test_the_first_line_says_alive_doing_and_safe() -> None:
    frame = frame_of(STARTED, RUNNING, metrics(12_431, loss=0.02), CheckpointSaved("ckpt/a.pt", 48_000_000, 10_000))
    assert shown(status_line(frame, 80)) == " tokenizer/digits-1  ● running  step 12,431  ckpt 10,000 good"


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (80, " tokenizer/digits-1  ● running  step 12,431  no ckpt"),
        (48, " tokenizer/digits-1  ● running  step 12,431"),
        (36, " tokenizer/digits-1  ● running"),
        (20, " ● running"),
        (5, " ● r…"),
    ],
)
def test_what_matters_least_leaves_the_first_line_first(width: int, text: str) -> None:
    row = status_line(frame_of(STARTED, RUNNING, metrics(12_431, loss=0.02)), width)
    assert shown(row) == text
    assert width_of(row) == width


def test_a_checkpoint_taken_in_a_red_alarm_is_suspect() -> None:
    alarm = AlertChanged("codebook-collapse", "vq", "firing", "red", 5, 5, message="41 of 512 codes", episode=1)
    frame = frame_of(STARTED, RUNNING, alarm, CheckpointSaved("ckpt/a.pt", 1, 10))
    assert shown(status_line(frame, 80)).endswith("ckpt 10 ▲ suspect")


def test_how_a_run_ended_is_said_with_its_reason() -> None:
    assert "✖ killed (9: SIGKILL)" in shown(status_line(frame_of(STARTED, LifecycleChanged("killed", "9: SIGKILL")), 80))
    assert "✖ failed KeyError: 'x'" in shown(status_line(frame_of(STARTED, LifecycleChanged("failed", "KeyError: 'x'")), 80))


def test_a_long_reason_leaves_the_name_of_the_run_in_its_place() -> None:
    reason = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x1024 and 512x10)"
    row = shown(status_line(frame_of(STARTED, LifecycleChanged("failed", reason)), 80))
    assert row.startswith(" tokenizer/digits-1  ✖ failed RuntimeError: mat1")
    assert len(row) <= 80


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Asked("pause", "sent"), "pause requested…"),
        (Asked("pause", "requested"), "pause requested…"),
        (Asked("checkpoint", "accepted"), "checkpoint accepted…"),
        (Asked("stop", "scheduled", 12_500), "stop at step 12,500…"),
    ],
)
def test_a_command_on_its_way_is_said_as_the_run_said_it(asked: Asked, text: str) -> None:
    assert text in shown(status_line(frame_of(STARTED, RUNNING, asked=asked), 80))


def test_a_run_that_cannot_be_reached_is_not_called_running() -> None:
    frame = frame_of(STARTED, RUNNING, source=SourceStatus("unreachable", "no answer from node-7"))
    assert shown(status_line(frame, 80)) == " tokenizer/digits-1  ▲ unreachable no answer from node-7  step 0  no ckpt"


def test_reading_a_long_history_shows_how_far() -> None:
    assert "◌ reading 43 %" in shown(status_line(frame_of(STARTED, source=SourceStatus("connected", complete=False, progress=0.43)), 80))


# --- the second line


def test_without_a_judgement_the_second_line_says_why() -> None:
    why = AlertChanged("codebook-collapse", "vq", "not_checked", message="warming up: before step 1,000")
    assert shown(alarm_line(frame_of(STARTED, why), 80)) == (
        " ◌ not judged yet  warming up: before step 1,000       1 not checked yet  w why"
    )


def test_a_judged_run_without_alarm_is_ok() -> None:
    ok = AlertChanged("loss-level", "loss", "ok")
    assert shown(alarm_line(frame_of(STARTED, metrics(1, loss=1.0), ok), 80)) == " ● ok  no alarm"


def test_the_worst_alarm_is_on_the_second_line_with_its_place() -> None:
    amber = AlertChanged("codebook-perplexity", "vq", "firing", "amber", 90, 80, message="perplexity 18", episode=1)
    red = AlertChanged("codebook-collapse", "vq", "firing", "red", 100, 90, message="41 of 512 codes since step 90", episode=1)
    row = alarm_line(frame_of(STARTED, red, amber), 80)
    assert width_of(row) == 80
    assert shown(row).startswith(" ✖ RED  codebook collapse  vq: 41 of 512 codes since step 90")
    assert shown(row).endswith("1 of 2  ⏎ why")


# --- time


def test_a_recording_says_where_it_stands_and_from_when_it_is() -> None:
    head = Playhead("replay", 492.0, 0.0, 764.0, playing=True, speed="2×")
    text = shown(time_line(frame_of(STARTED, playhead=head), 80))
    assert text.startswith(" ▶ replay 2× · 0:08:12 of 0:12:44 · recorded 2026-11-2")


def test_a_live_run_looked_back_at_says_so() -> None:
    text = shown(time_line(frame_of(STARTED, playhead=Playhead("back", 60.0, 0.0, 764.0)), 80))
    assert text == " ◀ looking back · 0:01:00 of 0:12:44 · the run goes on · end returns to now"


@pytest.mark.parametrize(("age", "text", "tone"), [(0.2, "< 1 s ago", "quiet"), (3.0, "3.0 s ago", "quiet"), (65.0, "1m05 ago", "amber")])
def test_the_age_of_the_data_stands_still_until_it_matters(age: float, text: str, tone: str) -> None:
    assert age_text(frame_of(STARTED, age=age)) == (text, tone)


def test_looking_back_the_age_is_that_of_the_moment_shown() -> None:
    frame = frame_of(STARTED, age=2.0, playhead=Playhead("back", 60.0, 0.0, 764.0))
    assert age_text(frame)[0] == "as of 11m46 ago"


def test_of_a_file_that_is_followed_the_age_is_said_and_that_it_is_a_file() -> None:
    assert age_text(frame_of(STARTED, age=65.0, source=SourceStatus("following"))) == ("from the file, 1m05 ago", "amber")


def test_a_recording_says_when_by_the_clock_on_the_wall_the_moment_was() -> None:
    begun = datetime.fromtimestamp(STARTED.wall_start)
    bodies = [STARTED, RUNNING, metrics(1, loss=1.0)]
    assert age_text(frame_of(*bodies, playhead=Playhead("replay", 2.0, 0.0, 9.0)))[0] == f"at {begun + timedelta(seconds=2):%H:%M:%S}"
    assert age_text(frame_of(*bodies, source=SourceStatus("ended")))[0] == f"recorded {begun:%Y-%m-%d %H:%M}"
    assert age_text(frame_of(replace(STARTED, wall_start=math.nan), source=SourceStatus("ended")))[0] == "recorded"


def test_the_age_of_the_data_stands_in_the_head_of_a_probe_before_its_cost() -> None:
    view = frame_of(STARTED, ProbeDeclared("vq", "codebook", 50, {"size": 512}), Snapshot("vq", "codebook", 3, {"used": 3.0})).view
    assert "as of 11m46 ago" in shown(head_of(view.probes[0], 48, "", ("as of 11m46 ago", "accent")))


# --- rows


def test_a_metric_row_keeps_its_columns_whatever_the_value() -> None:
    cells = columns_for(80, 14)
    for value in (0.0214, math.nan, math.inf, -math.inf, 1e308, -5e-324, 0.0):
        view = frame_of(STARTED, *(metrics(step, loss=value) for step in range(3))).view
        row = metric_row(view.metrics[0], cells)
        assert width_of(row) <= 80
        assert shown(row)[3:7] == "loss"


def test_nan_is_shown_as_a_word_and_a_mark() -> None:
    view = frame_of(STARTED, metrics(1, loss=1.0), metrics(2, loss=math.nan)).view
    text = shown(metric_row(view.metrics[0], columns_for(80, 14)))
    assert " nan " in text
    assert "╳" in text


@pytest.mark.parametrize("width", [5, 20, 40, 60, 80, 120, 200])
def test_columns_of_a_metric_fit_any_width(width: int) -> None:
    cells = columns_for(width, 60)
    assert 3 + cells.name + 10 + 2 + cells.spark + (2 + cells.remark if cells.remark else 0) <= max(width, 21)


def test_a_probe_that_was_declared_says_when_it_will_be_measured() -> None:
    view = frame_of(STARTED, ProbeDeclared("vq", "codebook", 50, {"size": 512})).view
    assert shown(probe_row(view.probes[0], 80)) == "   vq            declared, not measured yet: every 50 steps"


def test_the_machine_is_one_line() -> None:
    system = {"cpu_percent": 182.4, "memory": 1.2e9, "memory_total": 24e9, "data_wait": 0.03, "step_ms": 7.0, "step_ms_p95": 9.0}
    assert shown(system_line(system, 80)) == "   cpu 182 %  memory 1.2 of 24 GB  gpu none  data wait 3 %  step 7.0 ms p95 9.0"
    assert "gpu0 50 % 4.0 of 8.0 GB" in shown(
        system_line({"gpu0_percent": 50, "gpu0_memory": 4e9, "gpu0_memory_total": 8e9, "gpu1_percent": 1}, 80)
    )


@pytest.mark.parametrize("width", [4, 20, 37, 80, 140])
@pytest.mark.parametrize("height", [1, 2, 5, 14, 40])
@pytest.mark.parametrize("kind", ["codebook", "gradients", "samples", "something else"])
def test_a_panel_of_any_probe_keeps_to_its_place(kind: str, width: int, height: int) -> None:
    pictures = Array("image", np.random.default_rng(0).random((4, 8, 8)))
    arrays = {
        "usage": Array("histogram", np.array([5, 3, 0, 1])),
        "layer_norm": Array("table", np.array([1.0, math.nan, 0.0, math.inf]), ("a", "b[/x]", "c", "d")),
        "layer_update_ratio": Array("table", np.array([1e-3, 1e-3, math.nan, 0.0]), ("a", "b[/x]", "c", "d")),
        "target": pictures,
        "made": pictures,
    }
    snapshot = Snapshot("p", kind, 3, {"used": 3.0, "size": 4.0, "perplexity": math.nan, "dead": 1.0}, arrays, {"none": ("a.weight",)})
    frame = frame_of(STARTED, ProbeDeclared("p", kind, 50, {"size": 4}), snapshot)
    rows = panel_of(frame.view.probes[0], frame, width, height)
    assert len(rows) == height
    assert all(width_of(fit(row, width)) == width for row in rows)


def test_broken_arrays_of_a_probe_do_not_stop_the_panel() -> None:
    for values in (np.empty(0), np.zeros((2, 2)), np.array([np.nan, np.inf])):
        for kind, name in (("codebook", "usage"), ("gradients", "layer_norm"), ("samples", "target")):
            frame = frame_of(STARTED, Snapshot("p", kind, 3, {}, {name: Array("image", values)}))
            assert len(panel_of(frame.view.probes[0], frame, 60, 12)) == 12


# --- lines


@given(st.lists(st.text(max_size=12), max_size=5), st.integers(0, 60))
def test_a_fitted_line_has_exactly_its_width(texts: list[str], width: int) -> None:
    look = Look(DARK)
    row = line(*(text for text in texts if text.isprintable()))
    assert width_of(fit(row, width)) == width
    assert to_strip(row, width, look).cell_length == width


def test_what_is_cut_is_marked_and_blanks_are_not() -> None:
    assert shown(fit(line("reconstruction"), 8)) == "reconst…"
    assert plain([fit(line("recon   ", "   "), 6)]) == "recon"
    assert pad("面白い", 4) == "面… "


def test_the_left_end_gives_way_to_the_right() -> None:
    assert shown(ends(line("codebook collapse"), line(" 1 of 2"), 16)) == "codebook… 1 of 2"


def test_a_rule_gives_up_its_end_before_its_title() -> None:
    assert shown(rule("metrics", 30, "< 1 s ago")) == " ─ metrics ──────── < 1 s ago"
    assert "ago" not in shown(rule("metrics", 18, "< 1 s ago"))


def test_the_row_under_the_cursor_is_pointed_at_without_moving() -> None:
    assert shown(select(line("   loss  0.02"), 20)) == "›  loss  0.02"


def test_two_columns_stand_side_by_side() -> None:
    assert plain(beside([line("a")], [line("b"), line("c")], 3)) == "a   b\n    c"


@given(st.text(max_size=80), st.integers(1, 20))
def test_wrapping_loses_no_word(text: str, width: int) -> None:
    text = " ".join(part for part in text.split() if part.isprintable())
    rows = wrapped(text, width)
    assert "".join("".join(rows).split()) == "".join(text.split())


# --- what reaches the terminal


def test_only_the_cells_that_differ_are_sent() -> None:
    look = Look(DARK)
    old, new = (to_strip(line(f" loss  {value}  ⣀⣀⣀  best {value}"), 60, look) for value in ("0.0214", "0.0219"))
    assert changed_spans(old, old) == []
    assert changed_spans(old, new) == [(12, 1), (30, 1)]


def test_a_wide_character_is_sent_whole() -> None:
    look = Look(DARK)
    assert changed_spans(to_strip(line("面 x"), 8, look), to_strip(line("白 x"), 8, look)) == [(0, 2)]


PIECES = st.lists(st.tuples(st.text("ab ─⣀面é\u0301", max_size=12), st.sampled_from(["plain", "red", "curve"])), max_size=5)


@settings(deadline=None)
@given(PIECES, PIECES)
def test_what_is_sent_covers_every_cell_that_differs_and_few_others(old: list[tuple[str, Tone]], new: list[tuple[str, Tone]]) -> None:
    before, after = (to_strip(line(*pieces), 40, Look(DARK)) for pieces in (old, new))
    differ = {at for at, (was, now) in enumerate(zip(cell_by_cell(before), cell_by_cell(after), strict=True)) if was != now}
    spans = changed_spans(before, after)
    assert differ <= {at for begin, cells in spans for at in range(begin, begin + cells)}
    assert all({begin, begin + cells - 1} <= differ for begin, cells in spans)
    assert all(after - (begin + cells) > GAP for (begin, cells), (after, _) in pairwise(spans))


def cell_by_cell(strip: Strip) -> list[tuple[str, object]]:
    return [(char, style) for text, style, _ in strip for char in text for _ in range(cell_len(char))]


def test_characters_taken_for_one_cell_wide_are() -> None:
    known = [char for char in map(chr, range(0x10000)) if ONE_CELL.fullmatch(char)]
    assert len(known) > 600
    assert [char for char in known if cell_len(char) != 1] == []


def test_what_is_written_begins_and_ends_with_what_changed() -> None:
    strip = to_strip(line(" loss  0.0214  ⣀⣀⣀"), 30, Look(DARK))
    written = SpanUpdate([{0: strip}, {0: strip}], [(0, 8, 10), (1, 15, 18)], [[30], [30]]).render_segments(
        Console(color_system="truecolor", force_terminal=True)
    )
    assert re.split(r"\x1b\[[0-9;]*m", written) == ["\x1b[1;9H", ".0", "\x1b[2;16H", "⣀⣀⣀", ""]


@given(st.text(max_size=40))
def test_no_control_character_is_ever_written(text: str) -> None:
    for ascii in (False, True):
        assert to_strip(((line(text) or line(" "))[0],), 40, Look(DARK, ascii)).text.isprintable()


@given(st.text(max_size=40))
def test_ascii_is_ascii_and_as_wide(text: str) -> None:
    row = fit(line("".join(char for char in text if char.isprintable())), 40)
    strip = to_strip(row, 40, Look(DARK, ascii=True))
    assert strip.text.isascii()
    assert strip.cell_length == 40


def test_every_symbol_of_the_screens_has_a_likeness_in_ascii() -> None:
    assert "?" not in to_ascii("●◌○✖▲✓⏎▶◀‖…─━│├┤┿╳◆✎✗■›↑↓←→≥≤▁▂▃▄▅▆▇█░▒▓▀⣀⡠⠔·×┃┊Δ")


# --- colours


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_a_palette_has_every_tone(palette: object) -> None:
    assert set(palette.tones) == set(DARK.tones)  # type: ignore[attr-defined]


def test_amber_and_red_differ_in_sixteen_colours() -> None:
    tones = PALETTES["ansi"].tones
    assert tones["red"].color != tones["amber"].color


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"TERM": "xterm-256color"}, "dark"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "dark"),
        ({"TERM": "linux"}, "ansi"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "mono"),
    ],
)
def test_the_palette_follows_the_terminal(environment: dict[str, str], name: str) -> None:
    assert palette_for(environment).name == name
    assert palette_for(environment, "light").name == "light"


# --- small machines


def test_the_cursor_stays_with_its_row_when_rows_move() -> None:
    choice: Choice[str] = Choice()
    choice.offer(["loss", "lr", "norm"])
    choice.move(1)
    assert choice.offer(["norm", "loss", "lr"]) == "lr"
    assert choice.offer(["norm", "loss"]) == "loss"
    assert choice.offer([]) is None


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 50))
def test_the_chosen_row_is_always_in_the_window(count: int, place: int, height: int) -> None:
    place = min(place, max(0, count - 1))
    first = window(count, place, height)
    assert first >= 0
    assert not count or first <= place < first + height


def test_typing_a_line() -> None:
    editor = Editor.of("half dead")
    assert editor.press("ctrl+w", None) == Editor("half ", 5)
    assert editor.press("home", None) == Editor("half dead", 0)
    assert editor.press("x", "x") == Editor.of("half deadx")
    assert editor.insert("\x1b[2J\n").text == "half dead␛[2J␊"
    assert editor.press("f5", None) is None
    assert shown(Editor.of("y" * 100).line("note", 30)) == " note: " + "y" * 21


# --- charts, as the screens use them


def test_a_curve_of_few_points_far_apart_still_fills_its_axis() -> None:
    bodies = [metrics(step, rare=1.0 / step) for step in range(1_000, 13_000, 1_000)]
    frame = frame_of(STARTED, *bodies)
    rows = plain(curves(frame, [frame.view.metrics[0]], 120, 12, Axes())).split("\n")
    drawn = max(len(row.rstrip()) for row in rows[1:-2])
    assert drawn > 60
    assert "10,000" in rows[-1]
    assert "100,000" not in rows[-1]


def test_a_logarithmic_axis_names_different_values() -> None:
    frame = frame_of(STARTED, *(metrics(step, loss=0.42 * 0.9**step + 0.02) for step in range(60)))
    rows = plain(curves(frame, [frame.view.metrics[0]], 80, 40, Axes(log=True))).split("\n")
    labels = [row[:9].strip() for row in rows[:-2] if row[:9].strip()]
    assert labels == ["0.2", "0.1", "0.05"]


def test_looking_back_a_chart_is_the_one_of_that_moment() -> None:
    bodies: list[Body] = [metrics(at + 1, loss=1.0 + at % 7) for at in range(100)]
    bodies[70:70] = [Note("later", "you", 71)]
    whole, part = Store(), Store()
    whole.feed(Record(float(at), body, seq=at + 1) for at, body in enumerate(bodies))
    part.feed(Record(float(at), body, seq=at + 1) for at, body in enumerate(bodies[:51]))
    back = Frame(whole.at(50.0), SourceStatus("connected"), Playhead("back", 50.0, 0.0, 99.0), 0.2, 1000.0, whole.at(None))
    then = Frame(part.at(None), SourceStatus("connected"), Playhead("now", 50.0, 0.0, 50.0), 0.2, 1000.0, part.at(None))
    assert curves(back, back.view.metrics, 80, 12, Axes()) == curves(then, then.view.metrics, 80, 12, Axes())


def test_a_chart_is_kept_for_a_second_unless_more_than_its_newest_points_or_the_cursor_changed() -> None:
    flat = [metrics(step, loss=1.0) for step in range(500)]
    cache, frame = CurveCache(), frame_of(STARTED, *flat)
    more = frame_of(STARTED, *flat, metrics(500, loss=50.0), now=1000.5)
    first = cache.curves(frame, frame.view.metrics, 60, 12, Axes())
    assert cache.curves(more, more.view.metrics, 60, 12, Axes()) == first
    ruled = replace(more, cursor=Cursor(Spot(250, 250.0)))
    assert "┃" in plain(cache.curves(ruled, more.view.metrics, 60, 12, Axes()))
    assert cache.curves(more, more.view.metrics, 60, 12, Axes()) == first
    assert cache.curves(replace(more, now=1001.5), more.view.metrics, 60, 12, Axes()) != first
    assert cache.curves(replace(more, now=1001.5), more.view.metrics, 60, 12, Axes(log=True)) != first
