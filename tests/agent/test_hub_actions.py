"""What a rule that fires asks for: which commands, in which order, with which cause, and once an episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bedside.hub.actions import asks_of
from bedside.hub.desk import Desk
from bedside_protocol.alerts.rule_file import read_rules
from bedside_protocol.messages import Ask
from bedside_protocol.records import AlertChanged, CommandChanged, Scalar, Verb

RUN = "digits-1"
AMBER = AlertChanged("high", "loss", "firing", "amber", step=40, first_step=20, value=7.0, message="loss is 7", episode=1)
RED = replace(AMBER, severity="red", step=60)
PROBES = {"vq": 50, "look": 0, "grads": 1}


def asked(change: AlertChanged, actions: str, probes: Mapping[str, int] | None = None) -> list[Ask]:
    """What is asked for when a rule with these lines of its file changes its mind."""
    text = f"""
        [rules.high]
        watch = {{metric = "loss"}}
        when = {{beyond = {{amber_above = 5, red_above = 10}}}}
        {actions if change.rule == "high" else ""}
        [rules.codebook-collapse]
        {actions if change.rule == "codebook-collapse" else ""}
    """
    return asks_of(change, read_rules(text).rules, PROBES if probes is None else probes, RUN)


def said(asks: list[Ask]) -> list[tuple[Verb, dict[str, Scalar]]]:
    cause = {"rule", "target", "severity", "alarm_step", "message"}
    return [(ask.verb, {key: value for key, value in ask.arguments.items() if key not in cause}) for ask in asks]


def test_a_rule_without_actions_asks_for_nothing() -> None:
    assert asked(RED, "") == []


@pytest.mark.parametrize("state", ["not_checked", "ok", "pending", "cleared"])
def test_only_an_alarm_that_fires_asks_for_anything(state: str) -> None:
    assert asked(replace(RED, state=state), 'on_red = ["pause"]') == []  # type: ignore[arg-type]


def test_what_amber_asks_for_red_asks_for_too_and_what_red_asks_for_amber_does_not() -> None:
    actions = 'on_amber = ["checkpoint"]\non_red = ["pause"]'
    assert said(asked(AMBER, actions)) == [("checkpoint", {})]
    assert said(asked(RED, actions)) == [("checkpoint", {}), ("pause", {})]


def test_a_command_names_the_alarm_that_caused_it() -> None:
    (ask,) = asked(RED, 'on_red = ["pause"]')
    assert (ask.run, ask.who) == (RUN, "rule high on loss")
    assert ask.arguments == {"rule": "high", "target": "loss", "severity": "red", "alarm_step": 60, "message": "loss is 7"}


def test_somebody_is_told_and_the_run_is_looked_at_and_saved_before_it_is_held_however_the_file_orders_it() -> None:
    asks = asked(RED, 'on_red = ["pause", "checkpoint", "measure", "notify"]', {"vq": 50})
    assert [ask.verb for ask in asks] == ["notify", "snapshot", "checkpoint", "pause"]


def test_checkpoint_and_stop_is_one_command_that_stops_only_what_is_saved() -> None:
    assert said(asked(RED, 'on_red = ["stop", "checkpoint"]')) == [("stop", {"checkpoint": True})]
    assert said(asked(RED, 'on_red = ["stop"]')) == [("stop", {})]
    both = 'on_amber = ["checkpoint"]\non_red = ["stop"]'
    assert said(asked(AMBER, both) + asked(RED, both)) == [("checkpoint", {}), ("stop", {"checkpoint": True})]


def test_measure_doubles_the_rate_of_the_probe_the_alarm_is_about() -> None:
    measure = 'on_red = ["measure"]'
    about = replace(RED, rule="codebook-collapse")
    assert said(asked(replace(about, target="vq"), measure)) == [("rate", {"probe": "vq", "every": 25})]
    assert said(asked(replace(about, target="grads"), measure)) == [("rate", {"probe": "grads", "every": 1})]
    assert said(asked(replace(about, target="look"), measure)) == [("snapshot", {"probe": "look"})]


def test_measure_on_a_metrics_alarm_takes_a_snapshot_of_every_probe() -> None:
    measure = 'on_red = ["measure"]'
    asks = asked(RED, measure)
    assert said(asks) == [("snapshot", {"probe": "vq"}), ("snapshot", {"probe": "look"}), ("snapshot", {"probe": "grads"})]
    assert len({ask.id for ask in asks}) == 3
    assert said(asked(RED, measure, {})) == [("snapshot", {"probe": ""})]


def test_an_action_is_carried_out_once_an_episode_and_again_in_the_next() -> None:
    desk = Desk(RUN)
    actions = 'on_amber = ["checkpoint"]\non_red = ["pause"]'
    verbs = []
    for change in (AMBER, RED, RED, replace(AMBER, episode=2, step=90), replace(RED, target="val/loss")):
        for ask in asked(change, actions):
            _, bodies = desk.ask(ask, "operator", 0.0, change.step, is_over=False)
            verbs += [(change.episode, body.verb) for body in bodies if isinstance(body, CommandChanged)]
    assert verbs == [(1, "checkpoint"), (1, "pause"), (2, "checkpoint"), (1, "checkpoint"), (1, "pause")]


def test_a_restarted_hub_knows_what_was_done_already() -> None:
    (ask,) = asked(RED, 'on_red = ["pause"]')
    desk = Desk(RUN)
    desk.restore(CommandChanged(ask.id, "pause", "applied", ask.who), 0.0)
    assert desk.ask(ask, "operator", 1.0, 70, is_over=False)[1] == []
    assert desk.due(2.0) == []
