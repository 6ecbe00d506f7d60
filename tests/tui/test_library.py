"""What the list says of each run, what it remembers, and how a log without an ending is read."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.places import LOCK_NAME, LOG_NAME
from bedside_protocol.records import Body, Ended, LifecycleChanged, Metrics, Note, Record, RunStarted, TagsChanged, Tick, VerdictGiven
from bedside_protocol.runlog import encode_chunk
from bedside_tui.best_values import Best
from bedside_tui.library import CACHE_NAME, Library, summarise
from bedside_tui.liveness import HUB_RETURNS_WITHIN, SILENT_AFTER, training_lives
from bedside_tui.places import RunPlace, Unreadable
from bedside_tui.run_row import row_of
from bedside_tui.run_summary import RunSummary, load_summaries

HERE = socket.gethostname()
FINISHED = LifecycleChanged("finished")


def loss(value: float, step: int = 1) -> Metrics:
    return Metrics(("loss",), np.array([step]), np.array([0.1]), np.array([[value]]))


def write(root: Path, name: str, bodies: Sequence[Body], age: float = 0.0, **about: Any) -> RunPlace:
    """A recording, last written `age` seconds ago."""
    place = RunPlace(name, root / name / LOG_NAME)
    place.directory.mkdir(parents=True, exist_ok=True)
    started = RunStarted(name, name, **({"project": "flow", "wall_start": 1000.0, "host": HERE} | about))
    records = [Record(0.1 * number, body, 0, number + 1) for number, body in enumerate([started, LifecycleChanged("running"), *bodies])]
    place.log.write_bytes(encode_chunk(records, 1, {}))
    os.utime(place.log, (time.time() - age,) * 2)
    return place


@contextmanager
def hub_of(place: RunPlace) -> Iterator[None]:
    """The run's writer lock, held as a hub holds it."""
    handle = os.open(place.directory / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@pytest.fixture
def training() -> Iterator[Callable[[], RunStarted]]:
    """A process that lives, and what its run would say of it."""
    process = subprocess.Popen(["sleep", "600"])
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    yield lambda: RunStarted("a", "a", "", 1000.0, HERE, boot, process.pid, int(stat[19]))
    process.kill()
    process.wait()


# --- the cache


def test_what_is_over_is_remembered_and_not_read_again(tmp_path: Path) -> None:
    place = write(tmp_path, "one", [loss(1.0), FINISHED])
    assert [summary.metrics for summary in Library([tmp_path]).summaries()] == [{"loss": 1.0}]
    stat = place.log.stat()
    place.log.write_bytes(bytes(stat.st_size))  # unreadable, of the same size and time: only the cache can answer
    os.utime(place.log, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [summary.metrics for summary in Library([tmp_path]).summaries()] == [{"loss": 1.0}]


def test_a_recording_that_changed_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "one", [loss(1.0), FINISHED], age=100)
    library = Library([tmp_path])
    library.summaries()
    write(tmp_path, "one", [loss(2.0), FINISHED], age=50)
    assert [summary.metrics["loss"] for summary in library.summaries()] == [2.0]
    assert [summary.metrics["loss"] for summary in Library([tmp_path]).summaries()] == [2.0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"version": 1, "runs": []}',
        lambda text: text.replace('"step": 1', '"step": "many"'),
        lambda text: text.replace('"finished"', '"thriving"'),
        lambda text: text.replace('"reason"', '"treason"'),
        lambda text: "\0" * 100,
    ],
)
def test_a_spoilt_cache_is_made_anew(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    write(tmp_path, "one", [loss(1.0), FINISHED])
    before = Library([tmp_path]).summaries()
    cache = tmp_path / CACHE_NAME
    whole = cache.read_text()
    cache.write_text(spoil(whole))
    assert Library([tmp_path]).summaries() == before
    assert cache.read_text() == whole


def test_a_deleted_cache_and_a_deleted_run_leave_nothing_behind(tmp_path: Path) -> None:
    for name in ("kept", "gone"):
        write(tmp_path, name, [loss(1.0), FINISHED])
    library = Library([tmp_path])
    before = library.summaries()
    (tmp_path / CACHE_NAME).unlink()
    assert Library([tmp_path]).summaries() == before
    for path in (tmp_path / "gone").iterdir():
        path.unlink()
    assert [summary.id for summary in Library([tmp_path]).summaries()] == ["kept"]
    assert "gone" not in (tmp_path / CACHE_NAME).read_text()


def test_a_run_that_goes_on_is_read_each_time_and_never_kept(tmp_path: Path) -> None:
    place = write(tmp_path, "one", [loss(1.0)])
    with hub_of(place):
        library = Library([tmp_path])
        assert [summary.lifecycle for summary in library.summaries()] == ["running"]
    assert not (tmp_path / CACHE_NAME).exists()
    assert [summary.lifecycle for summary in library.summaries()] == ["lost"]


def test_a_directory_that_cannot_be_written_is_listed_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, "one", [loss(1.0), FINISHED])
    (tmp_path / CACHE_NAME).mkdir()
    assert [summary.id for summary in Library([tmp_path]).summaries()] == ["one"]


# --- one summary


def test_a_summary_is_the_last_the_log_says(tmp_path: Path) -> None:
    place = write(tmp_path, "one", [loss(3.0, 5), loss(float("inf"), 6), Tick(9), LifecycleChanged("killed", "9: SIGKILL", 9)])
    summary = summarise(place)
    assert (summary.lifecycle, summary.reason, summary.step) == ("killed", "9: SIGKILL", 9)
    assert summary.metrics == {"loss": None}
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["metrics"] == {"loss": None}


