"""Every broken case is told from its healthy twin by the quantity it names, with a margin no constant could meet; the healthy stay quiet.

One seed here; `make cases` sets BEDSIDE_CASE_SEEDS for more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from long_trainings import SEEDS

from bedside.cases.case import Sign
from bedside.cases.catalogue import BROKEN, HARD
from bedside.cases.catalogue import case as case_named
from bedside.cases.reading import quantity
from bedside_protocol.alerts.judge import judge
from bedside_protocol.records import Record

Recordings = Callable[[str, int, bool], list[Record]]
pytestmark = pytest.mark.timeout(900)  # who asks for a recording first may have to train it

LONG = {"codebook-collapse"}
"""Trained in tests/flow/test_demo.py as well, which judges both forms for a minute: with one seed that is enough."""
NAMES = [case.name for case in BROKEN if len(SEEDS) > 1 or case.name not in LONG]


def within(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]


@pytest.mark.parametrize("forms", [(True, False)], ids=["both forms"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", NAMES)
def test_the_named_quantity_tells_the_broken_form_from_the_healthy_one(
    case: str, seed: int, forms: tuple[bool, ...], recording: Recordings, record_property: Callable[[str, object], None]
) -> None:
    found = case_named(case)
    assert found is not None
    sign = found.sign
    assert isinstance(sign, Sign)
    healthy, broken = (quantity(sign, recording(case, seed, form), found.fault_at) for form in forms)
    record_property("quantity", f"{case:28} seed {seed}  {sign.field:22} healthy {healthy:10.4g}  broken {broken:10.4g}")
    assert within(healthy, sign.healthy), f"healthy {sign.field} {healthy:.4g} is not within {sign.healthy}"
    assert within(broken, sign.broken), f"broken {sign.field} {broken:.4g} is not within {sign.broken}"
    constant = broken  # what a probe that returns constants would give in both forms
    assert not (within(constant, sign.healthy) and within(constant, sign.broken))


LONE_SPIKE = {"single-bad-batch"}
"""Far above its level for one value: amber for a while, as decided, and never red."""


@pytest.mark.parametrize("forms", [(False,)], ids=["as it is"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", [case.name for case in HARD])
def test_a_healthy_training_that_looks_like_trouble_is_left_alone(
    case: str, seed: int, forms: tuple[bool, ...], recording: Recordings
) -> None:
    found = judge(recording(case, seed, forms[0])).alerts
    assert {(alert.rule, alert.severity) for alert in found} == ({("spike", "amber")} if case in LONE_SPIKE else set()), found


@pytest.mark.parametrize("forms", [(True,)], ids=["healthy"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", NAMES)
def test_the_healthy_twin_of_a_broken_case_raises_no_alarm(case: str, seed: int, forms: tuple[bool, ...], recording: Recordings) -> None:
    assert judge(recording(case, seed, forms[0])).alerts == ()


NAMED = {"periodic-spikes": "periodic-spikes", "late-nan": "gradient-growth", "no-learning": "never-learns"}
"""The rule that tells of a case beside, or instead of, the rule of its probe."""


@pytest.mark.parametrize("forms", [(False,)], ids=["broken"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", NAMED)
def test_the_rule_made_for_a_broken_case_tells_of_it(case: str, seed: int, forms: tuple[bool, ...], recording: Recordings) -> None:
    assert NAMED[case] in {alert.rule for alert in judge(recording(case, seed, forms[0])).alerts}
