"""A good checkpoint is never harmed: not by a full disk, a handler that fails, or a kill at any moment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

from bedside.checkpoint import CheckpointFailed, Checkpoints
from bedside_protocol.records import CheckpointSaved

SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol"))


def write(text: str) -> Any:
    return lambda path: Path(path).write_text(text) and None


def script(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_torch_saved_is_loaded_by_torch(tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0).reshape(2, 3)}
    saved = Checkpoints(tmp_path / "checkpoints").write(lambda path: torch.save(state, path), 7, "c-1")
    assert saved.path == str(tmp_path / "checkpoints" / "step_00000007.pt")
    loaded = torch.load(saved.path, weights_only=True)
    assert torch.equal(loaded["weight"], state["weight"])
    assert (saved.size, saved.step, saved.verified, saved.command) == (Path(saved.path).stat().st_size, 7, True, "c-1")
    assert names(tmp_path / "checkpoints") == ["step_00000007.pt"]


def test_while_it_is_written_it_has_another_name(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def save(path: str) -> None:
        Path(path).write_text("new")
        seen.append(names(tmp_path))

    Checkpoints(tmp_path).write(save, 3)
    assert seen == [[".step_00000003.pt.part"]]


def test_a_second_checkpoint_of_one_step_takes_the_place_of_the_first(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(write("old"), 3)
    saved = checkpoints.write(write("newer"), 3)
    assert Path(saved.path).read_text() == "newer"
    assert saved.size == 5
    assert names(tmp_path) == ["step_00000003.pt"]


class Unsayable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (RuntimeError("PytorchStreamWriter failed"), "RuntimeError: PytorchStreamWriter failed"),
        (ValueError("x" * 1000), "ValueError: " + "x" * 288),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (Unsayable(), "Unsayable"),
    ],
)
def test_a_handler_that_raises_leaves_the_one_before_as_it_was(tmp_path: Path, raised: Exception, why: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(write("good"), 3)

    def save(path: str) -> None:
        Path(path).write_text("half")
        raise raised

    with pytest.raises(CheckpointFailed) as caught:
        checkpoints.write(save, 3)
    assert str(caught.value) == why
    assert (tmp_path / "step_00000003.pt").read_text() == "good"
    assert names(tmp_path) == ["step_00000003.pt"]


def test_an_interrupt_while_saving_passes_and_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(write("good"), 3)

    def save(path: str) -> None:
        Path(path).write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.write(save, 3)
    assert names(tmp_path) == ["step_00000003.pt"]
    assert (tmp_path / "step_00000003.pt").read_text() == "good"


def test_a_handler_that_writes_nothing_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFailed, match=r"^save\(path\) wrote nothing at the path it was given$"):
        Checkpoints(tmp_path).write(lambda path: None, 3)


@pytest.mark.parametrize("answer", ["saved!", "x" * 5000, "a\0b", 7, None, True, object()], ids=lambda answer: ascii(answer)[:12])
def test_an_answer_that_is_no_other_path_changes_nothing(tmp_path: Path, answer: Any) -> None:
    saved = Checkpoints(tmp_path).write(lambda path: (Path(path).write_text("good"), answer)[1], 3)
    assert (saved.verified, Path(saved.path).read_text()) == (True, "good")


def test_a_handler_that_saves_elsewhere_is_believed_but_not_vouched_for(tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.pt"
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    saved = checkpoints.write(lambda path: elsewhere.write_text("mine") and elsewhere, 3)
    assert (saved.path, saved.size, saved.verified) == (str(elsewhere), 4, False)
    assert names(tmp_path / "checkpoints") == []
    assert elsewhere.read_text() == "mine"


def test_a_directory_of_shards_is_published_whole_and_never_over_another(tmp_path: Path) -> None:
    def save(path: str) -> None:
        (Path(path) / "deep").mkdir(parents=True)
        (Path(path) / "deep" / "shard0").write_text("12345")

    checkpoints = Checkpoints(tmp_path)
    first, second = checkpoints.write(save, 3), checkpoints.write(save, 3)
    assert first.path != second.path
    for saved in (first, second):
        assert (Path(saved.path) / "deep" / "shard0").read_text() == "12345"
        assert saved.size == 5
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_what_an_earlier_kill_left_half_written_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".step_00000002.pt.part").write_text("half")
    (tmp_path / ".step_00000001.pt.part").mkdir()
    (tmp_path / ".step_00000001.pt.part" / "shard").write_text("half")
    (tmp_path / "step_00000001.pt").write_text("good")
    (tmp_path / ".mine").write_text("kept")
    Checkpoints(tmp_path).write(write("new"), 3)
    assert names(tmp_path) == [".mine", "step_00000001.pt", "step_00000003.pt"]


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointFailed, match=r"^(NotADirectoryError|FileExistsError): "):
        Checkpoints(tmp_path / "file" / "checkpoints").write(write("new"), 3)


def test_a_disk_that_fills_up_leaves_the_one_before_loadable(tmp_path: Path) -> None:
    child = script(
        """
        import resource, sys, torch
        from pathlib import Path
        from bedside.checkpoint import CheckpointFailed, Checkpoints
        checkpoints = Checkpoints(Path(sys.argv[1]))
        checkpoints.write(lambda path: torch.save({"weight": torch.ones(1000)}, path), 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for step in (1, 2):
            try:
                checkpoints.write(lambda path: torch.save({"weight": torch.ones(1_000_000)}, path), step)
            except CheckpointFailed as error:
                print(type(error).__name__)
        """,
        tmp_path,
    )
    done = subprocess.run(child, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["CheckpointFailed"] * 2), done.stderr
    assert names(tmp_path) == ["step_00000001.pt"]
    assert torch.equal(torch.load(tmp_path / "step_00000001.pt", weights_only=True)["weight"], torch.ones(1000))


def test_too_little_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize

    def sparse(path: str) -> None:
        with open(path, "wb") as file:
            file.truncate(2 * free)

    with contextlib.suppress(CheckpointFailed):  # a file system without sparse files refuses it by itself
        checkpoints.write(sparse, 1)
        called: list[str] = []
        with pytest.raises(CheckpointFailed, match=r"^only [\d,]+ MB free, the last checkpoint took [\d,]+ MB$"):
            checkpoints.write(called.append, 2)
        assert called == []


def test_eight_kills_while_saving_never_leave_a_broken_checkpoint(tmp_path: Path) -> None:
    parent = script(
        """
        import os, signal, sys, torch
        from pathlib import Path
        from bedside.checkpoint import Checkpoints
        state = {"weight": torch.ones(300_000)}
        for kill in range(8):
            reader, writer = os.pipe()
            if (child := os.fork()) == 0:
                checkpoints = Checkpoints(Path(sys.argv[1]))
                for step in range(1_000_000):
                    os.write(writer, b".")
                    checkpoints.write(lambda path: torch.save(state, path), step % 3)
            seen = b""
            while len(seen) < 2 + kill % 3:
                seen += os.read(reader, 1)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            for path in Path(sys.argv[1]).glob("step_*.pt"):
                assert torch.equal(torch.load(path, weights_only=True)["weight"], state["weight"])
        """,
        tmp_path,
    )
    done = subprocess.run(parent, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("step_*.pt"))
    Checkpoints(tmp_path).write(write("last"), 9)
    assert not list(tmp_path.glob(".*"))


def test_the_report_is_a_value(tmp_path: Path) -> None:
    saved = Checkpoints(tmp_path).write(write("x"), 3, "c")
    assert isinstance(saved, CheckpointSaved)
    assert 0 <= saved.seconds < 10
