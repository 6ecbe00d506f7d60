"""Rules that act: a real training that goes wrong is looked at, saved, held, ended; somebody is told; the recording says it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from bedside_protocol.records import (
    AlertAcknowledged,
    AlertChanged,
    AlertShelved,
    CheckpointSaved,
    CommandChanged,
    Ended,
    LifecycleChanged,
    Problem,
    Record,
    RulesDeclared,
    RunStarted,
    Snapshot,
)

Start = Callable[..., Any]
Cli = Callable[..., Any]

LOOP = """
import bedside, json, os, sys, time
run = bedside.init(project="flow", name="acting", rules="mine.toml")
codes = run.probe(bedside.Codebook("vq", size=4, every=40))
def save(path):
    with open(path, "w") as file:
        json.dump({"step": run.current_step}, file)
if not os.environ.get("UNSAVED"):
    run.on_checkpoint(save)
bad = os.environ.get("BAD_FROM", "40")
for number in run.steps(range(10**9)):
    codes.observe([0, 1])
    run.log({"high": 9.0 if number > int(bad) else 1.0})
    time.sleep(0.005)
run.finish()
"""


def rules(home: Path, actions: str, name: str = "mine.toml") -> None:
    """A file with one rule of its own: `high` above 5 is red, and acts."""
    text = f"""
        [rules.too-high]
        watch = {{metric = "high"}}
        when = {{beyond = {{amber_above = 4, red_above = 5}}}}
        {actions}
    """
    (home / name).write_text(dedent(text))


def lives(training: Any, verb: str) -> list[CommandChanged]:
    return [body for body in training.bodies(CommandChanged) if body.verb == verb]


def over(verb: str) -> Callable[[Any], bool]:
    """Whether a record is the end of a command of this verb."""
    ends = ("applied", "failed", "refused", "expired")
    return lambda body: isinstance(body, CommandChanged) and body.verb == verb and body.state in ends


def told(records: list[Record]) -> list[str]:
    """Alarm, commands, checkpoint and pause in the order of the recording."""
    story = []
    for record in records:
        match record.body:
            case AlertChanged(rule="too-high", state="firing", severity=severity):
                story.append(f"alarm {severity}")
            case CommandChanged(verb=verb, state="requested" | "applied" as state):
                story.append(f"{verb} {state}")
            case CheckpointSaved():
                story.append("checkpoint saved")
            case LifecycleChanged(state="paused" | "stopped" as lifecycle):
                story.append(lifecycle)
            case _:
                pass
    return story


def test_an_alarm_saves_the_run_and_holds_it_and_the_recording_tells_why(start: Start, home: Path, bedside: Cli) -> None:
    rules(home, 'on_red = ["pause", "checkpoint"]')
    training = start(LOOP)
    training.wait_lifecycle("paused")
    story = told(training.records())
    assert story == [
        "alarm red",
        "checkpoint requested",
        "pause requested",
        "checkpoint saved",
        "checkpoint applied",
        "pause applied",
        "paused",
    ]
    alarm = next(body for body in training.bodies(AlertChanged) if body.state == "firing")
    for body in training.bodies(CommandChanged):
        assert body.who == "rule too-high on high"
        assert (body.arguments["severity"], body.arguments["alarm_step"]) == ("red", alarm.step)
        assert body.arguments["message"] == alarm.message
    saved, paused = training.bodies(CheckpointSaved)[0], lives(training, "pause")[-1]
    assert saved.step == paused.step

    assert bedside("ctl", training.place.id, "resume").code == 0
    training.wait_points("high", paused.step + 50)
    assert len(lives(training, "checkpoint")) == 4  # requested, accepted, scheduled, applied: once an episode
    assert len(training.bodies(CheckpointSaved)) == 1


def test_without_a_checkpoint_handler_the_reason_is_recorded_and_the_run_is_held_all_the_same(start: Start, home: Path) -> None:
    rules(home, 'on_red = ["checkpoint", "pause"]')
    training = start(LOOP, {"UNSAVED": "1"})
    training.wait_lifecycle("paused")
    assert [(body.state, body.detail) for body in lives(training, "checkpoint")][-1] == (
        "refused",
        "the script registered no checkpoint: run.on_checkpoint(save), where save(path) writes one file",
    )


def test_checkpoint_and_stop_ends_a_run_that_is_saved_and_not_one_that_cannot_be(start: Start, home: Path) -> None:
    rules(home, 'on_amber = ["checkpoint"]\n        on_red = ["stop"]')
    unsaved = start(LOOP, {"UNSAVED": "1"})
    refused = unsaved.wait_for(over("stop")).body
    assert (refused.state, refused.arguments["checkpoint"]) == ("refused", True)
    unsaved.wait_points("high", 20 + len(unsaved.points("high")))
    unsaved.close()
    for left in (home / "runs").iterdir():
        left.rename(home / left.name)

    training = start(LOOP)
    assert training.end() == 0
    training.wait_lifecycle("stopped")
    assert told(training.records()) == ["alarm red", "stop requested", "checkpoint saved", "stop applied", "stopped"]
    assert training.bodies(Ended)[0].outcome == "stopped"


def test_measure_takes_a_snapshot_of_every_probe_for_a_metrics_alarm(start: Start, home: Path) -> None:
    rules(home, 'on_red = ["measure"]')
    training = start(LOOP.replace("every=40", "every=bedside.on_demand()"))
    applied = training.wait_for(over("snapshot")).body
    assert (applied.state, applied.arguments["probe"]) == ("applied", "vq")
    snapshot = training.wait_for(lambda body: isinstance(body, Snapshot)).body
    assert 1 <= snapshot.step - applied.step <= 2  # two where it has to be fed for a step first


def test_what_cannot_be_done_to_a_run_that_is_over_is_refused_in_words(start: Start, home: Path) -> None:
    rules(home, 'on_red = ["pause"]')
    training = start(LOOP.replace("10**9", "60").replace("time.sleep(0.005)", ""), {"BAD_FROM": "58"})
    training.wait_lifecycle("finished")
    training.wait_hub_gone()
    assert [(body.state, body.detail) for body in lives(training, "pause")][-1][0] in ("refused", "failed")
    assert lives(training, "pause")[-1].detail == "the run is over"


def test_a_restarted_hub_does_not_act_again(start: Start, home: Path) -> None:
    rules(home, 'on_red = ["checkpoint"]')
    training = start(LOOP)
    training.wait_for(over("checkpoint"))
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.hub_pid(started=2)
    training.wait_points("high", 100 + len(training.points("high")))
    assert [body.state for body in lives(training, "checkpoint")] == ["requested", "accepted", "scheduled", "applied"]
    firing = [body for body in training.bodies(AlertChanged) if body.rule == "too-high" and body.state == "firing"]
    assert [body.severity for body in firing] == ["red"]  # the restarted hub judges by the same rules, from where the first one was


def test_somebody_is_told_once_and_the_address_is_nowhere(start: Start, home: Path, bedside: Cli) -> None:
    rules(home, 'on_red = ["notify"]')
    script = home / "secret-address"
    script.write_text('#!/bin/sh\n{ echo "$1"; cat; echo; } >> "$0.told"\n')
    script.chmod(0o700)
    training = start(LOOP, {"BEDSIDE_NOTIFY": f"exec:{script}"})
    assert training.wait_for(over("notify")).body.state == "applied"
    alarm = next(body for body in training.bodies(AlertChanged) if body.state == "firing")
    place = training.place
    assert Path(f"{script}.told").read_text() == f"bedside: RED too-high on high\n{place.id}: {alarm.message} (step {alarm.step})\n"
    assert bedside("ctl", place.id, "notify").out.splitlines()[-1].startswith("notify applied")
    assert len(Path(f"{script}.told").read_text().splitlines()) == 4
    for file in place.directory.iterdir():
        assert not file.is_file() or b"secret-address" not in file.read_bytes()


def test_a_notification_of_the_last_moment_is_sent_and_recorded_before_the_hub_leaves(start: Start, home: Path) -> None:
    rules(home, 'on_red = ["notify"]')
    script = home / "slow"
    script.write_text("#!/bin/sh\nsleep 3\nexit 7\n")
    script.chmod(0o700)
    training = start(LOOP.replace("10**9", "60"), {"BAD_FROM": "58", "BEDSIDE_NOTIFY": f"exec:{script}"})
    assert training.end() == 0
    training.wait_hub_gone(20)
    assert lives(training, "notify")[-1].detail == "address 1 of 1: the program ended with code 7"
    problems = [body.text for body in training.bodies(Problem)]
    assert problems == [
        "a notification asked for by rule too-high on high failed: address 1 of 1: the program ended with code 7",
    ]


# --- the rules kept with the recording


def test_the_recording_keeps_the_rules_it_was_judged_by_and_is_judged_by_them_again(start: Start, home: Path, bedside: Cli) -> None:
    rules(home, "")
    training = start(LOOP.replace("10**9", "60"))
    assert training.end() == 0
    training.wait_hub_gone()
    bodies = [record.body for record in training.records()]
    kept = bodies.index(RulesDeclared("mine.toml", (home / "mine.toml").read_text()))
    assert [type(body) for body in bodies[:kept] if not isinstance(body, AlertChanged)] == [RunStarted]
    (home / "mine.toml").unlink()

    name = training.place.id
    said = bedside("check", name, "--json")
    assert (said.code, said.json["verdict"]) == (2, "red")
    assert said.json["rules"] == "mine.toml (kept in the recording)"
    assert [alert["rule"] for alert in said.json["alerts"]] == ["too-high"]
    assert bedside("check", name).out.splitlines()[1] == "  rules: mine.toml (kept in the recording)"

    default = bedside("check", name, "--rules", "default", "--json")
    assert (default.json["rules"], default.json["alerts"]) == ("built in", [])
    rules(home, 'off = false\n        worst = "amber"', "other.toml")
    other = bedside("check", name, "--rules", home / "other.toml", "--json")
    assert (other.code, other.json["rules"]) == (1, "other.toml")


def test_kept_rules_that_cannot_be_read_any_more_are_said_and_the_built_in_ones_judge(record: Any, losses: Any, bedside: Cli) -> None:
    record([RulesDeclared("old.toml", "[rules.spike]\nshade = 'mauve'\n"), losses([1.0] * 20)])
    said = bedside("check", "made", "--json").json["rules"]
    assert said.startswith("built in: old.toml, kept in the recording, cannot be read by this version (old.toml:2: ")
    assert said in bedside("check", "made").out


def test_where_a_run_went_on_with_other_rules_the_last_declared_judge(record: Any, losses: Any, bedside: Cli) -> None:
    def named(name: str, level: int) -> RulesDeclared:
        text = f"""[rules.level]\nwatch = {{metric = "loss"}}\nwhen = {{beyond = {{red_above = {level}}}}}\n"""
        return RulesDeclared(name, text)

    record([named("first.toml", 1), losses([2.0] * 20), named("second.toml", 3)])
    said = bedside("check", "made", "--json").json
    assert (said["rules"], said["alerts"]) == ("second.toml (kept in the recording)", [])


def test_a_run_without_rules_of_its_own_keeps_none(start: Start, home: Path, bedside: Cli) -> None:
    training = start(LOOP.replace(', rules="mine.toml"', "").replace("10**9", "20"))
    assert training.end() == 0
    training.wait_hub_gone()
    assert training.bodies(RulesDeclared) == []
    assert bedside("check", training.place.id, "--json").json["rules"] == "built in"


def test_a_rule_file_too_long_to_keep_is_refused_with_a_sentence(start: Start, home: Path) -> None:
    rules(home, "# " + "x" * (64 << 10))
    training = start(LOOP.replace("10**9", "20"))
    assert training.end() == 0
    assert "bedside: mine.toml has more than 64 KiB: the built-in rules judge" in training.err.read_text()
    assert training.bodies(RulesDeclared) == []


# --- alarms from the command line


def test_alarms_are_acknowledged_and_shelved_from_the_command_line(start: Start, home: Path, bedside: Cli) -> None:
    rules(home, "")
    training = start(LOOP)
    training.wait_for(lambda body: isinstance(body, AlertChanged) and body.state == "firing")
    name = training.place.id
    for words in ("acknowledge", "acknowledge too-high", "shelve too-high high --for 30m", "unshelve too-high high"):
        said = bedside("ctl", name, *words.split())
        assert (said.code, said.err) == (0, "")
    assert [(body.rule, body.target) for body in training.bodies(AlertAcknowledged)] == [("", ""), ("too-high", "")]
    assert [(body.target, body.seconds) for body in training.bodies(AlertShelved)] == [("high", 1800.0), ("high", 0.0)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["shelve", "too-high"], "shelve needs TARGET: bedside ctl RUN shelve RULE TARGET, as bedside check RUN names them"),
        (["unshelve"], "unshelve needs RULE and TARGET: bedside ctl RUN unshelve RULE TARGET, as bedside check RUN names them"),
        (["pause", "too-high"], "pause takes no too-high"),
        (["shelve", "a", "b", "--for", "soon"], "argument --for: soon is no length of time: write 90s, 30m, 8h or 7d"),
        (["shelve", "a", "b", "--for", "8d"], "argument --for: 8d: an alarm is shelved for a week at most"),
    ],
)
def test_what_is_missing_or_impossible_is_said_before_a_run_is_looked_for(bedside: Cli, words: list[str], why: str) -> None:
    said = bedside("ctl", "no-such-run", *words)
    assert (said.code, said.err.splitlines()[-1]) == (3, f"bedside: {why}")
