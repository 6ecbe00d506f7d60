"""Watching real processes live, stop and end, in each way a kernel may offer."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from bedside.hub.process import WatchedProcess, Way
from bedside.origin import process_start

WAYS: list[Way] = ["info", "pidfd", "stat"]
Start = Callable[[str], "subprocess.Popen[bytes]"]
ENDINGS = [
    ("sys.exit(0)", None, 0),
    ("sys.exit(3)", None, 3),
    ("os._exit(255)", None, 255),
    ("sys.stdin.read()", signal.SIGKILL, -9),
    ("sys.stdin.read()", signal.SIGTERM, -15),
    ("os.abort()", None, -6),
]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python processes that say when they stand, and goes on with them when told; all are ended afterwards."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(code: str) -> subprocess.Popen[bytes]:
        script = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.write(1, b'.'); os.read(0, 1); {code}"
        child = subprocess.Popen([sys.executable, "-S", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(child)
        assert child.stdout is not None
        assert child.stdout.read(1) == b"."
        return child

    yield begin
    for child in running:
        child.kill()
        child.communicate()


def go_on(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b".")
    child.stdin.flush()


def wait_ended(child: subprocess.Popen[bytes]) -> None:
    """Until it has ended, without collecting it: it stays a zombie."""
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)  # the lowest
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def watched(child: subprocess.Popen[bytes], way: Way) -> WatchedProcess:
    return WatchedProcess(child.pid, process_start(child.pid), way)


@pytest.mark.parametrize("way", WAYS)
def test_a_process_is_alive_stopped_and_alive_again(start: Start, way: Way) -> None:
    child = start("pass")
    process = watched(child, way)
    assert (process.state(), process.exit_code()) == ("alive", None)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert (process.state(), process.exit_code()) == ("stopped", None)
    child.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, child.pid, os.WCONTINUED | os.WNOWAIT)
    assert process.state() == "alive"
    assert str(child.pid) in repr(process)
    process.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("ending", "number", "code"), ENDINGS, ids=[f"{code}" for _, _, code in ENDINGS])
def test_a_zombie_has_ended_and_tells_how(start: Start, way: Way, ending: str, number: int | None, code: int) -> None:
    child = start(ending)
    process = watched(child, way)
    go_on(child)
    if number is not None:
        child.send_signal(number)
    wait_ended(child)
    assert (process.state(), process.exit_code()) == ("exited", code)
    child.wait()
    assert (process.state(), process.exit_code()) == ("exited", code)
    process.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("ending", "number", "code"), ENDINGS, ids=[f"{code}" for _, _, code in ENDINGS])
def test_a_process_collected_before_anyone_looked_has_ended(start: Start, way: Way, ending: str, number: int | None, code: int) -> None:
    child = start(ending)
    process = watched(child, way)
    go_on(child)
    if number is not None:
        child.send_signal(number)
    child.wait()
    assert process.state() == "exited"
    told = process.exit_code()
    process.close()
    if way != "info":
        assert told is None
    elif told is None:
        pytest.skip("this kernel tells no exit status of a process that was collected (before Linux 6.15)")
    else:
        assert told == code


@pytest.mark.parametrize("way", ["info", "pidfd"])
def test_the_handle_itself_tells_the_end(start: Start, way: Way) -> None:
    child = start("pass")
    process = watched(child, way)
    if process.fd < 0:
        pytest.skip("no pidfd here")
    assert select.select([process.fd], [], [], 0)[0] == []
    go_on(child)
    assert select.select([process.fd], [], [], 20)[0] == [process.fd]
    assert process.state() == "exited"
    process.close()
    process.close()
    assert process.fd == -1


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_cannot_be_asked_about_is_what_it_was_and_not_dead(start: Start, way: Way) -> None:
    child = start("pass")
    process = watched(child, way)
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert process.state() == "stopped"
    with no_descriptor_left():
        assert (process.state(), process.exit_code()) == ("stopped", None)
    child.kill()
    wait_ended(child)
    assert (process.state(), process.exit_code()) == ("exited", -9)
    process.close()


@pytest.mark.parametrize("way", WAYS)
def test_another_process_with_the_same_number_is_never_taken_for_it(start: Start, way: Way) -> None:
    child = start("sys.exit(3)")
    process = WatchedProcess(child.pid, process_start(child.pid) - 1, way)
    assert (process.state(), process.exit_code()) == ("exited", None)
    go_on(child)
    wait_ended(child)
    assert (process.state(), process.exit_code()) == ("exited", None)
    child.wait()
    assert (process.state(), process.exit_code()) == ("exited", None)


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_was_never_there_has_ended(way: Way) -> None:
    process = WatchedProcess(2**22 + 1, 12345, way)
    assert (process.state(), process.exit_code()) == ("exited", None)


@pytest.mark.parametrize("way", WAYS)
def test_without_a_start_time_the_number_must_do(start: Start, way: Way) -> None:
    child = start("sys.exit(3)")
    process = WatchedProcess(child.pid, 0, way)
    assert process.state() == "alive"
    go_on(child)
    wait_ended(child)
    assert (process.state(), process.exit_code()) == ("exited", 3)
    process.close()
