"""What a row of the screen of ranks says of one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bedside_tui.screens.ranks import rank_row
from bedside_tui.store.rank_view import RankView

WELL = RankView(rank=2, world=4, state="running", step=100, behind=0, silent=0.2, step_seconds=0.1, loss=0.5, host="here", pid=12)


def words(rank: RankView, *, held: bool = False) -> list[str]:
    return "".join(span.text for span in rank_row(rank, 0.1, held=held, width=100)).split()


@pytest.mark.parametrize(
    ("rank", "held", "said"),
    [
        (WELL, False, ["●", "2", "running"]),
        (replace(WELL, step_seconds=0.2), False, ["▲", "2", "straggler"]),
        (replace(WELL, behind=40), False, ["▲", "2", "straggler"]),
        (replace(WELL, behind=2), False, ["●", "2", "running"]),
        (replace(WELL, behind=40, step_seconds=0.2), True, ["‖", "2", "held"]),
        (replace(WELL, state="silent"), True, ["▲", "2", "silent"]),
        (replace(WELL, state="finished well"), False, ["■", "2", "finished"]),
        (replace(WELL, state="killed (9: SIGKILL)"), True, ["✖", "2", "ended"]),
    ],
)
def test_a_rank_is_called_what_it_is(rank: RankView, held: bool, said: list[str]) -> None:
    assert words(rank, held=held)[:3] == said


def test_a_rank_that_ended_says_how() -> None:
    assert words(replace(WELL, state="killed (9: SIGKILL)"))[-3:] == ["killed", "(9:", "SIGKILL)"]
