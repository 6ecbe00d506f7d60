"""How a run gets its ending from an interpreter that leaves, which leaves exactly as it would have without us."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SOURCES = os.pathsep.join(str(Path(__file__).parents[2] / folder) for folder in ("agent", "protocol"))
BEGIN = """
import atexit, os, sys, threading, time
from pathlib import Path
from bedside.checkpoint import Checkpoints
from bedside.control import Control
from bedside.farewell import see_off
from bedside.notice import Problems
from bedside.run import Run
from bedside.send_queue import SendQueue
from bedside_protocol.records import Ended, RunStarted

queue = SendQueue(print)
control = Control(lambda body: None, Checkpoints(Path()), lambda: 0.0, lambda name: False, lambda name, every: None)
run = Run(RunStarted("id", "name", "", 0.0), time.monotonic(), "", queue, control, Problems())

def goodbyes():
    said = [record.body for record in queue.drain() if isinstance(record.body, Ended)]
    print(*[f"{body.outcome}:{body.exception}:{body.message}" for body in said] or ["nothing"], sep="|", flush=True)

atexit.register(goodbyes)
atexit.register(lambda: print("registered before", flush=True))
"""
SEEN = """
see_off(run)
atexit.register(lambda: print("registered after", flush=True))
"""
HOOK = """
def hook(kind, error, trace):
    print("the script's own hook:", kind.__name__, flush=True)
sys.excepthook = hook
"""
ORDER = ["registered after", "registered before"]


def left(*parts: str) -> tuple[int, list[str], str]:
    """Exit code, lines of output and stderr of a script."""
    script = "\n".join(map(textwrap.dedent, parts))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("ending", "code", "goodbye"),
    [
        ("pass", 0, "exited::"),
        ("sys.exit(0)", 0, "exited::"),
        ("sys.exit(3)", 3, "exited::"),
        ("sys.exit('in words')", 1, "exited::"),
        ("raise KeyError('kv_cache')", 1, "failed:KeyError:'kv_cache'"),
        ("raise KeyboardInterrupt", -2, "stopped::interrupted (Ctrl-C)"),
        ("run.finish(); sys.exit(4)", 4, "finished::"),
        ("run.finish(ValueError('mine'))", 0, "failed:ValueError:mine"),
        ("control.stopping = True", 0, "stopped::asked to stop"),
    ],
)
def test_each_ending_is_told_once_and_its_exit_code_stays(ending: str, code: int, goodbye: str) -> None:
    returned, said, _ = left(BEGIN, SEEN, ending)
    assert (returned, said) == (code, [*ORDER, goodbye])


def test_an_exception_is_shown_as_without_us() -> None:
    code, _, err = left(BEGIN, SEEN, "raise KeyError('kv_cache')")
    assert code == 1
    assert err.splitlines()[0] == "Traceback (most recent call last):"
    assert err.splitlines()[-1] == "KeyError: 'kv_cache'"


def test_a_hook_that_was_there_before_still_runs() -> None:
    code, said, err = left(BEGIN, HOOK, SEEN, "raise KeyError('x')")
    assert (code, said, err) == (1, ["the script's own hook: KeyError", *ORDER, "failed:KeyError:'x'"], "")


def test_a_hook_that_comes_later_has_the_last_word_and_the_ending_is_told_without_its_cause() -> None:
    code, said, err = left(BEGIN, SEEN, HOOK, "raise KeyError('x')")
    assert (code, said, err) == (1, ["the script's own hook: KeyError", *ORDER, "exited::"], "")


def test_a_hook_that_fails_itself_does_not_hide_the_ending() -> None:
    code, said, _ = left(BEGIN, "sys.excepthook = lambda *_: 1 / 0", SEEN, "raise KeyError('x')")
    assert (code, said) == (1, [*ORDER, "failed:KeyError:'x'"])


def test_a_thread_that_dies_does_not_end_the_run() -> None:
    code, said, err = left(BEGIN, SEEN, "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()")
    assert (code, said) == (0, [*ORDER, "exited::"])
    assert "ZeroDivisionError" in err


def test_a_forked_worker_says_no_goodbye_for_its_parent() -> None:
    fork = """
    if (child := os.fork()) == 0:
        queue.drain()
        run.log({"loss": 1.0})
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    """
    code, said, err = left(BEGIN, SEEN, fork)
    assert (code, said) == (0, [*ORDER, "nothing", *ORDER, "exited::"])
    assert err == "bedside: log in a forked worker process is not recorded\n"


def test_two_runs_are_both_seen_off_and_the_hooks_are_set_once() -> None:
    again = """
    before = sys.excepthook
    see_off(run)
    assert sys.excepthook is before
    """
    assert left(BEGIN, SEEN, again)[:2] == (0, [*ORDER, "exited::"])


def test_a_process_that_leaves_at_once_says_nothing() -> None:
    assert left(BEGIN, SEEN, "os._exit(7)")[:2] == (7, [])
