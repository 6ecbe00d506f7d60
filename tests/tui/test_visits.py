"""When a run was last left, kept beside it."""

from __future__ import annotations

from pathlib import Path

from bedside_tui.visits import last_left, note_left


def test_the_moment_of_leaving_is_remembered_in_the_runs_own_time(tmp_path: Path) -> None:
    assert last_left(tmp_path) is None
    note_left(tmp_path, 123.25)
    assert last_left(tmp_path) == 123.25


def test_what_cannot_be_read_or_written_is_no_visit(tmp_path: Path) -> None:
    (tmp_path / "left").write_text("yesterday")
    assert last_left(tmp_path) is None
    note_left(tmp_path / "gone", 1.0)
    assert last_left(tmp_path / "gone") is None
