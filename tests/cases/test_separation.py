"""Every broken case is told from its healthy twin by the quantity it names, with a margin no constant could meet.

One seed here; `make cases` sets BEDSIDE_CASE_SEEDS for more.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bedside.cases.case import Sign
from bedside.cases.catalogue import BROKEN
from bedside.cases.catalogue import case as case_named
from bedside.cases.reading import quantity
from bedside_protocol.records import Record

Recordings = Callable[[str, int, bool], list[Record]]

SEEDS = range(int(os.environ.get("BEDSIDE_CASE_SEEDS", "1")))
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
    record_property("quantity", f"{sign.field} {healthy:.4g} healthy, {broken:.4g} broken")
    assert within(healthy, sign.healthy), f"healthy {sign.field} {healthy:.4g} is not within {sign.healthy}"
    assert within(broken, sign.broken), f"broken {sign.field} {broken:.4g} is not within {sign.broken}"
    constant = broken  # what a probe that returns constants would give in both forms
    assert not (within(constant, sign.healthy) and within(constant, sign.broken))
