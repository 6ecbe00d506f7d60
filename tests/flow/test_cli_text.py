"""The command line without a terminal: what each verb prints, JSON to the letter, exit codes, and one line when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from bedside_protocol.records import AlertChanged, Metrics, Snapshot
from bedside_tui.cli import VERBS
from bedside_tui.visits import note_left

SUMMARY = [
    "id", "name", "project", "lifecycle", "reason", "step", "metrics", "started", "dir", "verdict", "alerts", "best", "book", "damaged",
]  # fmt: skip
NO_BOOK = {"verdict": "", "by": "", "tags": [], "notes": [], "note_count": 0}
ALERT = ["rule", "severity", "target", "first_step", "step", "value", "message", "runbook", "horizon"]
HOSTILE = "\x1b]52;c;QUFBQQ==\x07[/x]\u202e\x9b2J"
FIRING = AlertChanged("nonfinite", "loss", "firing", "red", 7, 5, nan, f"nan {HOSTILE}", "nonfinite", 1)
CLEARED = AlertChanged("explosion", "loss", "firing", "amber", 3, 2, 9.0, "jumped", "explosion", 1)

Cli = Callable[..., Any]
Made = Callable[..., Any]
Losses = Callable[..., Metrics]


def codebook(step: int, used: int) -> Snapshot:
    scalars = {"size": 64.0, "window": 2000.0, "used": float(used), "usage": used / 64, "dead": 64.0 - used, "perplexity": used * 0.8}
    return Snapshot("vq", "codebook", step, scalars)


def codebooks(used: Callable[[int], int]) -> list[Snapshot]:
    return [codebook(step, used(step)) for step in range(50, 3000, 50)]


LEARNING = [1.0 / (1.0 + 0.01 * step) for step in range(1500)]


# --- runs and status


def test_runs_are_a_list_with_the_newest_start_first_and_exactly_the_documented_keys(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0, nan]), losses([0.5, 0.25], "acc")], "older", wall_start=1000.0)
    record([losses([1.0]), FIRING, CLEARED], "newer", wall_start=2000.0, project="tokenizer", name="digits")
    said = bedside("runs", "--json")
    assert (said.code, said.err) == (0, "")
    newer, older = said.json
    assert list(newer) == list(older) == SUMMARY
    assert newer == {
        "id": "newer",
        "name": "digits",
        "project": "tokenizer",
        "lifecycle": "finished",
        "reason": "",
        "step": 1,
        "metrics": {"loss": 1.0},
        "started": 2000.0,
        "dir": str(Path(os.environ["BEDSIDE_DIR"]) / "newer"),
        "verdict": "red",
        "alerts": {"amber": 1, "red": 1},
        "best": [{"metric": "loss", "value": 1.0, "step": 1, "direction": "down"}],
        "book": NO_BOOK,
        "damaged": 0,
    }
    assert [(best["metric"], best["value"], best["step"]) for best in older["best"]] == [("loss", 3.0, 1), ("acc", 0.5, 1)]
    assert older["metrics"] == {"loss": None, "acc": 0.25}
    assert older["verdict"] == "unknown"


def test_where_there_are_no_runs_the_list_is_empty_and_the_text_says_how_to_get_one(bedside: Cli) -> None:
    assert bedside("runs", "--json").json == []
    assert bedside("runs").out == "no runs yet: start one with `bedside demo`, or add bedside.init() to a script\n"
    said = bedside("status")
    assert said.code == 3
    assert "start one with `bedside demo`" in said.err


def test_status_adds_the_ranks_and_what_fires(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0, 2.0]), FIRING, CLEARED, AlertChanged("explosion", "loss", "cleared", "amber", 9, 2, episode=1)])
    said = bedside("status", "--json").json
    assert list(said) == [*SUMMARY, "ranks", "firing"]
    assert [(rank["rank"], rank["step"]) for rank in said["ranks"]] == [(0, 2)]
    (alert,) = said["firing"]
    assert list(alert) == [key for key in ALERT if key != "horizon"]  # that is the rules', which a summary does not read
    assert (alert["rule"], alert["severity"], alert["value"]) == ("nonfinite", "red", None)


def test_a_start_time_that_is_no_number_is_still_valid_json(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([inf])], wall_start=nan)
    (summary,) = bedside("runs", "--json").json
    assert summary["started"] > 1e9


def test_a_recording_that_cannot_be_read_is_named_beside_the_others(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    record([losses([1.0])], "good")
    torn = home / "runs" / "torn"
    torn.mkdir()
    (torn / "run.bedside").write_bytes(b"nothing like a recording")
    said = bedside("runs", "--json")
    assert [summary["id"] for summary in said.json] == ["good"]
    assert said.err == f"bedside: 1 recording read; 1 not: {torn}/run.bedside holds no records: is it a recording?\n"


# --- check


@pytest.mark.parametrize(
    ("name", "code", "verdict"),
    [("ok", 0, "ok"), ("amber", 1, "amber"), ("collapsed", 2, "red"), ("nan", 2, "red"), ("short", 3, "unknown")],
)
def test_the_exit_code_of_check_is_the_verdict(bedside: Cli, record: Made, losses: Losses, name: str, code: int, verdict: str) -> None:
    bodies: dict[str, Sequence[Any]] = {
        "ok": [losses(LEARNING), *codebooks(lambda step: 60)],
        "amber": [losses([2.3] * 1200)],
        "collapsed": [losses(LEARNING), *codebooks(lambda step: 60 if step < 1500 else 5)],
        "nan": [losses([1.0] * 30 + [nan] * 20)],
        "short": [losses([1.0] * 40)],
    }
    place = record(bodies[name])
    said = bedside("check", place.directory, "--json")
    assert (said.code, said.json["verdict"], said.err) == (code, verdict, "")
    text = bedside("check", place.directory)
    assert text.code == code
    assert verdict in text.out.splitlines()[0]


def test_check_prints_exactly_the_documented_object(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses(LEARNING), *codebooks(lambda step: 60 if step < 1500 else 5)])
    said = bedside("check", "--json").json
    assert list(said) == ["verdict", "rules", "steps", "ended", "alerts", "checkpoints", "review", "not_checked"]
    assert (said["checkpoints"], said["review"]) == ([], [])
    assert (said["steps"], said["ended"]) == (2950, "finished")
    (alert,) = said["alerts"]
    assert list(alert) == ALERT
    assert alert == {
        "rule": "codebook-collapse",
        "severity": "red",
        "target": "vq",
        "first_step": 1500,
        "step": 1650,
        "value": 5 / 64,
        "message": "5 of 64 codes since step 1,500",
        "runbook": "codebook-collapse",
        "horizon": "now",
    }
    assert said["not_checked"] == [{"rule": "codebook-perplexity", "why": "vq: quiet: same cause as codebook-collapse vq"}]


def test_a_value_that_is_no_number_is_null(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([1.0] * 30 + [inf] * 20)])
    said = bedside("check", "--json")
    assert [alert["value"] for alert in said.json["alerts"]] == [None]


def test_a_log_without_an_end_whose_writer_is_gone_ended_lost(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses(LEARNING)], ended=None)
    assert bedside("check", "--json").json["ended"] == "lost"
    assert bedside("status", "--json").json["lifecycle"] == "lost"


@pytest.mark.parametrize("verb", ["check", "status", "attach", "replay"])
@pytest.mark.parametrize("content", [b"", b"\x89BEDSIDE and then nothing of sense" * 10, b"loss,1.0\n"])
def test_what_is_no_recording_is_said_on_one_line_with_exit_code_3(bedside: Cli, home: Path, verb: str, content: bytes) -> None:
    path = home / "some.bedside"
    path.write_bytes(content)
    said = bedside(verb, path)
    assert (said.code, said.out) == (3, "")
    assert said.err == f"bedside: {path} holds no records: is it a recording?\n"


def test_a_newer_format_is_one_sentence_that_says_what_to_do(bedside: Cli, newer: Path) -> None:
    for verb in ("check", "status", "replay"):
        said = bedside(verb, newer)
        assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
        assert "format 2; this bedside reads up to 1: upgrade bedside" in said.err


@pytest.fixture
def newer(record: Made, losses: Losses, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording as a bedside of the future would write it."""
    with monkeypatch.context() as future:
        future.setattr("bedside_protocol.runlog.FORMAT", 2)
        place: Path = record([losses([1.0])], "newer").log
    return place


