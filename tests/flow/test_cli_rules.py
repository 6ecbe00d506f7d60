"""`bedside rules` and `check --rules`: what they print, their exit codes, and the document made from the types."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.alerts.rule_trial import failures
from bedside_protocol.records import AlertChanged, Metrics, Snapshot

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules.md"
BOOK = Path(__file__).parents[2] / "docs" / "alarms.md"

Cli = Callable[..., Any]
Made = Callable[..., Any]
Losses = Callable[..., Metrics]
Write = Callable[[str], Path]

MINE = """
    [rules.high]
    watch = {metric = "loss"}
    when = {beyond = {amber_above = 5, red_above = 10}}
    for_red = "20 points"
    [rules.explosion]
    off = true
    [rules.spike]
    off = true
    [rules.loss-level]
    for_red = "500 points"
    [[tests]]
    rule = "high"
    target = "loss"
    series = "1x20 12x40"
    expect = {20 = "ok", 25 = "amber", 45 = "red"}
"""


@pytest.fixture
def write(home: Path) -> Write:
    """A rule file with this text."""

    def mine(text: str) -> Path:
        path = home / "mine.toml"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return mine


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


# --- list


def test_the_list_names_every_rule_what_it_watches_and_when_it_fires_in_80_columns(bedside: Cli) -> None:
    said = bedside("rules", "list")
    assert (said.code, said.err) == (0, "")
    assert widest(said.out) <= 80
    heads = [line.split()[0] for line in said.out.splitlines() if not line.startswith(" ")]
    assert heads == list(dict.fromkeys(rule.name for rule in DEFAULT_RULES))
    assert "  probe codebook: amber after 2 points, red after 4 points\n" in said.out


def test_the_list_says_which_rules_are_the_files_own_changed_or_off(bedside: Cli, write: Write) -> None:
    out = bedside("rules", "list", "--rules", write(MINE)).out
    origin = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines() if not line.startswith(" ")}
    assert origin["high"] == "mine.toml"
    assert origin["loss-level"] == "built in, changed in mine.toml"
    assert origin["explosion"] == "off in mine.toml"
    assert origin["stall"] == "built in"


def test_json_says_a_rule_as_a_file_would(bedside: Cli, write: Write) -> None:
    rules = bedside("rules", "list", "--json", "--rules", write(MINE)).json
    assert rules[-1] == {
        "from": "added",
        "name": "high",
        "title": "high",
        "message": "{value:.4g} since step {first_step:,}",
        "runbook": "",
        "for_red": "20 points",
        "watch": {"metric": "loss"},
        "when": [{"beyond": {"field": "value", "amber_above": 5.0, "red_above": 10.0}}],
    }


# --- explain


@pytest.mark.parametrize("name", dict.fromkeys(rule.name for rule in DEFAULT_RULES))
def test_every_rule_can_be_explained_with_its_runbook_in_80_columns(bedside: Cli, name: str) -> None:
    said = bedside("rules", "explain", name)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(name)
    assert widest(said.out) <= 80
    assert {"watches", "when", "fires", "clears", "says", "means", "causes"} <= set(re.findall(r"^  (\w+)", said.out, re.MULTILINE))


def test_a_rule_of_the_file_is_explained_without_a_runbook(bedside: Cli, write: Write) -> None:
    out = bedside("rules", "explain", "high", "--rules", write(MINE)).out
    assert "beyond: field value, amber above 5, red above 10" in out
    assert "amber at once, red after 20 points" in out
    assert "  runbook     none" in out


def test_a_rule_that_does_not_exist_is_said_with_those_that_do(bedside: Cli) -> None:
    said = bedside("rules", "explain", "stal")
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("bedside: no rule is called stal (is stall meant?): `bedside rules list` names them all")


# --- test


def test_the_tests_of_a_file_pass_or_say_what_came_out_instead(bedside: Cli, write: Write) -> None:
    passed = bedside("rules", "test", write(MINE))
    assert (passed.code, passed.out, passed.err) == (0, "● 1  high on loss\n", "")
    failed = bedside("rules", "test", write(MINE.replace('45 = "red"', '45 = "ok", 22 = "red"')))
    assert (failed.code, failed.err) == (1, "")
    assert failed.out == "✖ 1  high on loss\n       at 22: expected red, is amber\n       at 45: expected ok, is red\n"


def test_results_of_tests_are_also_json(bedside: Cli, write: Write) -> None:
    said = bedside("rules", "test", "--json", write(MINE.replace('45 = "red"', '45 = "ok"')))
    assert said.code == 1
    assert said.json == [{"rule": "high", "target": "loss", "passed": False, "failures": ["at 45: expected ok, is red"]}]


def test_a_file_that_is_refused_exits_2_with_every_slip_on_a_line(bedside: Cli, write: Write) -> None:
    said = bedside("rules", "test", write("rules.stall.worst = 'orange'\nrules.stal.off = true\n"))
    assert (said.code, said.out) == (2, "")
    assert [line[:25] for line in said.err.splitlines()] == ["bedside: mine.toml:1: rul", "bedside: mine.toml:2: rul"]


def test_a_file_without_tests_proves_nothing(bedside: Cli, write: Write) -> None:
    said = bedside("rules", "test", write("rules.stall.off = true"))
    assert (said.code, said.out, said.err) == (2, "", "bedside: mine.toml has no [[tests]]\n")


def test_a_file_that_cannot_be_read_is_said_in_one_line(bedside: Cli, home: Path) -> None:
    said = bedside("rules", "test", home / "none.toml")
    assert said.code == 3
    assert said.err.endswith("none.toml cannot be read: No such file or directory\n")
    (home / "latin.toml").write_bytes(b"title = '\xe9'")
    assert bedside("check", "--rules", home / "latin.toml").err.endswith("latin.toml cannot be read: it is no UTF-8\n")


# --- check


def test_a_recording_is_judged_by_the_rules_of_the_file(bedside: Cli, record: Made, losses: Losses, write: Write) -> None:
    record([losses([3.0] * 20 + [12.0] * 40)], "high")
    said = bedside("check", "high", "--json", "--rules", write(MINE))
    assert said.code == 2
    assert [(alert["rule"], alert["severity"], alert["first_step"], alert["message"]) for alert in said.json["alerts"]] == [
        ("high", "red", 21, "12 since step 21")
    ]
    assert "high" not in {alert["rule"] for alert in bedside("check", "high", "--json").json["alerts"]}


def test_a_rule_that_looks_at_nothing_in_the_run_is_said(bedside: Cli, record: Made, losses: Losses, write: Write) -> None:
    record([losses([1.0] * 60), losses([0.5] * 60, "acc"), losses([1e9] * 60, "system/rss")], "quiet")
    rules = write("""
        [rules.a]
        watch = {metric = "los/*"}
        when = "non_finite"
        [rules.b]
        watch = {probe = "rolout"}
        when = {beyond = {field = "collapse", red_above = 0.5}}
        [rules.c]
        watch = {metric = "acc", kinds = ["loss"]}
        when = "non_finite"
        [rules.d]
        watch = {metric = "a*"}
        when = "non_finite"
        [rules.e]
        watch = {metric = "*rss"}
        when = "non_finite"
    """)
    unmatched = [each for each in bedside("check", "quiet", "--json", "--rules", rules).json["not_checked"] if "in this run" in each["why"]]
    assert unmatched == [
        {"rule": "a", "why": "no metric is called los/* in this run"},
        {"rule": "b", "why": "no probe of kind rolout in this run"},
        {"rule": "c", "why": "no metric acc is of kind loss in this run"},
        {"rule": "e", "why": "no metric is called *rss in this run"},
    ]
    assert "  a: no metric is called los/* in this run\n" in bedside("check", "quiet", "--rules", rules).out


def test_a_recording_is_not_judged_by_a_file_that_is_refused(bedside: Cli, record: Made, losses: Losses, write: Write) -> None:
    record([losses([1.0] * 60)], "any")
    said = bedside("check", "any", "--rules", write("rules.stal.off = true"))
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("bedside: mine.toml:1: rules.stal: no built-in rule is called stal (is stall meant?)")


def test_a_probe_under_a_rule_of_the_file_is_judged(bedside: Cli, record: Made, write: Write) -> None:
    record([Snapshot("dream", "rollout", step, {"collapse": 0.9}) for step in (100, 200)], "dream")
    rules = write('rules.dead = {watch = {probe = "rollout"}, when = {beyond = {field = "collapse", red_above = 0.5}}}')
    assert "✖ RED    dead on dream at step 100: collapse 0.9 since step 100" in bedside("check", "dream", "--rules", rules).out


# --- live


TRAINING = """
import bedside
run = bedside.init(name="own", rules={rules!r})
for number in run.steps(range(60)):
    run.log({{"loss": 12.0 if number >= 20 else 3.0}})
