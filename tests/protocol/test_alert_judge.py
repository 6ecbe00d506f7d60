"""Verdicts over whole logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import nan

import numpy as np
import pytest

from bedside_protocol.alerts.conditions import Beyond
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.judge import Judgement, judge
from bedside_protocol.alerts.rules import OnProbe, Rule, Span
from bedside_protocol.alerts.verdict import EXIT_CODES
from bedside_protocol.records import Ended, LifecycleChanged, Metrics, Outcome, ProbeDeclared, Record, RunStarted, Snapshot, Tick

STARTED = Record(0.0, RunStarted("a", "digits-1", "tokenizer", 0.0))
VQ = Record(0.0, ProbeDeclared("vq", "codebook", 50, {"size": 64}))
FINISHED = Record(1e6, Ended("finished", 2000))


def losses(values: Sequence[float]) -> Record:
    steps = np.arange(len(values), dtype=np.int64)
    return Record(steps.size * 0.01, Metrics(("loss",), steps, np.asarray(steps * 0.01, np.float64), np.array([values], np.float64)))


def codebook(step: int, used: int) -> Record:
    scalars = {"size": 64.0, "window": 2000.0, "used": float(used), "usage": used / 64, "dead": 64.0 - used, "perplexity": used * 0.8}
    return Record(step * 0.01, Snapshot("vq", "codebook", step, scalars))


LEARNING = losses([1.0 / (1.0 + 0.01 * i) for i in range(2000)])


def test_a_healthy_run_is_ok_and_names_nothing_unchecked() -> None:
    healthy = judge([STARTED, VQ, LEARNING, *(codebook(step, 60) for step in range(50, 2000, 50)), FINISHED])
    assert healthy == Judgement("ok", 2000, "finished", (), ())
    assert healthy.exit_code == 0


def test_the_worst_that_ever_fired_is_the_verdict_even_when_it_has_cleared() -> None:
    sick = judge([STARTED, losses([1.0] * 30 + [nan] + [1.0] * 200), FINISHED])
    assert (sick.verdict, sick.exit_code) == ("red", 2)
    (finding,) = sick.alerts
    assert (finding.rule, finding.target, finding.severity, finding.first_step, finding.step) == ("nonfinite", "loss", "red", 30, 30)
    assert finding.runbook == "nonfinite"


def test_an_episode_is_one_finding_at_its_worst() -> None:
    collapsed = judge([VQ, *(codebook(step, 60 if step < 1500 else 5) for step in range(50, 3000, 50))])
    (finding,) = collapsed.alerts
    assert (finding.rule, finding.severity, finding.first_step, finding.step) == ("codebook-collapse", "red", 1500, 1650)
    assert finding.message == "5 of 64 codes since step 1,500"


def test_an_amber_run_is_amber() -> None:
    assert judge([losses([2.3] * 1200)]).verdict == "amber"


def test_nothing_to_judge_is_unknown() -> None:
    assert judge([]) == Judgement("unknown", 0, "running", (), ())
    assert judge([STARTED, losses([1.0] * 40), FINISHED]).verdict == "unknown"
    assert judge([STARTED, *(Record(float(i), Tick(i)) for i in range(100))]).verdict == "unknown"


def test_a_declared_codebook_that_was_never_judged_makes_ok_unknown() -> None:
    never = judge([STARTED, VQ, LEARNING])
    assert never.verdict == "unknown"
    assert ("codebook-collapse", "vq", "warming up until step 1,000") in never.not_checked
    warming = judge([STARTED, VQ, LEARNING, codebook(500, 60)])
    assert (warming.verdict, warming.exit_code) == ("unknown", 3)
    assert judge([STARTED, VQ, LEARNING, codebook(500, 60), codebook(1000, 60)]).verdict == "ok"


def test_a_red_alarm_outweighs_what_was_never_judged() -> None:
    assert judge([STARTED, VQ, losses([1.0, nan])]).verdict == "red"


@pytest.mark.parametrize(("outcome", "ended"), [("finished", "finished"), ("stopped", "stopped"), ("failed", "failed")])
def test_how_a_run_ended_is_the_trainings_own_word(outcome: Outcome, ended: str) -> None:
    assert judge([STARTED, LEARNING, Record(1.0, Ended(outcome, 7))]).ended == ended


def test_the_hubs_verdict_is_the_last_word_and_silence_is_the_readers_guess() -> None:
    assert judge([STARTED, LEARNING, Record(1.0, LifecycleChanged("killed", "signal 9"))]).ended == "killed"
    assert judge([STARTED, LEARNING]).ended == "running"
    assert judge([STARTED, LEARNING], unended="lost").ended == "lost"


def test_what_one_rule_found_red_stays_red_where_another_of_its_name_finds_amber_later() -> None:
    far = Rule("apart", "apart", OnProbe("divergence"), (Beyond("kl", red_above=5.0),), "{kl:.0f}", "")
    drift = replace(far, conditions=(Beyond("drop", amber_above=1.0),), worst="amber", for_amber=Span(2))
    values = [(9.0, 0.0), (0.5, 0.0), (0.5, 2.0), (0.5, 2.0)]
    records = [Record(float(at), Snapshot("a", "divergence", at, {"kl": kl, "drop": drop})) for at, (kl, drop) in enumerate(values)]
    found = judge(records, [far, drift])
    assert [(finding.severity, finding.step) for finding in found.alerts] == [("red", 0), ("amber", 3)]
    assert found.verdict == "red"


def test_other_rules_judge_otherwise() -> None:
    lenient = [rule for rule in DEFAULT_RULES if rule.name != "never-learns"]
    assert judge([losses([2.3] * 1200)], lenient).verdict == "ok"


def test_exit_codes_are_those_of_the_command_line() -> None:
    assert dict(EXIT_CODES) == {"ok": 0, "amber": 1, "red": 2, "unknown": 3}
