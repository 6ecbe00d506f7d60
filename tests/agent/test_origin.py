"""Where a run comes from, read without starting anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bedside.origin import boot_id, describe, git_commit, process_start

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(directory: Path, head: str, files: dict[str, str]) -> Path:
    git = directory / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text(head)
    for name, content in files.items():
        (git / name).parent.mkdir(parents=True, exist_ok=True)
        (git / name).write_text(content)
    return directory


@pytest.mark.parametrize(
    ("head", "files", "commit"),
    [
        ("ref: refs/heads/main\n", {"refs/heads/main": COMMIT + "\n"}, COMMIT),
        ("ref: refs/heads/a/b\n", {"packed-refs": f"# pack-refs with: peeled\n{'f' * 40} refs/heads/b\n{COMMIT} refs/heads/a/b\n"}, COMMIT),
        (COMMIT + "\n", {}, COMMIT),
        ("ref: refs/heads/unborn\n", {}, ""),
        ("", {}, ""),
    ],
)
def test_the_commit_is_read_from_the_files(tmp_path: Path, head: str, files: dict[str, str], commit: str) -> None:
    root = repository(tmp_path, head, files)
    (root / "src" / "deep").mkdir(parents=True)
    assert git_commit(root) == git_commit(root / "src" / "deep") == commit


def test_a_worktree_finds_the_commit_of_its_branch(tmp_path: Path) -> None:
    main = repository(
        tmp_path / "main", "ref: refs/heads/main\n", {"refs/heads/side": COMMIT, "worktrees/side/HEAD": "ref: refs/heads/side"}
    )
    (main / ".git" / "worktrees" / "side" / "commondir").write_text("../..\n")
    side = tmp_path / "side"
    side.mkdir()
    (side / ".git").write_text(f"gitdir: {main / '.git' / 'worktrees' / 'side'}\n")
    assert git_commit(side) == COMMIT


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"gitdir: nowhere", b""])
def test_what_only_looks_like_a_repository_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert git_commit(tmp_path) == ""


def test_git_itself_agrees(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *words], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.strip()

    try:
        git("init", "-q")
    except FileNotFoundError:
        pytest.skip("no git here")
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    git("pack-refs", "--all")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")


def test_a_directory_that_is_gone_has_no_commit_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert describe("id", "name", "project", {}, 0.0).git_commit == ""
    monkeypatch.chdir(tmp_path)


def test_a_run_tells_its_process_so_that_no_other_can_be_taken_for_it() -> None:
    started = describe("id", "name", "project", {"lr": 0.1}, 5.0)
    assert (started.id, started.name, started.project, started.config, started.wall_start) == ("id", "name", "project", {"lr": 0.1}, 5.0)
    assert started.pid == os.getpid()
    assert started.pid_start == process_start(os.getpid()) > 0
    assert started.boot_id == boot_id() != ""
    assert started.python == ".".join(map(str, sys.version_info[:3]))
    assert started.host


def test_the_command_line_is_told_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--token", "hunter2"])
    assert describe("id", "name", "project", {}, 0.0).argv == ("python", "train.py", "--token", "[redacted]")


def test_a_process_that_is_not_there_has_no_start() -> None:
    assert process_start(2**22 + 1) == 0


def test_a_processs_name_full_of_brackets_does_not_hide_its_start(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm', 'w').write(') R 1 2 ('); print('named', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert abs(process_start(child.pid) - process_start(os.getpid())) < 100 * 3600 * 24
        assert process_start(child.pid) >= process_start(os.getpid())
        child.communicate(b"\n")
