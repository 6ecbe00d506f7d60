"""The tables of the benchmark: within a terminal, the same in Markdown, and between two marks of a document; what is lost is named."""

from __future__ import annotations

import json

import pytest
from detection.judging import Outcomes
from detection.model import Alarm, Run, Truth
from detection.report import Section, remarks, side_by_side, tables, values
from detection.scoring import outcome
from detection.table import Table, begin, end, markdown, put, text

FAULT = Truth("explodes", onset=700, rules=("explosion",))
LATE = Truth("first-step-rollout-collapse", onset=1, rules=("nonfinite",), first_nan=500)


def run(name: str, truth: Truth, program: str = "digits") -> Run:
    return Run(name, program, "twins", truth, tuple, 1_000_000)


def outcomes(*found: tuple[str, Truth, list[Alarm]]) -> Outcomes:
    ours = [outcome(run(name, truth), alarms) for name, truth, alarms in found]
    return {"bedside": ours, "loss not decreasing": ours}


WELL = ("well", Truth("healthy"), [Alarm(10, "amber", "spike", "loss")])
ILL = ("ill", FAULT, [Alarm(702, "red", "explosion", "loss")])
NAN = ("nan", LATE, [Alarm(400, "amber", "spike", "loss"), Alarm(500, "red", "nonfinite", "loss")])
SECTION = Section("Twins", outcomes(*[WELL, ILL, NAN] * 60))


def cells(made: list[Table], title: str, row: str) -> dict[str, str]:
    table = next(table for table in made if title in table.title)
    found = next(cells for cells in table.rows if cells[0] == row)
    return dict(zip(table.header, found, strict=True))


def test_every_table_of_hundreds_of_runs_fits_140_columns() -> None:
    made = list(tables([SECTION, Section("phase at 10,000", outcomes(WELL), short=True)]))
    assert len(made) == 6
    assert max(len(line) for table in made for line in text(table).splitlines()) <= 140


def test_a_family_has_its_share_its_interval_and_its_latency() -> None:
    made = list(tables([SECTION]))
    row, pace = cells(made, "each fault", "explodes"), cells(made, "how soon", "explodes")
    assert (row["red"], row["named"], row["alarms"]) == ("60/60 (94–100)", "60/60", "1, 1")
    assert (pace["first alarm"], pace["in time"], pace["shown"], pace["in time of that"]) == ("2", "60/60", "–", "–")


def test_an_alarm_is_in_time_of_its_cause_or_of_what_there_was_to_be_seen_by_then() -> None:
    slow = [
        ("slow", Truth("collapse", onset=700, shown=shown, every=50, curve=False), [Alarm(900, "red", "c", "vq")]) for shown in (1000, 840)
    ]
    pace = cells(list(tables([Section("Twins", outcomes(*slow))])), "how soon", "collapse")
    assert (pace["first alarm"], pace["in time"], pace["shown"], pace["in time of that"]) == ("200", "0/2", "140", "1/2")


def test_what_no_verdict_is_expected_of_is_shown_and_not_scored() -> None:
    section = Section("Public curves", outcomes(ILL, ("slow", Truth("poor_slow"), [])))
    made = list(tables([section]))
    assert cells(made, "each fault", "poor_slow (not scored)")["runs"] == "1"
    assert cells(made, "each fault", "all")["runs"] == "1"
    assert cells(made, "found", "bedside")["red or amber"].startswith("1/1")


def test_who_speaks_when_a_run_is_over_is_never_in_time_and_warns_of_nothing() -> None:
    made = list(tables([Section("Twins", outcomes(ILL, NAN), afterwards=frozenset({"loss not decreasing"}))]))
    assert cells(made, "found", "loss not decreasing")["first alarm"] == "–"
    assert cells(made, "found", "loss not decreasing")["in time"] == "–"
    assert [row[0] for row in made[-1].rows] == ["bedside"]


def test_false_alarms_are_told_by_run_by_step_and_by_program() -> None:
    row = cells(list(tables([SECTION])), "false alarms", "bedside")
    assert row["with any"] == "60/60 (94–100)"
    assert row["runs with red"] == "0/60 (0–6)"
    assert row["programs with any"] == "1/1 (21–100)"
    assert float(row["episodes per 10k steps"]) == pytest.approx(0.01, rel=0.01)


def test_warnings_before_nan_are_a_histogram_and_whole_logs_are_told_apart() -> None:
    cut = outcome(run("cut", LATE), [Alarm(500, "red", "nonfinite", "loss")], begins=300)
    section = Section("Twins", {"bedside": [*outcomes(NAN)["bedside"], cut]})
    made = list(tables([section]))
    both, whole = cells(made, "first NaN", "bedside"), cells(made, "first NaN", "bedside, whole logs")
    assert (both["red at NaN"], both["warned of late"], both["none"], both["100 to 999"]) == ("2/2", "1/2 (9–91)", "1", "1")
    assert (whole["warned of late"], whole["none"]) == ("1/1 (21–100)", "0")


def test_healthy_runs_alone_make_no_table_of_faults() -> None:
    assert [table.title.split(":")[1].split(",")[0] for table in tables([Section("Hard", outcomes(WELL))])] == [" false alarms"]


def test_markdown_has_the_cells_of_the_text() -> None:
    table = Table("t", ("name", "n"), (("a", "1"), ("b", "–")))
    assert markdown(table).splitlines() == ["**t**", "", "| name | n |", "| --- | ---: |", "| a | 1 |", "| b | – |"]
    assert text(table).splitlines() == ["t", "name  n", "a     1", "b     –"]


def test_detectors_stand_side_by_side_with_what_they_find_and_what_they_disturb() -> None:
    table = side_by_side([SECTION, Section("Spliced", outcomes(ILL)), Section("phase at 10,000", outcomes(WELL), short=True)])
    assert table.header == ("detector", "twins: found", "twins: false")
    assert table.rows == (("bedside", "120/120", "60/60"), ("loss not decreasing", "120/120", "60/60"))
    assert side_by_side([]).rows == ()


def place(name: str, inside: str = "") -> str:
    return f"{begin(name)}\n{inside}\n{end(name)}"


def test_a_document_keeps_all_but_what_stands_between_the_marks() -> None:
    places = {"a": ["| a | 1 |", "3 recordings of 5 wanted."], "b": ["two"], "c": ["nowhere"]}
    once = put(f"before\n{place('b', 'old')}\nbetween\n{place('a', 'old')}\nafter\n", places)
    assert once == f"before\n{place('b', 'two')}\nbetween\n" + place("a", "| a | 1 |\n\n3 recordings of 5 wanted.") + "\nafter\n"
    assert put(once, places) == once


@pytest.mark.parametrize("document", ["no mark", f"{begin('a')} alone", f"{end('a')} before {begin('a')}"])
def test_a_document_without_both_marks_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match=begin("a")):
        put(document, {"a": [], "b": []})


def test_what_went_wrong_is_named_run_by_run() -> None:
    section = Section("Twins", outcomes(WELL, ILL, ("deaf", FAULT, []), ("wrong", FAULT, [Alarm(701, "red", "spike", "loss")])))
    assert list(remarks(section)) == [
        "false     well: amber spike on loss at step 10",
        "missed    deaf",
        "misnamed  wrong: spike",
    ]


def test_the_values_for_machines_are_json_with_every_run_under_every_detector() -> None:
    found = json.loads(json.dumps(values([SECTION]), allow_nan=False))
    assert [len(found["Twins"][name]) for name in ("bedside", "loss not decreasing")] == [180, 180]
    assert found["Twins"]["bedside"][1]["said"] == [[702, "red", "explosion", "loss"]]
