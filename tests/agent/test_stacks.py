"""A stack of this process's threads: files and lines of every thread but ours, never a value, within bounds, once an order."""

from __future__ import annotations

import linecache
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bedside.source_lines import OWN, lines_of
from bedside.stacks import Stacks, taken
from bedside_protocol.codec import encode_record
from bedside_protocol.messages import Order
from bedside_protocol.records import Body, CommandChanged, Record, StackTaken, ThreadStack
from bedside_protocol.stacks import MOST_CALLS


@contextmanager
def hanging(name: str, hang: Callable[[threading.Event, threading.Event], None]) -> Iterator[threading.Thread]:
    """A thread in `hang(there, let_go)`, until the end of the block."""
    there, let_go = threading.Event(), threading.Event()
    thread = threading.Thread(target=hang, args=(there, let_go), name=name, daemon=True)
    thread.start()
    assert there.wait(20)
    try:
        yield thread
    finally:
        let_go.set()
        thread.join(20)


def waits(there: threading.Event, let_go: threading.Event) -> None:
    password = "not to be seen"
    there.set()
    let_go.wait()  # where it hangs
    del password


def falls(there: threading.Event, let_go: threading.Event, depth: int = 300) -> None:
    if depth:
        falls(there, let_go, depth - 1)
    else:
        waits(there, let_go)


def named(threads: tuple[ThreadStack, ...], name: str) -> ThreadStack:
    return next(thread for thread in threads if thread.name == name)


def test_the_thread_that_trains_comes_first_with_the_line_it_hangs_at() -> None:
    with hanging("training", waits) as thread:
        assert thread.ident is not None
        threads = taken(thread.ident)
    assert threads[0].name == "training"
    here = next(frame for frame in threads[0].frames if frame.function == "waits")
    assert here.file.endswith("test_stacks.py")
    assert here.source == "let_go.wait()  # where it hangs"
    assert named(threads, "MainThread").frames


def test_no_value_of_a_variable_is_recorded() -> None:
    with hanging("training", waits) as thread:
        assert thread.ident is not None
        frame = encode_record(Record(0.0, StackTaken("", 0, taken(thread.ident))))
    assert b"not to be seen" not in frame


def test_our_own_threads_are_left_out() -> None:
    with hanging(f"{OWN}uplink", waits), hanging("loader", waits):
        names = [thread.name for thread in taken(threading.get_ident())]
    assert "loader" in names
    assert not any(name.startswith(OWN) for name in names)


def test_a_recursion_keeps_its_innermost_calls() -> None:
    with hanging("deep", falls) as thread:
        assert thread.ident is not None
        deep = taken(thread.ident)[0]
    assert len(deep.frames) == MOST_CALLS
    assert deep.left_out > 250
    assert "waits" in [frame.function for frame in deep.frames]


def test_a_thread_that_has_ended_leaves_the_main_thread_first() -> None:
    with hanging("training", waits) as thread:
        pass
    assert thread.ident is not None
    assert taken(thread.ident)[0].name == "MainThread"


def order(verb: str = "stack", name: str = "c1") -> Order:
    return Order(name, verb, "ada")  # type: ignore[arg-type]


def test_an_order_is_answered_at_once_and_once_and_others_are_not() -> None:
    said: list[Body] = []
    stacks = Stacks(said.append, lambda: 7)
    assert not stacks.answers(order("pause"))
    assert said == []
    assert stacks.answers(order())
    assert stacks.answers(order())
    accepted, stack, applied = said
    assert isinstance(stack, StackTaken)
    assert (stack.why, stack.step, stack.command, stack.trouble) == ("asked by ada", 7, "c1", "")
    assert [(body.state, body.step) for body in (accepted, applied) if isinstance(body, CommandChanged)] == [
        ("accepted", -1),
        ("applied", 7),
    ]


def test_another_rank_tells_where_it_is_and_leaves_the_command_to_the_first() -> None:
    said: list[Body] = []
    assert Stacks(said.append, lambda: 7, rank=1).answers(order())
    assert [type(body) for body in said] == [StackTaken]


def test_a_stack_that_cannot_be_read_fails_in_words() -> None:
    def nobody_knows() -> int:
        raise RuntimeError("no step")

    said: list[Body] = []
    assert Stacks(said.append, nobody_knows).answers(order())
    assert isinstance(said[-1], CommandChanged)
    assert (said[-1].state, said[-1].detail) == ("failed", "the stack could not be read: RuntimeError: no step")


def test_lines_are_read_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_text("first\nsecond\n")
    (tmp_path / "train.py").chmod(0o600)
    monkeypatch.setitem(linecache.cache, "<cell 3>", (4, None, ["in a notebook\n"], "<cell 3>"))
    whole = str(tmp_path / "train.py")
    found = lines_of(
        [(whole, 2), ("train.py", 1), (whole, 99), ("<string>", 1), (str(tmp_path), 1), ("a\0b", 1), ("<cell 3>", 1)], str(tmp_path)
    )
    assert found[whole, 2] == "second\n"
    assert found["train.py", 1] == "first\n"
    assert found["<cell 3>", 1] == "in a notebook\n"
    assert [found[place] for place in ((whole, 99), ("<string>", 1), (str(tmp_path), 1), ("a\0b", 1))] == [""] * 4


def test_a_file_that_is_never_read_to_its_end_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr("os.path.isfile", lambda path: let_go.wait() and False)
    found = lines_of([(str(tmp_path / "on a disk that hangs"), 1)])
    let_go.set()
    assert found == {}