# --- which run is meant


def test_a_run_is_meant_by_id_its_beginning_its_directory_one_that_holds_it_or_its_file(
    bedside: Cli, record: Made, losses: Losses, home: Path
) -> None:
    place = record([losses([1.0])], "digits-1-20260101")
    for word in ("digits-1-20260101", "digits", place.directory, place.directory.parent, place.log):
        assert bedside("status", word, "--json").json["id"] == "digits-1-20260101"
    assert bedside("status", "--json").json["id"] == "digits-1-20260101"
    assert bedside("status", "--dir", home / "runs", "--json").json["id"] == "digits-1-20260101"


def test_a_directory_of_several_runs_is_no_run_and_says_so(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    for name in ("one", "two"):
        record([losses([1.0])], name)
    said = bedside("check", home / "runs", "--json")
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert "holds 2 runs: name one of them" in said.err


@pytest.mark.parametrize("word", ["nothing-like-it", "/no/such/place", "."])
def test_a_word_that_means_no_run_is_answered_on_one_line(bedside: Cli, record: Made, losses: Losses, word: str) -> None:
    record([losses([1.0])])
    for verb in ("status", "check", "attach", "replay", "rm"):
        said = bedside(verb, word)
        assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
    assert bedside("ctl", word, "stop").code == 3


# --- no terminal, no escapes


def test_no_verb_prints_an_escape_sequence_whatever_the_recording_says(bedside: Cli, record: Made, losses: Losses) -> None:
    place = record(
        [losses([1.0] * 30 + [nan] * 20, f"loss {HOSTILE}"), FIRING], "hostile", name=f"run {HOSTILE}", project=HOSTILE, host=HOSTILE
    )
    words = [["runs"], [], ["status", place.log], ["check", place.log], ["attach", place.log], ["replay", place.log], ["demo", "--list"]]
    for line in [*words, *([*line, "--json"] for line in words if line and line[0] in ("runs", "status", "check"))]:
        said = bedside(*line)
        assert said.out
        for char in ("\x1b", "\x07", "\x9b", "\u202e"):
            assert char not in said.out + said.err
    assert "[/x]" in bedside("status", place.log).out


def test_every_verb_has_its_help_and_is_in_the_list(bedside: Cli) -> None:
    listed = bedside("--help")
    assert listed.code == 0
    for verb in VERBS:
        assert f"\n    {verb} " in listed.out
        said = bedside(verb, "--help")
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"usage: bedside {verb}")


