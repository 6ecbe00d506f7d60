"""Curves that are told apart by their letters, on an axis that ends where they do."""

from __future__ import annotations

import numpy as np

from bedside_protocol.series import Series, no_columns
from bedside_tui.draw import chart
from bedside_tui.draw.chart import MARGIN, Curve, reads
from bedside_tui.draw.letters import SPACING, lettered

WIDTH = 60
LETTERS = "ABCDEFGHIJKLMNOP"


def line(values: object) -> Series:
    series = Series()
    array = np.array(values, np.float64)
    series.extend(np.arange(len(array)), np.arange(len(array)) * 0.1, array)
    return series


def drawn(*values: object, height: int = 9, **more: bool) -> list[str]:
    curves = [Curve(line(each).history().columns(reads(WIDTH)), letter=LETTERS[place]) for place, each in enumerate(values)]
    return chart.text(chart.chart(curves, WIDTH, height, **more))


def test_a_letter_stands_on_its_own_line_and_at_its_end() -> None:
    lines = drawn(np.ones(100), np.full(100, 3.0), whole=True)
    low, high = (next(row for row in lines if letter in row) for letter in "AB")
    assert lines.index(low) > lines.index(high)
    assert (low.rstrip()[-1], high.rstrip()[-1]) == ("A", "B")
    assert low.count("A") >= 2
    assert "B" not in low


def test_lines_that_lie_on_each_other_show_every_letter() -> None:
    text = "".join(drawn(*[np.linspace(4, 0, 200)] * 16, whole=True))
    assert all(letter in text for letter in LETTERS)


def test_letters_stand_on_the_line_in_ascii_too() -> None:
    lines = drawn(np.ones(100), np.full(100, 3.0), ascii=True)
    assert [sum(letter in row for row in lines) for letter in "AB"] == [1, 1]
    assert "".join(lines).isascii()


def test_the_axis_ends_where_the_curves_do_only_if_it_is_asked_to() -> None:
    grown, whole = (max(len(row.rstrip()) for row in drawn(np.ones(150), whole=asked)[:-2]) for asked in (False, True))
    assert grown < WIDTH - 10
    assert whole == WIDTH


def test_a_run_without_points_bears_no_letter_and_hides_no_other() -> None:
    curves = [Curve(no_columns(), letter="A"), Curve(line([1.0, 2.0]).history().columns(reads(WIDTH)), letter="B")]
    text = "".join(chart.text(chart.chart(curves, WIDTH, 9)))
    assert "A" not in text
    assert "B" in text


def test_a_letter_gives_way_to_one_that_is_there_already() -> None:
    way = dict.fromkeys(range(50), 4)
    places = lettered([way, way], 50)
    assert sorted(set(places.values())) == [0, 1]
    assert {column for (column, _), place in places.items() if place == 0} >= {49}
    assert 48 in {column for (column, _), place in places.items() if place == 1}


def test_letters_of_one_line_are_as_far_apart_as_eyes_need() -> None:
    columns = sorted(column for column, _ in lettered([dict.fromkeys(range(200), 0)], 200))
    assert min(np.diff(columns[:-1])) >= SPACING


def test_a_letter_stands_right_of_the_axis() -> None:
    assert all(row[:MARGIN].strip(" 0123456789.┤│└,") == "" for row in drawn([1.0, 2.0, 3.0])[:-1])
