"""What another user of the machine reaches of a default install: nothing. Tried by a process that is that user."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.runtime import NoRuntimeDirectory, open_runtime
from bedside.start import start_run
from bedside_protocol.places import KEYS_NAME, LOG_NAME
from bedside_tui.places import door_of, roots
from bedside_tui.sources.live import LiveSource

NOBODY = 65534
can_be_another = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: what that user reaches is not tried here")

# Becomes another user, and says what it then managed to do with each path and each socket it is told of.
INTRUDER = """
import json, os, socket, sys
told = json.load(sys.stdin)
os.setgroups([])
os.setgid(told["uid"])
os.setuid(told["uid"])
did = []
def tried(what, path, act):
    try:
        act()
    except OSError:
        return
    did.append([what, path])
for path in told["paths"]:
    tried("list", path, lambda: os.listdir(path))
    tried("read", path, lambda: open(path, "rb").read())
    tried("write", path, lambda: open(path, "ab").close())
    tried("make in", path, lambda: open(os.path.join(path, "planted"), "w").close())
    tried("rename", path, lambda: os.rename(path, path + ".moved"))
    tried("open to all", path, lambda: os.chmod(path, 0o777))
    tried("remove", path, lambda: os.remove(path) if not os.path.isdir(path) else os.rmdir(path))
for path in told["sockets"]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        def connect():
            with socket.socket(socket.AF_UNIX, kind) as one:
                one.connect("\\0" + path[1:] if path.startswith("@") else path)
        tried("connect", path, connect)
print(json.dumps(did))
"""


def reached(paths: Iterable[Path], sockets: Iterable[str]) -> list[list[str]]:
    """What the other user could do: pairs of a deed and a path or a socket."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", INTRUDER],
        input=json.dumps({"uid": NOBODY, "paths": [str(path) for path in paths], "sockets": list(sockets)}),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    found: list[list[str]] = json.loads(ran.stdout)
    return found


def everything_in(directory: Path) -> list[Path]:
    return [directory, *directory.rglob("*")]


@can_be_another
def test_another_user_reaches_no_socket_no_key_and_no_file_of_a_default_install(install: Any) -> None:
    training, place = install.training, install.place
    viewer = LiveSource(place)
    try:
        viewer.start(lambda update: None)
        assert training.ask("checkpoint")[-1].state == "applied"
        listening = {pid: install.sockets(pid) for pid in (training.pid, install.hub, os.getpid())}
    finally:
        viewer.close()
    assert listening == {training.pid: [], install.hub: [str(install.runtime / "hub")], os.getpid(): []}  # no TCP, no name without a file
    paths = [*everything_in(install.runtime), install.runtime.parent, *everything_in(place.directory)]
    assert {LOG_NAME, KEYS_NAME, "hub.log"} <= {path.name for path in paths}
    assert reached(paths, listening[install.hub]) == []


@can_be_another
def test_the_one_who_probes_would_find_what_is_open(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    for directory in (tmp_path, *list(tmp_path.parents)[:-2]):
        directory.chmod(0o755)
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "file").write_text("text")
    found = reached([tmp_path / "open", tmp_path / "open" / "file"], [])
    assert {what for what, _ in found} == {"list", "read", "make in", "rename"}


def test_directories_and_keys_are_their_owners_alone_where_the_script_has_set_no_umask(install: Any) -> None:
    closed = (install.runtime.parent, install.runtime, install.place.directory)
    assert [stat.S_IMODE(path.stat().st_mode) for path in closed] == [0o700] * 3
    assert stat.S_IMODE((install.runtime / KEYS_NAME).stat().st_mode) == 0o600


# --- directories that somebody else has put where ours will be


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for `/tmp`, in an environment in which nothing else can be written."""
    for name in [name for name in os.environ if name.startswith(("BEDSIDE", "XDG_", "SLURM_", "TMPDIR"))]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="bs-") as directory:
        os.chmod(directory, 0o1777)
        monkeypatch.setattr("tempfile.tempdir", directory)
        monkeypatch.setenv("BEDSIDE_DIR", "/dev/null/cannot")
        yield Path(directory)


PLANTS = ("theirs", "open", "a link")


def plant(path: Path, how: str) -> Path:
    """Somebody else's directory, one open to all, or a link, put at `path`; where things made below it would really be."""
    lair = path.with_name("lair")
    lair.mkdir(mode=0o700)
    if how == "a link":
        os.chown(lair, NOBODY, NOBODY)
        path.symlink_to(lair)
        return lair
    lair.rename(path)
    path.chmod(0o777 if how == "open" else 0o700)
    os.chown(path, *((NOBODY, NOBODY) if how == "theirs" else (-1, -1)))
    return path


@can_be_another
@pytest.mark.parametrize("how", PLANTS)
def test_no_recording_is_made_in_a_directory_somebody_else_has_prepared(
    temporary: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lair = plant(temporary / f"bedside-runs-{os.getuid()}", how)
    run = start_run(project="", name="x", config=None, directory=None, rules=None, quiet=False)
    run.log({"loss": 1.0})
    run.finish()
    assert list(lair.iterdir()) == []
    said = capsys.readouterr().err
    assert said.startswith("bedside: this run is not monitored: cannot write in /dev/null/cannot (Not a directory), and ")
    assert said.count("\n") == 1
    assert roots()[1:] == []  # and the viewer looks for no runs there


@can_be_another
@pytest.mark.parametrize("how", PLANTS)
def test_no_socket_is_made_and_no_key_read_in_one(temporary: Path, how: str) -> None:
    lair = plant(temporary / f"bedside-{os.getuid()}", how)
    with pytest.raises(NoRuntimeDirectory, match=r"is open to others|belongs to user 65534|is not a directory"):
        open_runtime("run-1")
    assert list(lair.iterdir()) == []
    assert door_of("run-1", may_command=True) is None