run.finish()
"""


def test_a_living_run_is_judged_by_its_own_rules(start: Callable[..., Any], write: Write) -> None:
    training = start(TRAINING.format(rules=str(write(MINE))))
    assert training.end() == 0
    training.wait_lifecycle("finished")
    fired = {
        (body.rule, body.severity)
        for record in training.records()
        if isinstance(body := record.body, AlertChanged) and body.state == "firing"
    }
    assert fired == {("high", "amber"), ("high", "red")}


def test_rules_that_are_refused_are_said_and_the_built_in_ones_judge(start: Callable[..., Any], write: Write) -> None:
    training = start(TRAINING.format(rules=str(write("rules.stal.off = true"))))
    assert training.end() == 0
    training.wait_lifecycle("finished")
    said = training.err.read_text()
    assert "mine.toml:1: rules.stal: no built-in rule is called stal (is stall meant?)" in said
    assert "mine.toml is refused: the built-in rules judge" in said
    assert "explosion" in {record.body.rule for record in training.records() if isinstance(record.body, AlertChanged)}


def test_rules_that_are_not_there_are_said_and_the_run_is_recorded(start: Callable[..., Any], home: Path) -> None:
    training = start(TRAINING.format(rules=str(home / "none.toml")))
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert "none.toml cannot be read (No such file or directory): the built-in rules judge" in training.err.read_text()


# --- reference


def curve_of(losses: Losses, seed: int, end: float = 0.1, name: str = "loss", n: int = 400) -> Metrics:
    source = random.Random(seed)
    return losses([(end + 2.0 * math.exp(-step / 60)) * math.exp(source.gauss(0.0, 0.05)) for step in range(n)], name)


def test_healthy_runs_make_a_rule_file_that_tells_the_run_that_leaves_them(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    for seed in range(3):
        record([curve_of(losses, seed), curve_of(losses, seed + 10, name="aux [T=64]")], f"seed-{seed}")
    said = bedside("rules", "reference", "seed-0", "seed-1", "seed-2", "--metrics", "aux*")
    assert (said.code, said.err) == (0, "")
    mine = home / "reference.toml"
    mine.write_text(said.out, encoding="utf-8")
    assert [rule.name for rule in read_rules(said.out).rules if rule.runbook == "reference"] == ["reference-aux-t-64", "reference-loss"]
    record([curve_of(losses, 7), curve_of(losses, 8, name="aux [T=64]")], "healthy")
    assert bedside("check", "healthy", "--rules", mine, "--json").json["alerts"] == []
    record([curve_of(losses, 7, end=0.02), curve_of(losses, 8, name="aux [T=64]")], "lower")
    (alert,) = bedside("check", "lower", "--rules", mine, "--json").json["alerts"]
    assert (alert["rule"], alert["severity"], alert["target"]) == ("reference-loss", "amber", "loss")
    assert re.fullmatch(r"[\d.]+, the reference runs allow [\d.]+ to [\d.]+", alert["message"])
    assert widest(bedside("rules", "explain", "reference-loss", "--rules", mine).out) <= 80


def test_what_is_not_in_all_reference_runs_is_left_out_and_said(bedside: Cli, record: Made, losses: Losses) -> None:
    for seed in range(3):
        record([curve_of(losses, seed), *([curve_of(losses, seed, name="acc")] if seed else [])], f"seed-{seed}")
    out = bedside("rules", "reference", "seed-0", "seed-1", "seed-2", "--metrics", "acc").out
    assert "# acc is left out: not in all of them\n" in out
    assert "[rules.reference-loss]" in out


def test_too_few_reference_runs_or_nothing_in_common_is_refused_in_words(bedside: Cli, record: Made, losses: Losses) -> None:
    for seed, name in enumerate(["loss", "loss", "train/loss"]):
        record([curve_of(losses, seed, name=name)], f"seed-{seed}")
    few = bedside("rules", "reference", "seed-0", "seed-1", "seed-0")
    assert (few.code, few.out) == (3, "")
    assert few.err == "bedside: 2 different runs tell too little of how healthy ones differ: give 3 to 5\n"
    other = bedside("rules", "reference", "seed-0", "seed-1", "seed-2")
    assert (other.code, other.out) == (3, "")
    assert other.err.startswith("bedside: no loss with 40 values or more is in all of seed-0, seed-1, seed-2; see --metrics")


# --- expectations


EXPECTING = """
import bedside
run = bedside.init(name="expecting")
run.expect("loss < 0.5 after 30")
run.expect("val/acc > 0.9 by 10", severity="red")
run.expect("loss is small")
for number in run.steps(range(60)):
    run.log({"loss": 1.0})
