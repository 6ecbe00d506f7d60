"""`bedside compare` on real recordings: what it prints, in which form, and what it says to runs it cannot compare."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Sequence
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import AlertChanged, CheckpointSaved, Metrics, ProbeDeclared, Snapshot
from bedside_tui.cli import USAGE_ERROR, main
from bedside_tui.draw.cells import width
from bedside_tui.places import RunPlace

Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[..., Metrics]


@pytest.fixture
def pair(record: Made, losses: Losses) -> tuple[RunPlace, RunPlace]:
    """A run that went well and one that exploded, each with two checkpoints."""
    fired = AlertChanged("explosion", "loss", "firing", "red", 90, 80, 9.0, "grew", "explosion", 1)
    made = []
    for name, values, more in (("good", np.linspace(4, 1, 100), ()), ("bad", [*np.linspace(4, 2, 80), *[50.0] * 20], (fired,))):
        usage = 0.9 if name == "good" else 0.1
        bodies = [
            ProbeDeclared("vq", "codebook", 50, {}), losses(list(values)), Snapshot("vq", "codebook", 40, {"usage": usage}),
            CheckpointSaved("/ckpt/50.pt", 9, 50), CheckpointSaved("/ckpt/100.pt", 9, 100), *more,
        ]  # fmt: skip
        made.append(record(bodies, name, config={"lr": usage, "batch": 64}))
    return made[0], made[1]


def test_two_runs_are_laid_beside_each_other(bedside: Cli, pair: tuple[RunPlace, RunPlace]) -> None:
    said = bedside("compare", "good", "bad", "--size", "80x14")
    assert (said.code, said.err) == (0, "")
    lines = said.out.split("\n")
    assert max(width(line) for line in lines) <= 80
    assert [line.split()[:3] for line in lines[1:3]] == [["A", "━", "good"], ["B", "━", "bad"]]
    assert "◆ 1.00" in lines[1]
    headings = [line.split("─")[1].strip() for line in lines if line.startswith(" ─ ")]
    assert [heading.partition(" ·")[0] for heading in headings] == [
        "loss", "metrics", "configuration", "probes and metrics at checkpoints", "alerts",
    ]  # fmt: skip
    assert re.search(r"explosion · loss +· +✖ 90", said.out)
    assert re.search(r"lr +0.9 +0.1", said.out)
    assert re.search(r"A 50 50.pt .*◆ 0.9000", said.out)


def test_json_has_what_the_text_has(bedside: Cli, pair: tuple[RunPlace, RunPlace]) -> None:
    told = bedside("compare", "good", "bad", "--json").json
    assert [run["letter"] for run in told["runs"]] == ["A", "B"]
    assert [row["step"] for row in told["checkpoints"]["rows"]] == [50, 100, 50, 100]
    assert told["checkpoints"]["rows"][3]["suspect_of"] == "explosion since step 80"
    (usage,) = (each for each in told["checkpoints"]["quantities"] if each["name"] == "vq: usage")
    assert usage["best"] == [0, 1]
    assert {each["key"] for each in told["configuration"]["differences"]} == {"lr"}
    assert told["alerts"][0]["runs"]["B"] == {"severity": "red", "step": 90, "stands": True, "episodes": 1}


def test_a_page_of_markdown_is_made(bedside: Cli, pair: tuple[RunPlace, RunPlace]) -> None:
    said = bedside("compare", "good", "bad", "--md")
    assert said.code == 0
    assert said.out.startswith("# 2 runs compared\n")
    assert "| lr | 0.9 | 0.1 |" in said.out


def test_metrics_are_chosen_by_name_and_by_glob(bedside: Cli, record: Made, losses: Losses) -> None:
    for name in ("a", "b"):
        record([losses([1.0, 2.0]), losses([0.5, 0.6], "val/acc"), losses([3.0, 4.0], "val/loss")], name)
    said = bedside("compare", "a", "b", "--metric", "val/*", "loss")
    assert re.findall(r"^ ─ (\S+) ─", said.out, re.M)[:3] == ["val/loss", "val/acc", "loss"]
    assert "by time since the start · log axis" in bedside("compare", "a", "b", "--by", "time", "--log").out


@pytest.mark.parametrize("words", [["good"], ["good", "good"], ["good", "nobody"], ["good", "bad", "--metric", "nothing"]])
def test_what_cannot_be_compared_is_said_in_a_sentence(bedside: Cli, pair: tuple[RunPlace, RunPlace], words: Sequence[str]) -> None:
    said = bedside("compare", *words)
    assert (said.code, said.out) == (USAGE_ERROR, "")
    assert said.err.startswith("bedside: ")
    assert said.err.count("\n") == 1


def test_one_run_too_many_is_one_too_many(bedside: Cli, record: Made, losses: Losses) -> None:
    names = [f"r{place:02}" for place in range(17)]
    for name in names:
        record([losses([1.0, 2.0])], name)
    assert bedside("compare", *names[:16], "--size", "80x10").code == 0
    said = bedside("compare", *names)
    assert (said.code, said.err) == (USAGE_ERROR, "bedside: 17 runs: name 2 to 16; `bedside runs` lists them\n")


def test_the_same_run_by_two_names_is_one_run(bedside: Cli, pair: tuple[RunPlace, RunPlace]) -> None:
    said = bedside("compare", "good", pair[0].directory)
    assert said.code == USAGE_ERROR
    assert "the same run" in said.err


def test_a_file_that_is_no_recording_is_refused_and_nothing_else_is_printed(
    bedside: Cli, pair: tuple[RunPlace, RunPlace], home: Path
) -> None:
    foreign = home / "foreign.bin"
    foreign.write_bytes(b"no recording at all\n" * 50)
    empty = home / "empty"
    empty.mkdir()
    (empty / LOG_NAME).touch()
    for path in (foreign, empty):
        said = bedside("compare", "good", path)
        assert (said.code, said.out) == (USAGE_ERROR, "")
        assert "it holds no records: is it a recording?" in said.err
        assert str(path) in said.err


def test_a_run_that_has_logged_nothing_is_compared_all_the_same(bedside: Cli, pair: tuple[RunPlace, RunPlace], record: Made) -> None:
    record([], "blank")
    said = bedside("compare", "good", "blank")
    assert said.code == 0
    assert "no metric in common" in said.out


def test_nan_is_shown_and_is_null_for_scripts(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0, nan])], "a")
    record([losses([1.0, 2.0])], "b")
    said = bedside("compare", "a", "b", "--size", "80x12")
    assert "nan" in said.out
    assert "╳" in said.out
    assert bedside("compare", "a", "b", "--json").json["metrics"][0]["last"] == {"A": None, "B": 2.0}


def test_no_byte_of_a_run_is_obeyed(bedside: Cli, record: Made, losses: Losses) -> None:
    hostile = "\x1b]52;c;QUFBQQ==\x07 \x1b[2J \x9b2J [/x] \u202eevil"
    for name in ("a", "b"):
        fired = AlertChanged("explosion", hostile, "firing", "red", 1, 1, 1.0, hostile, "explosion", 1)
        record([losses([1.0], hostile), Snapshot(hostile, hostile, 1, {hostile: 1.0}), CheckpointSaved(hostile, 1, 1), fired], name,
               config={hostile: f"{hostile}{name}"}, argv=(hostile, name))  # fmt: skip
    for form in ([], ["--md"], ["--json"]):
        said = bedside("compare", "a", "b", *form)
        assert said.code == 0
        assert said.out.replace("\n", "").isprintable()


class Terminal(io.StringIO):
    """An output that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_a_terminal_gets_the_colours_it_shows_and_no_others(
    pair: tuple[RunPlace, RunPlace], monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TERM": "xterm-256color"} | environment).items():
        monkeypatch.setenv(name, value)
    assert main(["compare", str(pair[0].directory), str(pair[1].directory)]) == 0
    assert ("\x1b[36m" in terminal.getvalue()) is coloured
    assert "A ━ good" in terminal.getvalue()


def test_a_live_run_is_compared_as_it_is_now(start: Callable[..., Any], bedside: Cli, record: Made, losses: Losses) -> None:
    training = start(
        """
        import bedside, sys
        run = bedside.init(project="flow", name="living", config={"lr": 0.5})
        for line in sys.stdin:
            run.log({"loss": float(line)})
        """
    )
    for value in (3.0, 2.0):
        training.say(str(value))
    training.wait_points("loss", 1)
    living = training.place.id
    record([losses([4.0, 1.0])], "good")
    said = bedside("compare", living, "good", "--size", "80x12")
    assert said.code == 0
    assert re.search(r"A ━ living +running", said.out)


def test_without_the_terminal_library_only_the_chart_is_missing(
    bedside: Cli, pair: tuple[RunPlace, RunPlace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside_tui.cli.compare.find_spec", lambda name: None)
    said = bedside("compare", "good", "bad")
    assert said.code == 0
    assert 'the chart needs the extra "tui"' in said.out
    assert "explosion · loss" in said.out
