"""What waits for the uplink: bounded, in order, and counted whatever is thrown at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from bedside.send_queue import DRAIN, MAX_CELLS, MAX_DISTINCT, MAX_NAMES, SendQueue
from bedside.tensors import MAX_NAME
from bedside_protocol.codec import MAX_RECORD, encode_record
from bedside_protocol.records import Array, Event, Metrics, Record, Snapshot


def everything(queue: SendQueue) -> list[Record]:
    records: list[Record] = []
    while len(queue):
        records += queue.drain()
    return records


def steps(records: list[Record]) -> list[int]:
    return [step for record in records if isinstance(record.body, Metrics) for step in record.body.steps.tolist()]


def names(records: list[Record]) -> list[str]:
    return [name for record in records if isinstance(record.body, Metrics) for name in record.body.names]


def snapshot(size: int, probe: str = "p") -> Snapshot:
    return Snapshot(probe, "k", 1, {}, {"x": Array("matrix", np.zeros(size, np.uint8))})


def test_rows_of_the_same_names_become_one_block_and_anything_else_keeps_its_place(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.1, 1, {"a": 1.0, "b": 2.0})
    queue.append_row(0.2, 2, {"b": 4.0, "a": 3.0})
    queue.append(0.3, Event("mark", 2))
    queue.append_row(0.4, 3, {"a": 5.0})
    first, mark, last = everything(queue)
    assert first == Record(0.2, Metrics(("a", "b"), np.array([1, 2]), np.array([0.1, 0.2]), np.array([[1.0, 3.0], [2.0, 4.0]])))
    assert mark == Record(0.3, Event("mark", 2))
    assert last.body == Metrics(("a",), np.array([3]), np.array([0.4]), np.array([[5.0]]))


def test_a_burst_drops_the_oldest_and_counts_it(bad: Any) -> None:
    queue = SendQueue(bad, rows=100)
    for step in range(250):
        queue.append_row(0.0, step, {"a": 1.0})
    assert (len(queue), queue.dropped) == (100, 150)
    assert steps(everything(queue)) == list(range(150, 250))
    assert queue.dropped == 150
    queue.append_row(0.0, 7, {"a": 1.0})
    assert queue.dropped == 150
    assert repr(queue) == "<SendQueue 1/100 waiting, 150 dropped>"


def test_one_drain_takes_no_more_than_it_is_asked(bad: Any) -> None:
    queue = SendQueue(bad)
    for step in range(DRAIN + 1):
        queue.append_row(0.0, step, {"a": 1.0})
    assert len(steps(queue.drain())) == DRAIN
    assert steps(queue.drain()) == [DRAIN]
    assert queue.drain() == []


def test_four_threads_keep_each_their_order_mix_nothing_and_lose_nothing_uncounted(
    bad: Any, together: Callable[[int, Callable[[int], None]], None]
) -> None:
    queue = SendQueue(bad, rows=500)
    each = 5000
    taken: list[Record] = []

    def work(thread: int) -> None:
        if thread == 4:
            while sum(record.body.steps.size for record in taken if isinstance(record.body, Metrics)) + queue.dropped < 4 * each:
                taken.extend(queue.drain())
            return
        for number in range(each):
            queue.append_row(0.0, number, {"thread": float(thread), "number": float(number)})

    together(5, work)
    taken += everything(queue)
    columns = [(record.body.steps.tolist(), *record.body.values.tolist()) for record in taken if isinstance(record.body, Metrics)]
    rows = [row for block in columns for row in zip(*block, strict=True)]
    assert all(step == number for step, _, number in rows)
    for thread in range(4):
        numbers = [step for step, whose, _ in rows if whose == thread]
        assert numbers == sorted(set(numbers))
    assert len(rows) + queue.dropped == 4 * each


def test_the_count_of_many_threads_is_exact_once_they_rest(bad: Any, together: Callable[[int, Callable[[int], None]], None]) -> None:
    def append(queue: SendQueue, thread: int) -> None:
        for _ in range(100):
            queue.append_row(0.0, thread, {"a": 0.0})

    for _ in range(20):
        queue = SendQueue(bad, rows=10)
        together(4, partial(append, queue))
        assert (len(queue), queue.dropped, queue.dropped) == (10, 390, 390)


# --- snapshots


def test_snapshots_are_bounded_in_bytes_and_room_returns_when_they_leave(bad: Any) -> None:
    queue = SendQueue(bad, snapshot_bytes=10_000)
    for _ in range(5):
        queue.append(0.0, snapshot(3000))
    assert (len(queue), queue.dropped) == (3, 2)
    queue.drain()
    for _ in range(3):
        queue.append(0.0, snapshot(3000))
    assert (len(queue), queue.dropped) == (3, 2)


def test_snapshots_pushed_out_by_rows_give_their_room_back(bad: Any) -> None:
    queue = SendQueue(bad, rows=20, snapshot_bytes=10_000)
    for _ in range(50):
        for _ in range(3):
            queue.append(0.0, snapshot(3000))
        for step in range(20):
            queue.append_row(0.0, step, {"a": 0.0})
        everything(queue)
    queue.append(0.0, snapshot(3000))
    assert [type(record.body) for record in everything(queue)] == [Snapshot]
    assert queue.dropped == 150


def test_labels_and_texts_count_as_bytes_too(bad: Any) -> None:
    queue = SendQueue(bad, snapshot_bytes=5000)
    queue.append(0.0, Snapshot("p", "k", 1, {}, texts={"none": ("w" * 6000,)}))
    queue.append(0.0, Snapshot("p", "k", 1, {}, {"x": Array("histogram", np.zeros(2), ("l" * 6000, "m"))}))
    assert (len(queue), queue.dropped) == (0, 2)


# --- names and steps


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (None, "a name of type NoneType names no metric: names are text, not empty"),
        (7, "a name of type int names no metric: names are text, not empty"),
        (b"loss", "a name of type bytes names no metric: names are text, not empty"),
        ("", "'' names no metric: names are text, not empty"),
    ],
)
def test_what_is_no_name_is_said_and_the_rest_of_the_row_kept(bad: Any, name: Any, sentence: str) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {name: 1.0, "loss": 2.0})
    assert names(everything(queue)) == ["loss"]
    assert bad == [sentence]


def test_text_of_numpys_own_kind_is_a_name(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {np.str_("loss"): 1.0})
    (record,) = everything(queue)
    assert (names([record]), bad) == (["loss"], [])
    assert encode_record(record)


@pytest.mark.parametrize(
    "name",
    ["acc[top5]", "[/x]", "[@click=app.quit]x", "\x1b]52;c;aGk=\x07", "a\0b\n", "\u202ex", "e" + "\u0301" * 500, "\ud800", "None"],
    ids=ascii,
)
def test_a_name_of_any_text_is_kept_as_it_is_so_far_as_it_can_be_written(bad: Any, name: str) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {name: 1.0})
    (record,) = everything(queue)
    assert names([record]) == [name[:MAX_NAME].encode("utf-8", "backslashreplace").decode()]
    assert encode_record(record)
    assert bad == []


def test_a_name_of_10_mb_is_cut_and_one_that_looks_the_same_then_is_said(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {"x" * 10_000_000: 1.0, "x" * 9_000_000: 2.0, "\ud800": 3.0, "\\ud800": 4.0})
    (record,) = everything(queue)
    assert names([record]) == ["x" * MAX_NAME, "\\ud800"]
    assert isinstance(record.body, Metrics)
    assert record.body.values.tolist() == [[1.0], [3.0]]
    assert len(bad) == 2
    assert all("is the same as another name in its first 200 characters" in sentence and len(sentence) < 200 for sentence in bad)


def test_names_that_differ_only_by_how_an_accent_is_written_are_two_metrics(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {"\u00e9": 1.0, "e\u0301": 2.0})
    assert names(everything(queue)) == ["\u00e9", "e\u0301"]


def test_a_hundred_thousand_names_cost_only_themselves(bad: Any) -> None:
    queue = SendQueue(bad, rows=200_000)
    for number in range(100_000):
        queue.append_row(0.0, 1, {f"loss/{number}": 1.0})
    queue.append_row(0.0, 2, {"loss/0": 2.0})
    kept = names(everything(queue))
    assert kept == [*(f"loss/{number}" for number in range(MAX_DISTINCT)), "loss/0"]
    assert set(bad) == {f"more than {MAX_DISTINCT:,} different metric names: further ones are not recorded (is a step or an id in a name?)"}


def test_a_row_of_too_many_metrics_is_recorded_as_far_as_said(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {f"m{number}": float(number) for number in range(MAX_NAMES + 10)})
    records = everything(queue)
    assert names(records) == [f"m{number}" for number in range(MAX_NAMES)]
    assert bad == ["a log of 5,010 metrics at once: only the first 5,000 are recorded"]


def test_no_block_is_larger_than_a_record_may_be(bad: Any) -> None:
    queue = SendQueue(bad)
    row = {"\U0001f600" * 195 + f"{number:05}": float(number) + 0.1 for number in range(MAX_NAMES)}
    for step in range(DRAIN):
        queue.append_row(step / 7, step, row)
    records = everything(queue)
    assert all(len(encode_record(record)) <= MAX_RECORD for record in records)
    assert sum(record.body.values.size for record in records if isinstance(record.body, Metrics)) == MAX_CELLS // MAX_NAMES * MAX_NAMES


@pytest.mark.parametrize("step", [2**62, -(2**62), 2**63, 10**30])
def test_a_step_beyond_all_steps_is_said_and_its_neighbours_are_kept(bad: Any, step: int) -> None:
    queue = SendQueue(bad)
    for each in (1, step, 2):
        queue.append_row(0.0, each, {"a": 1.0})
    assert steps(everything(queue)) == [1, 2]
    assert len(bad) == 1
    assert "a step is a" in bad[0]


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -1.0])
def test_a_strange_time_harms_nothing(bad: Any, time: float) -> None:
    queue = SendQueue(bad)
    queue.append_row(time, 1, {"a": 1.0})
    (record,) = everything(queue)
    assert encode_record(record)


def test_a_row_of_nothing_is_nothing(bad: Any) -> None:
    queue = SendQueue(bad)
    queue.append_row(0.0, 1, {})
    assert everything(queue) == []


def test_one_wide_row_pushes_out_no_narrow_ones(bad: Any) -> None:
    queue = SendQueue(bad)
    for step in range(1000):
        queue.append_row(0.0, step, {"loss": 1.0})
    queue.append_row(0.0, 1000, {f"metric-{number}": 1.0 for number in range(5000)})
    assert (len(queue), queue.dropped) == (1001, 0)


def test_wide_rows_leave_room_for_fewer_so_that_memory_stays_bounded(bad: Any) -> None:
    queue = SendQueue(bad)
    wide = {f"metric-{number}": 1.0 for number in range(1000)}
    for step in range(500):
        queue.append_row(0.0, step, dict(wide))
    room = MAX_CELLS // 1000
    assert len(queue) == room
    assert queue.dropped == 500 - room
    assert sorted(set(steps(everything(queue)))) == list(range(500 - room, 500))
