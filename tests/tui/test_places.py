"""Which run a word means, where runs are looked for, and which keys are trusted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bedside_protocol.places import KEYS_NAME, LOG_NAME, runtime_name
from bedside_tui.places import NoSuchRun, door_of, find_run, roots, runs_in


def run(root: Path, name: str, age: float = 0.0) -> Path:
    """A directory with an (empty) recording that was last written `age` seconds ago."""
    log = root / name / LOG_NAME
    log.parent.mkdir(parents=True)
    log.touch()
    os.utime(log, (time.time() - age,) * 2)
    return log


def keys(base: Path, name: str, **other: str) -> Path:
    """The private file a hub leaves for viewers."""
    directory = base / runtime_name(name)
    directory.mkdir(parents=True, mode=0o700)
    shown = {f"{role}_{half}": f"{role} {half}" for role in ("operator", "viewer") for half in ("public", "secret")}
    path = directory / KEYS_NAME
    path.write_text(json.dumps({"run": name, "socket": "hub", "server_public": "server", **shown, **other}))
    path.chmod(0o600)
    return path


# --- which run


def test_without_a_word_the_run_last_written_is_meant(tmp_path: Path) -> None:
    run(tmp_path, "a-new", 10)
    run(tmp_path, "z-old", 1000)
    assert find_run(None, [tmp_path]).id == "a-new"
    assert [place.id for place in runs_in([tmp_path])] == ["a-new", "z-old"]


def test_an_id_is_meant_before_a_beginning_and_a_beginning_means_its_newest(tmp_path: Path) -> None:
    run(tmp_path, "digits-1", 1000)
    run(tmp_path, "digits-10", 10)
    run(tmp_path, "digits-2", 100)
    assert find_run("digits-1", [tmp_path]).id == "digits-1"
    assert find_run("digits", [tmp_path]).id == "digits-10"


def test_a_directory_where_one_stands_does_not_hide_the_run_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "runs", "digits-1")
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits-1").touch()
    monkeypatch.chdir(tmp_path)
    assert find_run("digits", [tmp_path / "runs"]).id == "digits-1"
    assert find_run("digits-1", [tmp_path / "runs"]).log == tmp_path / "runs" / "digits-1" / LOG_NAME


def test_paths_are_absolute_whatever_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = run(tmp_path, "one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for word in ("one", "./one", "one/run.bedside", ".", "~", "~/one"):
        found = find_run(word, [tmp_path / "nothing"])
        assert (found.id, found.log) == ("one", log)


def test_a_file_of_any_name_is_a_recording_of_its_directory(tmp_path: Path) -> None:
    log = run(tmp_path, "one").rename(tmp_path / "one" / "kept.bedside")
    assert find_run(str(log), []).log == log
    assert find_run(str(log), []).id == "one"


def test_several_runs_none_and_nothing_at_all_are_told_apart(tmp_path: Path) -> None:
    newest = run(tmp_path / "two", "a").parent
    run(tmp_path / "two", "b", 50)
    for word, why in (
        (str(tmp_path / "two"), f"holds 2 runs: name one of them, such as {newest}"),
        (str(tmp_path), "is no recording and holds none"),
        (str(tmp_path / "absent"), "there is no "),
        ("~no-such-user/x", "there is no "),
        ("no\x1bsuch", r"no run called 'no\x1bsuch'"),
    ):
        with pytest.raises(NoSuchRun) as said:
            find_run(word, [tmp_path])
        assert why in str(said.value)


def test_a_pipe_a_socket_and_a_link_in_a_circle_are_no_recordings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name in ("pipe", "circle"):
        with pytest.raises(NoSuchRun):
            find_run(str(tmp_path / name), [])


def test_without_a_directory_the_users_own_and_the_emergency_one_are_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("BEDSIDE_DIR", str(tmp_path / "mine"))
    assert roots() == [tmp_path / "mine", tmp_path / f"bedside-runs-{os.getuid()}"]
    assert roots(tmp_path) == [tmp_path]
    monkeypatch.delenv("BEDSIDE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert roots()[0] == tmp_path / "state" / "bedside"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look everywhere")
def test_directories_of_other_people_are_passed_over(tmp_path: Path) -> None:
    for directory in (tmp_path, *list(tmp_path.parents)[:-2]):
        directory.chmod(0o755)
    run(tmp_path, "open")
    run(tmp_path, "theirs").parent.chmod(0o700)
    child = os.fork()
    if child == 0:  # nothing may escape into the test runner's copy
        code = 1
        try:
            os.setuid(65534)
            code = 0 if [place.id for place in runs_in([tmp_path])] == ["open"] else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- the way to the hub


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(tmp_path / "rt"))
    for name in ("XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "empty"))
    return tmp_path / "rt"


def test_who_may_command_gets_the_operators_key_and_who_may_look_the_viewers(runtime: Path) -> None:
    directory = keys(runtime, "one").parent
    operator, viewer = door_of("one", may_command=True), door_of("one", may_command=False)
    assert operator is not None
    assert viewer is not None
    assert operator.endpoint == viewer.endpoint == f"ipc://{directory}/hub"
    assert (operator.public, operator.secret) == ("operator public", "operator secret")
    assert (viewer.public, viewer.secret) == ("viewer public", "viewer secret")
    assert door_of("another", may_command=True) is None


@pytest.mark.parametrize("spoil", ["open file", "open directory", "linked", "another run's", "nonsense", "a list", "no keys"])
def test_keys_that_somebody_else_may_have_put_there_are_not_used(runtime: Path, tmp_path: Path, spoil: str) -> None:
    path = keys(runtime, "one")
    match spoil:
        case "open file":
            path.chmod(0o644)
        case "open directory":
            path.parent.chmod(0o755)
        case "linked":
            path.parent.rename(tmp_path / "elsewhere")
            path.parent.symlink_to(tmp_path / "elsewhere")
        case "another run's":
            path.write_text(path.read_text().replace('"one"', '"two"'))
        case "nonsense":
            path.write_bytes(b"\xff\x00")
        case "a list":
            path.write_text("[]")
        case "no keys":
            path.write_text('{"run": "one"}')
    assert door_of("one", may_command=True) is None


def test_a_runtime_directory_that_is_set_but_absent_is_passed_over(runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "set-but-absent"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    keys(tmp_path / "scratch" / f"bedside-{os.getuid()}", "one")
    assert door_of("one", may_command=False) is not None