def test_the_version_is_that_of_the_package(bedside: Cli) -> None:
    assert bedside("--version") == (0, f"bedside {version('bedside')}\n", "")


@pytest.mark.parametrize(
    "line", [["status", "--jsn"], ["ctl", "run"], ["ctl", "run", "explode"], ["rm"], ["demo", "--seed", "x"], ["--nope"]]
)
def test_what_is_not_understood_is_one_line_and_the_usage(bedside: Cli, line: list[str]) -> None:
    said = bedside(*line)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("usage: bedside")
    assert said.err.splitlines()[-1].startswith("bedside: ")


def test_a_verb_with_a_slip_is_one_line_with_the_one_that_is_meant(bedside: Cli) -> None:
    said = bedside("chek", "run")
    assert (said.code, said.out, said.err) == (3, "", "bedside: there is no verb chek (is check meant?): `bedside --help` lists them\n")


def test_options_without_a_verb_are_those_of_the_list(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    record([losses([1.0])], "listed")
    assert "listed" in bedside("--dir", home / "runs").out
    said = bedside("--dir", home / "runs", "status")
    assert said.code == 3
    assert "say the verb first: bedside status" in said.err


# --- real processes


def shell(line: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    line = line.replace("bedside ", f"{sys.executable} -m bedside_tui ")
    return subprocess.run(["bash", "-c", line], env=environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_a_reader_that_has_seen_enough_is_met_with_silence(record: Made, losses: Losses, home: Path, environment: dict[str, str]) -> None:
    block = Metrics(
        tuple(f"loss/{number}" for number in range(5000)), *(getattr(losses([1.0]), name) for name in ("steps", "times")),
        values=losses([1.0]).values.repeat(5000, axis=0),
    )  # fmt: skip
    record([block])
    said = shell("bedside status | head -1; echo ${PIPESTATUS[0]}", environment, home)
    assert said.stdout.splitlines()[1:] == ["141"]
    assert said.stderr == ""
    said = shell("bedside runs | true; bedside status --json | true", environment, home)
    assert (said.stdout, said.stderr) == ("", "")


def test_closed_streams_and_a_terminal_without_the_glyphs_are_no_tracebacks(
    record: Made, losses: Losses, home: Path, environment: dict[str, str]
) -> None:
    record([losses([1.0] * 30 + [nan] * 20)])
    said = shell("bedside check >&- ; echo $?; bedside attach <&- >/dev/null; echo $?", environment, home)
    assert (said.stdout, said.stderr) == ("2\n0\n", "")
    said = shell("bedside check", environment | {"PYTHONIOENCODING": "ascii"}, home)
    assert (said.returncode, said.stderr) == (2, "")
    assert "? red" in said.stdout


def test_a_directory_that_cannot_be_told_is_a_sentence(home: Path, environment: dict[str, str]) -> None:
    said = shell("bedside runs", environment | {"BEDSIDE_DIR": "~no-such-user/runs"}, home)
    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr.startswith("bedside: BEDSIDE_DIR='~no-such-user/runs' names no directory")
    without = {key: value for key, value in environment.items() if key != "BEDSIDE_DIR"} | {
        "HOME": "/dev/null/nowhere",
        "TMPDIR": str(home),
    }
    assert shell("bedside runs", without, home).stdout.startswith("no runs yet")


# --- rm


def test_a_run_that_is_over_is_deleted_with_its_checkpoints_after_saying_yes(bedside: Cli, record: Made, losses: Losses) -> None:
    place = record([losses([1.0])])
    checkpoints = place.directory / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "step_7").write_bytes(b"0" * 2048)
    note_left(place.directory, 0.001)  # somebody has looked at it
    said = bedside("rm", "made")
    assert (said.code, said.out) == (3, "")
    assert "say --yes where nobody can be asked" in said.err
    assert place.log.exists()
    said = bedside("rm", "made", "--yes")
    assert said.code == 0
    assert said.out.startswith(f"deleted {place.directory} (")
    assert "1 checkpoints" in said.out
    assert not place.directory.exists()


def test_a_directory_that_holds_more_than_a_run_is_left_whole(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    downloads = home / "downloads"
    downloads.mkdir()
    (downloads / "thesis.tex").write_text("years of work")
    copy = downloads / "run.bedside"
    copy.write_bytes(record([losses([1.0])]).log.read_bytes())
    for word in (copy, downloads):
        said = bedside("rm", word, "--yes")
        assert said.code == 3
        assert "holds more than a run (thesis.tex)" in said.err
    renamed = home / "elsewhere"
    renamed.mkdir()
    copy.rename(renamed / "digits.bedside")
    assert bedside("rm", renamed / "digits.bedside", "--yes").code == 3
    assert (renamed / "digits.bedside").exists()
    assert (downloads / "thesis.tex").exists()
