"""The matrix says what is tried, and nothing that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_table import FAULTS
from matrix import MATRIX, Line
from report import Row, Whole, page
from stage import Tally

ROOT = Path(__file__).parents[2]


def test_every_row_has_its_line() -> None:
    assert [line.row for line in MATRIX] == [f"F{number}" for number in range(1, 26)]


@pytest.mark.parametrize("line", MATRIX, ids=lambda line: line.row)
def test_a_row_is_tried_where_the_matrix_says_so(line: Line) -> None:
    assert line.here == any(line.row in fault.rows for fault in FAULTS)
    assert line.here or line.also or line.missing
    for place in line.also:
        file, _, name = place.partition("::")
        assert (ROOT / file).exists()
        assert f"def {name}(" in (ROOT / file).read_text() if name else True


def test_the_page_tells_every_death_loss_and_fault_that_was_not_tried() -> None:
    sick, well = Tally(), Tally()
    sick.tries = well.tries = 7
    sick.died("ended with -9\nand more")
    sick.misses(3, "3 of 10 missing")
    rows = [Row(FAULTS[0], Tally(), sick, ""), Row(FAULTS[1], well, well, ""), Row(FAULTS[2], Tally(), Tally(), "no such thing here")]
    text = page(rows, Whole("make faults N=14", 60.0, 10.0, 8, left=3, parts=9))
    assert "`make faults N=14`" in text
    assert "Interrupted: 3 of 9 parts were not tried." in text
    assert "- viewers killed: ended with -9\n- viewers killed: 3 of 10 missing" in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| F")]
    assert cells[0] == ["F1", "viewers killed", "7", "0", "1", "0", "3", "0"]
    assert cells[1] == ["F2", "viewers stopped", "14", "7", "0", "0", "0", "0"]
    assert cells[2] == ["F3", "hub killed at any moment", "not tried: no such thing here", "–", "–", "–", "–", "–"]
    assert "| training deaths or hangs caused by us, fault matrix × 1000 | 0 | 1 in 21 tries |" in text
