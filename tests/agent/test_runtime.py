"""The private directory of a run: what is refused, what is tried next, and what the keys file holds."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.runtime import Keys, NoRuntimeDirectory, endpoint, make_keys, open_runtime, own_directory, remove_runtime, write_keys
from bedside_protocol.places import KEYS_NAME, runtime_name

UID = os.getuid()
needs_root = pytest.mark.skipif(UID != 0, reason="only root can give a directory to somebody else")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a short path that stands for `/tmp`, and an environment that names no other."""
    with tempfile.TemporaryDirectory(prefix="bs-") as directory:
        for name in ("BEDSIDE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(tempfile, "tempdir", directory)
        yield Path(directory)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_is_made_for_this_user_alone(short: Path) -> None:
    directory = open_runtime("run-1")
    assert directory == short / f"bedside-{UID}" / runtime_name("run-1")
    assert (mode(directory), mode(directory.parent)) == (0o700, 0o700)
    assert endpoint(directory) == f"ipc://{directory}/hub"
    remove_runtime(directory)
    remove_runtime(directory)
    assert not directory.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_umask_neither_opens_nor_closes_it(short: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        directory = open_runtime("run-1")
        write_keys(directory, "run-1", short, make_keys())
    finally:
        os.umask(before)
    assert (mode(directory), mode(directory.parent)) == (0o700, 0o700)
    assert mode(directory / KEYS_NAME) & ~0o600 == 0


def test_two_runs_share_the_directory_and_one_run_cannot_be_opened_twice(short: Path) -> None:
    assert open_runtime("run-1").parent == open_runtime("run-2").parent
    with pytest.raises(NoRuntimeDirectory, match="File exists"):
        open_runtime("run-1")


@pytest.mark.parametrize("bits", [0o755, 0o701, 0o770, 0o777])
def test_a_directory_open_to_others_is_refused(short: Path, bits: int) -> None:
    (short / "d").mkdir()
    (short / "d").chmod(bits)
    with pytest.raises(OSError, match=rf"^is open to others \(mode {bits:o}\)$"):
        own_directory(short / "d", UID)
    assert mode(short / "d") == bits


def test_a_link_is_refused_even_to_a_good_directory(short: Path) -> None:
    (short / "good").mkdir(mode=0o700)
    (short / "d").symlink_to(short / "good")
    (short / "dangling").symlink_to(short / "nothing")
    for name in ("d", "dangling"):
        with pytest.raises(OSError, match=r"^is not a directory$"):
            own_directory(short / name, UID)
    assert not (short / "nothing").exists()


def test_a_file_is_refused_and_left_alone(short: Path) -> None:
    (short / "d").write_text("mine")
    with pytest.raises(OSError, match=r"^is not a directory$"):
        own_directory(short / "d", UID)
    assert (short / "d").read_text() == "mine"


def test_a_directory_of_somebody_else_is_refused(short: Path) -> None:
    (short / "d").mkdir(mode=0o700)
    with pytest.raises(OSError, match=rf"^(belongs to user {UID}|lies where)"):
        own_directory(short / "d", UID + 1)


@needs_root
def test_a_directory_put_there_by_an_attacker_is_refused(short: Path) -> None:
    short.chmod(0o1777)
    (short / "d").mkdir(mode=0o700)
    os.chown(short / "d", 65534, 65534)
    with pytest.raises(OSError, match=r"^belongs to user 65534$"):
        own_directory(short / "d", UID)


@needs_root
def test_a_place_where_somebody_else_could_put_another_is_refused(short: Path) -> None:
    (short / "theirs").mkdir(mode=0o755)
    os.chown(short / "theirs", 65534, 65534)
    with pytest.raises(OSError, match=r"^lies where somebody else could put another in its place$"):
        own_directory(short / "theirs" / "d", UID)
    assert not (short / "theirs" / "d").exists()


def test_an_open_place_is_taken_only_with_the_sticky_bit(short: Path) -> None:
    short.chmod(0o777)
    with pytest.raises(OSError, match=r"^lies where"):
        own_directory(short / "d", UID)
    short.chmod(0o1777)
    own_directory(short / "d", UID)


def test_what_cannot_be_used_is_passed_over_for_the_next(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short / "open").mkdir()
    (short / "open").chmod(0o755)
    (short / "file").write_text("")
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(short / "open"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "absent"))
    monkeypatch.setenv("SLURM_TMPDIR", str(short / "file"))
    assert open_runtime("run-1").parent == short / f"bedside-{UID}"


def test_a_path_too_long_for_a_socket_is_passed_over(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(short / ("x" * 100)))
    assert open_runtime("run-1").parent == short / f"bedside-{UID}"


def test_where_nothing_can_be_used_each_candidate_and_its_reason_are_named(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short / f"bedside-{UID}").write_text("")
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(short / ("x" * 100)))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / "absent"))
    with pytest.raises(NoRuntimeDirectory) as caught:
        open_runtime("run-1")
    reasons = str(caught.value).split("; ")
    assert [reason.rpartition(": ")[2] for reason in reasons] == [
        "its path is too long for a socket",
        "No such file or directory",
        "is not a directory",
    ]
    assert all(str(short) in reason for reason in reasons)


def test_a_relative_directory_means_the_same_to_a_hub_elsewhere(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(short)
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", "here")
    assert open_runtime("run-1").parent == Path.cwd() / "here"


def test_the_keys_file_is_private_and_holds_what_a_viewer_needs_and_no_more(short: Path) -> None:
    keys = make_keys()
    directory = open_runtime("run-1")
    write_keys(directory, "run-1", Path("/runs/run-1"), keys)
    path = directory / KEYS_NAME
    assert mode(path) == 0o600
    told = json.loads(path.read_text())
    assert told == {
        "run": "run-1",
        "directory": "/runs/run-1",
        "socket": "hub",
        "server_public": keys.server_public,
        "operator_public": keys.operator_public,
        "operator_secret": keys.operator_secret,
        "viewer_public": keys.viewer_public,
        "viewer_secret": keys.viewer_secret,
    }
    assert [entry.name for entry in directory.iterdir()] == [KEYS_NAME]
    for secret in (keys.server_secret, keys.agent_secret):
        assert secret not in path.read_text()


def test_a_link_where_the_keys_shall_stand_is_replaced_not_followed(short: Path) -> None:
    directory = open_runtime("run-1")
    (short / "precious").write_text("mine")
    (directory / KEYS_NAME).symlink_to(short / "precious")
    write_keys(directory, "run-1", short, make_keys())
    assert (short / "precious").read_text() == "mine"
    assert not (directory / KEYS_NAME).is_symlink()


def test_keys_are_new_each_time_and_never_shown() -> None:
    one, two = make_keys(), make_keys()
    values = {getattr(keys, name) for keys in (one, two) for name in Keys.__slots__}
    assert len(values) == 16
    assert all(len(value) == 40 for value in values)
    assert repr(one) == "<Keys of a run>"
    assert not re.search("|".join(map(re.escape, values)), f"{one} {two!r}")