run.finish()
"""


def test_what_a_script_expects_is_judged_live_and_by_check(bedside: Cli, start: Callable[..., Any]) -> None:
    training = start(EXPECTING)
    assert training.end() == 0
    training.wait_lifecycle("finished")
    assert 'bedside: expect: "loss is small" is no expectation: write "loss < 0.05 after 5000"' in training.err.read_text()
    live = [record.body for record in training.records() if isinstance(record.body, AlertChanged) and record.body.rule == "expectation"]
    assert [(change.target, change.message) for change in live if change.state == "firing"] == [("loss", "1, expected < 0.5 after 30")]
    said = bedside("check", training.place.id, "--json").json
    assert [(each["rule"], each["severity"], each["step"]) for each in said["alerts"]] == [("expectation", "amber", 30)]
    assert {"rule": "expectation-2", "why": "val/acc: no metric is called val/acc"} in said["not_checked"]


# --- the document


def test_the_document_is_what_the_types_say(bedside: Cli) -> None:
    """After a change of a rule's types: `bedside rules schema > docs/rules.md`."""
    said = bedside("rules", "schema")
    assert (said.code, said.err) == (0, "")
    assert said.out == DOCUMENT.read_text(encoding="utf-8")


def test_the_book_of_alarms_is_what_the_rules_say(bedside: Cli) -> None:
    """After a change of a rule or a runbook: `bedside rules book > docs/alarms.md`."""
    said = bedside("rules", "book")
    assert (said.code, said.err) == (0, "")
    assert said.out == BOOK.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL))
def test_the_examples_of_the_document_are_rules_and_their_tests_pass(example: str) -> None:
    said = read_rules(example)
    assert said.origins
    assert [failures(trial, said.rules) for trial in said.trials] == [()] * len(said.trials)
