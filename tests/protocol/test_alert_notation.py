"""Series in one line, as rules are tested with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.alerts.notation import NotationError, series


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1+2x3 _ 5", [1, 3, 5, 7, None, 5]),
        ("", []),
        ("4x2", [4, 4, 4]),
        ("4x0", [4]),
        ("_x3 1", [None, None, None, 1]),
        ("1-0.5x2", [1, 0.5, 0]),
        ("-1e-3 +2.5 .5", [-0.001, 2.5, 0.5]),
        ("1e2+1e1x2", [100, 110, 120]),
        ("inf -inf", [math.inf, -math.inf]),
    ],
)
def test_a_line_stands_for_its_values(text: str, values: list[float | None]) -> None:
    assert series(text) == values


def test_what_is_no_number_is_written_as_nan() -> None:
    (value,) = series("NaN")
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["1+2", "x3", "1x", "1+x3", "_+1x3", "1,2", "1x-3", "--1", "1x9999999", "1+infx3"])
def test_a_piece_that_means_nothing_is_named(text: str) -> None:
    with pytest.raises(NotationError, match=r"'.*'"):
        series(text)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_any_values_can_be_written_one_by_one(values: list[float | None]) -> None:
    assert series(" ".join("_" if value is None else repr(value) for value in values)) == values
