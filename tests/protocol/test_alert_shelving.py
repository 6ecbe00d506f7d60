"""Putting an alarm aside changes what a person is told, never what is judged."""

from __future__ import annotations

from math import nan

import numpy as np

from bedside_protocol.alerts.engine import Engine
from bedside_protocol.alerts.judge import judge
from bedside_protocol.codec import decode_record, encode_record
from bedside_protocol.records import AlertShelved, Body, Metrics, Record

SHELVED = Record(3.0, AlertShelved("nonfinite", "loss", "mira", 3600.0))


def losses(values: list[float], start: int = 0) -> Record:
    steps = start + np.arange(len(values))
    body: Body = Metrics(("loss",), steps, np.asarray(steps * 0.1, np.float64), np.array([values]))
    return Record(float(steps[-1] * 0.1), body)


def test_it_is_recorded_as_said() -> None:
    assert decode_record(encode_record(SHELVED)) == SHELVED


def test_a_shelved_red_still_counts_in_the_verdict() -> None:
    log = [losses([1.0] * 20 + [nan] * 5), SHELVED, losses([1.0] * 200, 25)]
    assert judge(log).verdict == "red"


def test_what_is_shelved_is_judged_on() -> None:
    engine, plain = Engine(), Engine()
    log = [losses([1.0] * 20 + [nan] * 5), losses([1.0] * 100, 25), losses([nan] * 5, 125)]
    told = [change for record in [log[0], SHELVED, *log[1:]] for change in engine.observe(record)]
    assert repr(told) == repr([change for record in log for change in plain.observe(record)])
    assert [change.state for change in told if change.severity] == ["firing", "cleared", "firing"]
