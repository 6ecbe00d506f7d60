"""Numbers as text: they stand still, and no number is too strange to be written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_tui.draw import number

ANY = st.one_of(st.floats(), st.integers(-(2**64), 2**64).map(float))


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (0.0214, "0.0214"), (0.091, "0.0910"), (1.24, "1.24"), (18.2, "18.2"), (182.4, "182"), (12431.0, "12,431"), (3e-4, "3.0e-04"),
        (-0.5, "-0.5000"), (0.0, "0.0000"), (-0.0, "0.0000"), (9.996, "10.0"), (0.99996, "1.00"), (99.96, "100"), (0.00099951, "0.0010"),
        (999_999.4, "999,999"), (999_999.6, "1.0e+06"), (1e308, "1.0e+308"), (-1e308, "-1.0e+308"), (5e-324, "4.9e-324"),
        (math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (None, "—"),
    ],
)  # fmt: skip
def test_values_have_three_digits_and_stand_still(x: float | None, shown: str) -> None:
    assert number.value(x) == shown


@given(ANY)
def test_every_value_fits_nine_cells_and_is_what_it_says(x: float) -> None:
    shown = number.value(x)
    assert len(shown) <= 9
    if abs(x) < 1.7e308:
        assert float(shown.replace(",", "")) == pytest.approx(x, rel=0.06, abs=0.00006)


@pytest.mark.parametrize(
    ("n", "width", "shown"),
    [(12431, None, "12,431"), (10**12, None, "1,000,000,000,000"), (10**12, 9, "1.0T"), (12_431_000, 9, "12.4M"), (-5, None, "-5"),
     (12_431_000, 10, "12,431,000"), (2.6, None, "3"), (math.nan, None, "nan"), (10**15, 5, "1e+15"),
     (2**63, None, "9.2e+18"), (None, None, "—")],
)  # fmt: skip
def test_counts_are_whole_and_shortened_only_where_they_must(n: float | None, width: int | None, shown: str) -> None:
    assert number.count(n, width) == shown


@pytest.mark.parametrize(
    ("function", "x", "shown"),
    [
        (number.size, 48_000_000, "48 MB"), (number.size, 1_200_000_000, "1.2 GB"), (number.size, 812, "812 B"), (number.size, 0, "0 B"),
        (number.size, 999_700, "1.0 MB"), (number.size, None, "—"), (number.size, math.nan, "nan"),
        (number.duration, 11_400, "3h10"), (number.duration, 725, "12m05"), (number.duration, 45, "45 s"), (number.duration, 8.24, "8.2 s"),
        (number.duration, 0.007, "7 ms"), (number.duration, 59.7, "1m00"), (number.duration, 3599.7, "1h00"),
        (number.duration, 2 * 86400 + 3 * 3600, "2d 03h"), (number.duration, 104 * 86400, "104 d"), (number.duration, -45, "-45 s"),
        (number.duration, math.inf, "inf"), (number.duration, None, "—"),
        (number.milliseconds, 0.007, "7.0 ms"), (number.milliseconds, 0.00012, "0.12 ms"), (number.milliseconds, 0.14, "140 ms"),
        (number.clock, 492, "0:08:12"), (number.clock, 360_000, "100:00:00"), (number.clock, -3, "0:00:00"), (number.clock, math.nan, "—"),
        (number.age, 0.2, "0.2 s ago"), (number.age, 0.01, "now"), (number.age, 11_400, "3h10 ago"), (number.age, math.nan, "—"),
        (number.rate, 143.2, "143/s"), (number.rate, 2.41, "2.4/s"), (number.rate, 0.2, "12/min"), (number.rate, 0.001, "3.6/h"),
        (number.rate, 0.0, "0/s"), (number.rate, math.nan, "—"),
        (number.percent, 0.006, "0.6 %"), (number.percent, 0.14, "14 %"), (number.percent, 1.0, "100 %"), (number.percent, 0.0, "0 %"),
        (number.percent, math.nan, "—"), (number.percent, math.inf, "inf %"),
    ],
)  # fmt: skip
def test_quantities_read_as_people_say_them(function: object, x: float | None, shown: str) -> None:
    assert function(x) == shown  # type: ignore[operator]


def test_a_unit_is_said_once() -> None:
    assert number.of(1.2e9, 24e9) == "1.2 of 24 GB"
    assert number.of(800e6, 24e9) == "800 MB of 24 GB"


def test_a_number_that_does_not_fit_never_shows_another_number() -> None:
    assert number.fixed("12,431", 8) == "  12,431"
    assert number.fixed("12,431", 4) == "####"


@given(ANY)
def test_no_number_is_too_strange(x: float) -> None:
    for function in (
        number.value, number.count, number.size, number.duration, number.milliseconds, number.clock, number.age, number.rate, number.percent
    ):  # fmt: skip
        shown = function(x)
        assert 0 < len(shown) <= 40
        assert shown.isprintable()
    assert len(number.count(x, 9)) <= 9
    assert len(number.duration(x)) <= 10
