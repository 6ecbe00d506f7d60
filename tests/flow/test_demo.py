"""`bedside demo` without a screen: one recording, a verdict, and the two cases told apart by what they do to their codebook.

The two long trainings run while other tests do: about a minute on two idle cores.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from long_trainings import LongTraining, LongTrainings

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rules import OnMetric
from bedside_protocol.records import Metrics, Record
from bedside_tui.places import RunPlace, runs_in

Cli = Callable[..., Any]
Read = Callable[[Path], list[Record]]

HEALTHY_STEPS = 1_250  # the codebook is judged from step 1,000 on
SICK_STEPS = 2_700
"""The collapse is red at step 2,200 or 2,250, with five seeds; the rest is room for schedules that stretch on a busy machine."""
LOSS_RULES = {rule.name for rule in DEFAULT_RULES if isinstance(rule.watch, OnMetric)}


def demo(directory: Path, environment: dict[str, str], *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bedside_tui", "demo", *map(str, words), "--headless", "--seed", "0", "--dir", str(directory)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=directory.parent
    )


def said(process: subprocess.Popen[str], seconds: float) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, err


def test_sixty_steps_leave_one_recording_that_every_verb_accepts_and_nobody_judges(
    home: Path, environment: dict[str, str], bedside: Cli
) -> None:
    directory = home / "demo"
    code, out, err = said(demo(directory, environment, "--steps", 60), 120)
    assert code == 0, err
    assert [entry.name for entry in directory.iterdir()] == [place.id for place in runs_in([directory])]
    (place,) = runs_in([directory])
    assert err.endswith(f"watch it with: bedside attach {place.directory}\n")
    lines = out.splitlines()
    assert lines[0].startswith("step     60 of 60  loss 0.")
    assert lines[1] == "unknown  ·  finished at step 60"
    assert lines[-2:] == [f"recorded in {place.directory}", f"replay it with: bedside replay {place.directory}"]

    for words in (["status"], ["check"], ["attach"], ["replay"]):
        assert place.id in bedside(*words, directory).out or "unknown" in bedside(*words, directory).out
    assert bedside("status", directory, "--json").json["id"] == place.id
    judged = bedside("check", directory, "--json")
    assert (judged.code, judged.json["verdict"], judged.json["steps"]) == (3, "unknown", 60)
    assert {"rule": "codebook-collapse", "why": "vq: warming up until step 1,000"} in judged.json["not_checked"]
    (summary,) = bedside("runs", "--dir", directory, "--json").json
    assert (summary["lifecycle"], summary["step"], summary["name"]) == ("finished", 60, "vq-digits-0")
    assert bedside("ctl", directory, "pause").code == 3
    assert bedside("rm", directory, "--yes").code == 0
    assert runs_in([directory]) == []


def test_a_case_there_is_not_and_steps_that_are_none_are_said_in_one_place(home: Path, environment: dict[str, str]) -> None:
    directory = home / "demo"
    for words in (["no-such-case"], ["--steps", "0"]):
        code, out, err = said(demo(directory, environment, *words), 60)
        assert (code, out) == (3, "")
        assert "there are vq-digits, " in err or "0 steps are none: say 1 or more" in err
    assert not directory.exists()


def test_one_word_trains_the_same_script_without_its_fault(home: Path, environment: dict[str, str]) -> None:
    directory = home / "demo"
    code, _, err = said(demo(directory, environment, "crash"), 120)
    assert (code, "KeyError: 'kv_cache'" in err) == (1, True)
    code, out, err = said(demo(directory, environment, "crash", "--healthy"), 120)
    assert (code, "KeyError" in err) == (0, False)
    assert "finished at step 60" in out
    assert len(runs_in([directory])) == 2
    assert len([place for place in runs_in([directory]) if place.id.startswith("crash-healthy-0")]) == 1


def test_the_list_is_told_without_a_training_in_lines_of_eighty_columns(bedside: Cli) -> None:
    listed = bedside("demo", "--list")
    assert listed.code == 0
    assert "codebook-collapse" in listed.out
    assert max(map(len, listed.out.splitlines())) < 80


# --- the two cases, whole


def whole(case: str, steps: int) -> LongTraining:
    return LongTraining(f"demo-{case}", ("bedside_tui", "demo", case, "--headless", "--seed", "0", "--steps", str(steps)))


def watched(training: LongTraining, long_trainings: LongTrainings) -> tuple[RunPlace, list[str]]:
    """The one recording of a demo that ran to its end, and the lines it said."""
    left = long_trainings.left(training)
    assert left.code == 0, left.output
    (place,) = runs_in([left.directory])
    return place, left.output.splitlines()


@pytest.mark.timeout(960)
@pytest.mark.parametrize("training", [whole("vq-digits", HEALTHY_STEPS)], ids=["whole"])
def test_the_healthy_demo_is_ok_and_its_codebook_was_judged(training: LongTraining, long_trainings: LongTrainings, bedside: Cli) -> None:
    healthy, lines = watched(training, long_trainings)
    assert f"● ok  ·  finished at step {HEALTHY_STEPS:,}" in lines
    judged = bedside("check", healthy.directory, "--json")
    assert (judged.code, judged.json["verdict"], judged.json["alerts"]) == (0, "ok", [])
    assert "codebook-collapse" not in {entry["rule"] for entry in judged.json["not_checked"]}
    (summary,) = bedside("runs", "--dir", healthy.directory.parent, "--json").json
    assert (summary["verdict"], summary["alerts"]) == ("ok", {"amber": 0, "red": 0})


@pytest.mark.timeout(960)
@pytest.mark.parametrize("training", [whole("codebook-collapse", SICK_STEPS)], ids=["whole"])
def test_the_collapse_is_red_and_names_the_codebook_while_the_loss_looks_fine(
    training: LongTraining, long_trainings: LongTrainings, bedside: Cli, read: Read
) -> None:
    sick, _ = watched(training, long_trainings)
    judged = bedside("check", sick.directory, "--json")
    assert (judged.code, judged.json["verdict"]) == (2, "red")
    first = judged.json["alerts"][0]
    assert (first["rule"], first["severity"], first["target"]) == ("codebook-collapse", "red", "vq")
    assert "of 512 codes" in first["message"]
    assert not [alert for alert in judged.json["alerts"] if alert["rule"] in LOSS_RULES]
    (summary,) = bedside("runs", "--dir", sick.directory.parent, "--json").json
    assert (summary["verdict"], summary["alerts"]["red"]) == ("red", 1)

    losses = [
        value
        for record in read(sick.log)
        if isinstance(record.body, Metrics) and "loss" in record.body.names
        for value in record.body.values[record.body.names.index("loss")].tolist()
    ]
    assert len(losses) == SICK_STEPS
    begun, ended = sum(losses[:100]) / 100, sum(losses[-100:]) / 100
    assert ended < 0.2 * begun
