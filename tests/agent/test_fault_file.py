"""The file of a native fault: written as the process dies, gone where nothing happened, and never in anybody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bedside_protocol.stacks import read_fault

SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol"))
BEGIN = """
import ctypes, faulthandler, os, resource, signal, sys, weakref
from pathlib import Path
from bedside.fault_file import FaultFile
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def crash():
    ctypes.string_at(0)

"""
OPEN = """
fault = FaultFile(Path.cwd())
"""


def left(directory: Path, *parts: str, flags: tuple[str, ...] = ()) -> tuple[int, str, list[str]]:
    """Exit code and stderr of a script in `directory`, and the texts of the fault files there."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", "\n".join(map(textwrap.dedent, parts))],
        env={**os.environ, "PYTHONPATH": SOURCES},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr, [path.read_text() for path in directory.glob("fault-*.txt")]


@pytest.mark.parametrize(
    ("ending", "number", "title"),
    [("crash()", signal.SIGSEGV, "Segmentation fault"), ("os.abort()", signal.SIGABRT, "Aborted")],
)
def test_a_fault_leaves_its_stack_in_the_file_and_its_exit_status_and_stderr_alone(
    tmp_path: Path, ending: str, number: int, title: str
) -> None:
    code, err, files = left(tmp_path, BEGIN, OPEN, ending)
    assert (code, err) == (-number, "")
    fault = read_fault(files[0])
    assert fault.title == title
    assert fault.threads[0].calls[-1].function == "<module>"


@pytest.mark.parametrize("enabled", ["faulthandler.enable()", ""])
def test_a_script_that_looks_after_its_faults_itself_keeps_that(tmp_path: Path, enabled: str) -> None:
    code, err, files = left(tmp_path, BEGIN, enabled, OPEN, "crash()", flags=() if enabled else ("-X", "faulthandler"))
    assert (code, files) == (-signal.SIGSEGV, [])
    assert err.count("Fatal Python error: Segmentation fault") == 1


def test_one_that_begins_to_later_takes_over_and_keeps_it_to_the_end(tmp_path: Path) -> None:
    code, err, files = left(tmp_path, BEGIN, OPEN, "faulthandler.enable(); fault.close(); assert faulthandler.is_enabled()", "crash()")
    assert (code, files) == (-signal.SIGSEGV, [])
    assert err.count("Fatal Python error: Segmentation fault") == 1


def test_a_signal_that_somebody_catches_is_left_to_them(tmp_path: Path) -> None:
    handler = "signal.signal(signal.SIGBUS, lambda *_: None)"
    code, err, files = left(tmp_path, BEGIN, handler, OPEN, "assert not fault.is_open; assert not faulthandler.is_enabled()")
    assert (code, err, files) == (0, "", [])


def test_a_run_without_a_fault_leaves_no_file_and_no_handler(tmp_path: Path) -> None:
    code, err, files = left(
        tmp_path, BEGIN, OPEN, "assert fault.is_open; fault.close(); fault.close(); assert not faulthandler.is_enabled()"
    )
    assert (code, err, files) == (0, "", [])


def test_a_fork_that_crashes_writes_nothing_into_its_parents_file(tmp_path: Path) -> None:
    fork = """
    if (child := os.fork()) == 0:
        fault.forget()
        crash()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGSEGV
    assert fault.is_open
    """
    code, err, files = left(tmp_path, BEGIN, OPEN, fork)
    assert (code, err, files) == (0, "", [""])


def test_a_directory_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    code, err, _ = left(tmp_path, BEGIN, "fault = FaultFile(Path('/nowhere')); assert not fault.is_open; fault.close()")
    assert (code, err) == (0, "")
