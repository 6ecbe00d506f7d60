"""Stacks as values: what a path is called, what one record holds, and what is read of the text that a native fault leaves."""

from __future__ import annotations

import pytest

from bedside_protocol.codec import decode_record, encode_record
from bedside_protocol.messages import Order
from bedside_protocol.records import Record, StackFrame, StackTaken, ThreadStack
from bedside_protocol.stacks import (
    MOST_CALLS,
    MOST_FRAMES,
    MOST_THREADS,
    Call,
    asked_for,
    bounded,
    frame,
    is_library,
    own_call,
    read_fault,
    said_of,
    short_path,
)


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/home/ada/vq/train.py", "train.py"),
        ("/home/ada/vq/model/layers.py", "model/layers.py"),
        ("/home/ada/vq/venv/lib/python3.12/site-packages/torch/nn/functional.py", "site-packages/torch/nn/functional.py"),
        ("/usr/lib/python3/dist-packages/numpy/core.py", "dist-packages/numpy/core.py"),
        ("/usr/lib/python3.12/threading.py", "python3.12/threading.py"),
        ("/home/ada/vq2/other/train.py", "…/other/train.py"),
        ("/train.py", "/train.py"),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
        ("", ""),
    ],
)
def test_a_path_is_said_as_short_as_it_is_still_known_by(path: str, short: str) -> None:
    assert short_path(path, "/home/ada/vq") == short


def test_a_call_keeps_no_secret_of_its_line() -> None:
    said = frame(Call("/home/ada/train.py", 7, "main"), '    login("hf_abcdefghijklmnopqrstuvwxyz")\n', "/home/ada")
    assert said == StackFrame("train.py", 7, "main", 'login("[redacted]")')


LIBRARY = StackFrame("python3.12/threading.py", 982, "run")
OWN = StackFrame("train.py", 42, "step", "lock.acquire()")


def test_where_a_run_hangs_is_the_innermost_call_in_its_own_files() -> None:
    assert [is_library(each) for each in (LIBRARY, OWN, StackFrame("site-packages/torch/x.py", 1, "f"))] == [True, False, True]
    assert own_call([ThreadStack("MainThread", (LIBRARY, OWN)), ThreadStack("loader", (LIBRARY,))]) == OWN
    assert own_call([ThreadStack("MainThread", (LIBRARY,))]) == LIBRARY
    assert own_call([ThreadStack("the first thread")]) is None
    assert own_call([]) is None
    assert said_of(OWN) == "train.py:42 in step  lock.acquire()"
    assert said_of(LIBRARY) == "python3.12/threading.py:982 in run"


def test_the_largest_stack_is_one_record_and_what_is_left_out_is_counted() -> None:
    calls = tuple(frame(Call("/" + "é" * 500, 10**6, "f" * 500), "x" * 5000, "") for _ in range(300))
    threads = bounded(ThreadStack("n" * 500, calls, "waits", 5) for _ in range(90))
    assert len(threads) == MOST_THREADS
    assert sum(len(thread.frames) for thread in threads) == MOST_FRAMES
    assert (len(threads[0].frames), threads[0].left_out) == (MOST_CALLS, 300 - MOST_CALLS + 5)
    assert (len(threads[-1].frames), threads[-1].left_out) == (0, 305)
    taken = Record(1.0, StackTaken("asked by ada", 3, threads, command="c1"))
    assert decode_record(encode_record(taken)) == taken


def test_an_order_says_what_its_stack_is_taken_for() -> None:
    assert asked_for(Order("c1", "stack", "ada")) == "asked by ada"
    assert asked_for(Order("c1", "stack", "the hub", {"why": "stalled: no step for 62 s"})) == "stalled: no step for 62 s"


FAULT = """Fatal Python error: Segmentation fault

Thread 0x00007f5c2bfff6c0 (most recent call first):
  File "/home/ada/vq/loader.py", line 6 in fetch
  File "/usr/lib/python3.11/threading.py", line 982 in run

Thread 0x00007f5c30bff6c0 (most recent call first):
  File "/home/ada/venv/lib/python3.11/site-packages/bedside/uplink.py", line 133 in _serve
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f5c3a1b2740 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/ada/vq/train.py", line 12 in <module>

Extension modules: numpy.core._multiarray_umath (total: 1)
"""
LATER = """Fatal Python error: Aborted

Current thread 0x00007f5c3a1b2740 [python3] (most recent call first):
  Garbage-collecting
  File "/home/ada/vq/train.py", line ??? in step
  ...

Current thread's C stack trace (most recent call first):
  Binary file "/lib/x86_64-linux-gnu/libc.so.6", at abort+0x12 [0x7f]
  <truncated rest of calls>
"""


def test_a_fault_tells_what_it_was_and_where_the_threads_were_the_one_that_crashed_first() -> None:
    title, threads = read_fault(FAULT)
    assert title == "Segmentation fault"
    assert [(thread.name, thread.crashed) for thread in threads] == [("the thread that crashed", True), ("thread 1", False)]
    assert threads[0].calls == [
        Call("/usr/lib/python3.11/ctypes/__init__.py", 519, "string_at"),
        Call("/home/ada/vq/train.py", 12, "<module>"),
    ]


def test_a_fault_as_a_later_python_writes_it_is_read_too() -> None:
    title, threads = read_fault(LATER)
    assert title == "Aborted"
    assert [(thread.name, thread.calls) for thread in threads] == [("python3", [Call("/home/ada/vq/train.py", 0, "step")])]


def test_a_fault_cut_anywhere_is_read_as_far_as_it_goes() -> None:
    whole = {call for thread in read_fault(FAULT).threads for call in thread.calls}
    for place in range(len(FAULT)):
        cut = FAULT[:place].rpartition("\n")[2]
        for thread in read_fault(FAULT[:place]).threads:
            assert {call for call in thread.calls if not (cut and call == thread.calls[-1])} <= whole


@pytest.mark.parametrize("text", ["", "\x00" * 100, '  File "x", line 1 in f\n', "Thread 0xzz (most recent call first):\n"])
def test_what_says_nothing_of_a_fault_is_none(text: str) -> None:
    assert read_fault(text) == ("", ())
