"""Names and candidate directories, from an environment that is passed in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside_protocol.places import MAX_SOCKET_PATH, SOCKET_NAME, run_id, run_root, runtime_candidates, runtime_name, socket_fits

TMP = Path("/tmp")


def test_the_candidates_are_tried_from_the_most_said_to_the_least() -> None:
    environment = {"BEDSIDE_RUNTIME_DIR": "/mine", "XDG_RUNTIME_DIR": "/run/user/7", "SLURM_TMPDIR": "/scratch/5", "TMPDIR": "/var/tmp"}
    assert runtime_candidates(environment, 7, TMP) == tuple(
        map(Path, ("/mine", "/run/user/7/bedside", "/scratch/5/bedside-7", "/var/tmp/bedside-7", "/tmp/bedside-7"))
    )


def test_an_empty_environment_leaves_the_temporary_directory_once() -> None:
    assert runtime_candidates({}, 7, TMP) == (Path("/tmp/bedside-7"),)
    assert runtime_candidates({"TMPDIR": "/tmp", "XDG_RUNTIME_DIR": ""}, 7, TMP) == (Path("/tmp/bedside-7"),)


def test_runs_go_where_the_environment_says() -> None:
    assert run_root({"BEDSIDE_DIR": "/runs"}, Path("/state")) == Path("/runs")
    assert run_root({"BEDSIDE_DIR": ""}, Path("/state")) == Path("/state")
    assert run_root({}, Path("/state")) == Path("/state")


@given(st.text())
def test_a_run_of_any_name_is_one_short_directory_of_plain_letters(name: str) -> None:
    identity = run_id(name, "20260101-120000", "a1b2")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}-20260101-120000-a1b2", identity)
    assert re.fullmatch(r"[0-9a-f]{8}", runtime_name(identity))


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("digits-1", "digits-1"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "run"),
        ("...", "run"),
        ("größe", "groe"),
        ("训练", "run"),
        ("a\0b\n\x1b[2J", "a-b-2J"),
        ("\ud800x", "x"),
        ("a" * 10_000_000, "a" * 40),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_name_keeps_what_is_harmless(name: str, begin: str) -> None:
    assert run_id(name, "S", "n") == f"{begin}-S-n"


@given(st.text(st.characters()))
def test_every_id_has_a_short_name_among_the_sockets(identity: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}", runtime_name(identity))


def test_a_socket_fits_up_to_107_bytes_and_not_one_more() -> None:
    longest = MAX_SOCKET_PATH - len(f"/01234567/{SOCKET_NAME}")
    assert socket_fits(Path("/" + "a" * (longest - 1)))
    assert not socket_fits(Path("/" + "a" * longest))
    assert not socket_fits(Path("/" + "é" * (longest // 2) + "a"))
    assert socket_fits(Path("/\udcff"))
