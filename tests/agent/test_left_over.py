"""What a training leaves beside its recording when no hub took it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bedside.left_over import forget_left, leave_frames, left_frames
from bedside_protocol.places import LEFT_NAME

SOURCES = [str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol")]


def test_frames_come_back_in_order_whatever_is_in_them(tmp_path: Path) -> None:
    frames = [b"first", b"", b"\0" * 70_000, b"last"]
    leave_frames(tmp_path, frames)
    assert left_frames(tmp_path) == frames
    assert (tmp_path / LEFT_NAME).stat().st_mode & 0o777 == 0o600
    forget_left(tmp_path)
    assert (left_frames(tmp_path), list(tmp_path.iterdir())) == ([], [])


def test_where_nothing_was_left_there_is_nothing(tmp_path: Path) -> None:
    assert left_frames(tmp_path) == []
    assert left_frames(tmp_path / "nowhere") == []
    forget_left(tmp_path)


def test_a_disk_without_room_is_an_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from bedside.left_over import leave_frames\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: leave_frames(Path(sys.argv[1]), [b'x' * 100] * 50)\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={"PYTHONPATH": ":".join(SOURCES)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / f".{LEFT_NAME}").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        leave_frames(tmp_path, [b"x"])
    assert (tmp_path / "precious").read_text() == "mine"