def test_texts_of_a_summary_have_passed_the_sanitiser(tmp_path: Path) -> None:
    summary = summarise(write(tmp_path, "one", [LifecycleChanged("failed", "\x1b[2J\u202eno")], project="\x07p", host="h\x9b"))
    for text in (summary.reason, summary.project, summary.host):
        assert text.isprintable()


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for log, why in ((tmp_path / "one", "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(Unreadable, match=why):
            summarise(RunPlace("one", log))
    library = Library([tmp_path])
    assert library.summary(RunPlace("none", tmp_path / "none")) is None
    assert "No such file" in library.unreadable[0]


# --- a log without an ending


def state(place: RunPlace) -> str:
    return summarise(place).lifecycle


def test_while_its_hub_lives_the_log_has_the_last_word(tmp_path: Path) -> None:
    place = write(tmp_path, "one", [LifecycleChanged("paused")], age=1000)
    with hub_of(place):
        assert state(place) == "paused"
    assert state(place) == "lost"


def test_an_ending_in_the_log_stands_whoever_lives(tmp_path: Path) -> None:
    place = write(tmp_path, "one", [FINISHED])
    with hub_of(place):
        assert state(place) == "finished"


def test_the_training_s_own_goodbye_is_an_ending_where_no_hub_was_left_to_confirm_it(tmp_path: Path) -> None:
    summary = summarise(write(tmp_path, "one", [Ended("failed", 12, "KeyError", "'kv_cache'")]))
    assert (summary.lifecycle, summary.reason, summary.step) == ("failed", "KeyError: 'kv_cache'", 12)


def test_a_training_that_lives_is_not_lost_while_a_new_hub_may_be_on_its_way(tmp_path: Path, training: Callable[[], RunStarted]) -> None:
    run = training()
    about = {"boot_id": run.boot_id, "pid": run.pid, "pid_start": run.pid_start}
    assert state(write(tmp_path, "young", [], age=HUB_RETURNS_WITHIN / 2, **about)) == "running"
    assert state(write(tmp_path, "old", [], age=2 * HUB_RETURNS_WITHIN, **about)) == "unreachable"
    assert state(write(tmp_path, "reused", [], **{**about, "pid_start": run.pid_start - 1})) == "lost"


def test_a_process_number_is_not_a_process(training: Callable[[], RunStarted]) -> None:
    run = training()
    assert training_lives(run)
    another = {"pid_start": run.pid_start + 1, "boot_id": "another boot", "pid": 2**22}
    assert not any(training_lives(replace(run, **{name: value})) for name, value in another.items())  # type: ignore[arg-type]


def test_a_killed_training_that_nobody_has_collected_does_not_live() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert not training_lives(RunStarted("a", "a", "", 0.0, HERE, boot, process.pid, int(stat[19])))
    process.wait()


def test_of_another_host_s_run_only_its_silence_is_known(tmp_path: Path, training: Callable[[], RunStarted]) -> None:
    assert state(write(tmp_path, "near", [], age=SILENT_AFTER / 2, host="node17")) == "running"
    summary = summarise(write(tmp_path, "far", [], age=2 * SILENT_AFTER, host="node17"))
    assert (summary.lifecycle, summary.reason) == ("lost", "no ending was recorded, and node17 has written nothing for a while")


def test_of_a_run_of_another_boot_neither_its_process_nor_its_clock_is_trusted(tmp_path: Path, training: Callable[[], RunStarted]) -> None:
    """A process of its number and start time lives here; it is another one. A file that grows is written by some machine of this name."""
    run = training()
    about = {"boot_id": "another boot", "pid": run.pid, "pid_start": run.pid_start}
    assert state(write(tmp_path, "grows", [], age=SILENT_AFTER / 2, **about)) == "running"
    summary = summarise(write(tmp_path, "silent", [], age=2 * SILENT_AFTER, **about))
    assert (summary.lifecycle, summary.reason) == ("lost", "no ending was recorded, and the machine has been started anew since")
    place = write(tmp_path, "moved", [], age=2 * SILENT_AFTER, **about)
    with hub_of(place):  # a hub holds the lock here and now, whatever machine it began on
        assert state(place) == "running"
    assert summarise(write(tmp_path, "over", [FINISHED], age=2 * SILENT_AFTER, **about)).lifecycle == "finished"


def test_a_recording_written_to_in_the_future_is_of_now_and_no_length_of_time_is_negative(tmp_path: Path) -> None:
    """The wall clock went back by an hour, or the file's disk has another one."""
    place = write(tmp_path, "early", [FINISHED], age=-3600, wall_start=time.time() + 1800, boot_id="another boot")
    assert row_of(summarise(place), time.time()).when == "0 ms"
    place = write(tmp_path, "alive", [], age=-3600, wall_start=time.time() + 1800, boot_id="another boot")
    assert state(place) == "running"


def test_what_is_remembered_round_trips(tmp_path: Path) -> None:
    said = [loss(0.1, 3), Note("here", "ann", 3, 0.1, 9.0), VerdictGiven("good", "ann"), TagsChanged(("a",), (), "ann"), FINISHED]
    write(tmp_path, "one", said, project="p")
    first: list[RunSummary] = Library([tmp_path]).summaries()
    ((_, known),) = load_summaries(tmp_path / CACHE_NAME).values()
    assert known == first[0]
    assert (known.best, known.person_verdict, known.tags, known.note_count) == ((Best("loss", 0.1, 3, "down"),), "good", ("a",), 1)
