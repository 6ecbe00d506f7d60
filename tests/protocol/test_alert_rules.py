"""The tables: which rules there are, what explains what, and which losses are judged."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import pytest

from bedside_protocol.alerts.alarm import Alarm
from bedside_protocol.alerts.circumstances import Circumstances
from bedside_protocol.alerts.conditions import Explodes
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.levels import AMBER, OK, RED
from bedside_protocol.alerts.roles import role_of, trained_on
from bedside_protocol.alerts.rules import OnMetric, OnRun, Rule, Span
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.alerts.runbooks_user import USER_RUNBOOKS
from bedside_protocol.alerts.sight import Sight
from bedside_protocol.alerts.track import Track

RULE = Rule("spiky", "spiky", OnRun(), (), "", "stall", for_amber=Span(3), for_red=Span(10, "seconds"), keep_firing_for=Span(4, "steps"))


def walk(alarm: Alarm, *found: int) -> list[str]:
    """The states an alarm passes through, an observation a step and two seconds."""
    return [alarm.severity or alarm.state if alarm.fires else alarm.state for i, level in enumerate(found) if alarm.see(level, i, 2.0 * i)]


def test_an_alarm_pends_fires_worsens_and_clears_by_its_spans() -> None:
    alarm = Alarm(RULE, "x")
    assert walk(alarm, OK, AMBER, RED, RED, RED, RED, RED, RED, OK, OK, OK, OK, OK) == ["ok", "pending", "amber", "red", "cleared"]
    assert (alarm.first_step, alarm.severity) == (1, "red")


def test_evidence_that_ends_before_its_time_leaves_no_alarm() -> None:
    alarm = Alarm(RULE, "x")
    assert walk(alarm, AMBER, AMBER, OK, AMBER, OK) == ["pending", "ok", "pending", "ok"]


def test_an_alarm_that_is_well_for_too_short_goes_on_firing_in_one_episode() -> None:
    alarm = Alarm(RULE, "x")
    assert walk(alarm, AMBER, AMBER, AMBER, OK, OK, AMBER, OK, OK, OK, AMBER) == ["pending", "amber"]


def test_a_new_episode_has_its_own_first_step_and_severity() -> None:
    alarm = Alarm(RULE, "x")
    assert walk(alarm, *[RED] * 6, *[OK] * 5, *[AMBER] * 3) == ["pending", "amber", "red", "cleared", "pending", "amber"]
    assert (alarm.first_step, alarm.severity) == (11, "amber")


def test_a_rule_that_is_amber_at_worst_never_turns_red() -> None:
    mild = Rule("mild", "mild", OnRun(), (), "", "stall", worst="amber")
    assert walk(Alarm(mild, "x"), *[RED] * 50) == ["amber"]


def test_a_reason_not_to_check_is_told_once() -> None:
    alarm = Alarm(RULE, "x")
    assert [alarm.suspend("early"), alarm.suspend("early"), alarm.suspend("late")] == [True, False, True]


def test_every_rule_opens_a_runbook_and_every_runbook_belongs_to_a_rule() -> None:
    assert {rule.runbook for rule in DEFAULT_RULES} == set(RUNBOOKS) - set(USER_RUNBOOKS)
    for name, book in RUNBOOKS.items():
        assert name == name.lower()
        assert book.title
        assert book.what
        assert book.why
        assert book.look
        assert book.fixed
        assert all(len(key) == 1 for key, _ in book.look)
        assert max(len(line) for line in (*book.why, *book.fixed, *(text for _, text in book.look))) <= 100


def test_rules_of_one_name_share_title_and_runbook() -> None:
    said = {(rule.name, rule.title, rule.runbook, RUNBOOKS[rule.runbook].title) for rule in DEFAULT_RULES}
    assert len(said) == len({rule.name for rule in DEFAULT_RULES})
    assert all(title == book for _, title, _, book in said)


def test_what_makes_a_rule_quiet_is_a_rule() -> None:
    assert {name for rule in DEFAULT_RULES for name in rule.quiet_under} <= {rule.name for rule in DEFAULT_RULES}


def plain(value: object) -> bool:
    """Whether a file could hold it: numbers, words, lists and tables of them."""
    if is_dataclass(value):
        return all(plain(getattr(value, field.name)) for field in fields(value))
    return all(map(plain, value)) if isinstance(value, tuple) else value is None or isinstance(value, bool | int | float | str)


def test_every_rule_could_be_written_in_a_file() -> None:
    assert all(plain(rule) for rule in DEFAULT_RULES)
    assert len(set(DEFAULT_RULES)) == len(DEFAULT_RULES)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("total", ["loss", "train/loss", "train_loss", "loss/total", "total_loss", "trainLoss_epoch", "loss_ema"]),
        ("part", ["loss/recon", "recon_loss", "mse", "nll", "loss/ce", "cross_entropy_loss", "train/mlm_loss"]),
        ("balance", ["loss/commit", "vq_loss", "loss/kl", "aux_loss", "codebook/loss"]),
        ("evaluation", ["val/loss", "eval_loss", "test/nll", "valid_loss"]),
        ("none", ["lr", "d_loss", "reward", "loss_scale", "perplexity", "vq/perplexity"]),
    ],
)
def test_a_name_tells_what_a_loss_is_among_others(role: str, names: list[str]) -> None:
    assert {name: role_of(name) for name in names} == dict.fromkeys(names, role)


def test_a_training_is_judged_by_its_total_or_failing_that_by_its_parts() -> None:
    parts = ["loss/recon", "loss/commit", "lr", "val/loss"]
    assert trained_on(parts) == {"loss/recon"}
    assert trained_on([*parts, "loss"]) == {"loss"}
    assert trained_on(["loss/kl", "val/loss"]) == set()


def test_a_condition_in_the_wrong_place_is_refused_in_words() -> None:
    wrong = Rule("wrong", "wrong", OnMetric(), (Explodes(),), "", "explosion")
    with pytest.raises(TypeError, match="Explodes is no condition for the snapshots of a probe"):
        Sight(Alarm(wrong, "vq"))
    silent = Rule("wrong", "wrong", OnMetric(), (DEFAULT_RULES[-1].conditions[0],), "", "stall")
    with pytest.raises(TypeError, match="NoStep is no condition for the values of a metric"):
        Track("loss", [Alarm(silent, "loss")], True, Circumstances()).take([(i, float(i), 1.0) for i in range(20)])
