"""What may be logged, what may not, and values that are still on a device."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bedside.tensors import MAX_HELD, BadValue, DeviceReader, PinnedCopy, is_deferred, read, read_row


class Raises:
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("never")


class RaisesEverywhere:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (True, 1.0), (-0.0, -0.0), (5e-324, 5e-324), (1e308, 1e308), (2**64, 2.0**64), (-(2**63) - 1, -(2.0**63)),
        (10**400, math.inf), (-(10**400), -math.inf), (float("nan"), math.nan), (math.inf, math.inf), (-math.inf, -math.inf),
        (np.float32(0.5), 0.5), (np.float64(2.5), 2.5), (np.float16(0.5), 0.5), (np.int64(-3), -3.0), (np.uint64(2**64 - 1), 2.0**64),
        (np.bool_(True), 1.0), (np.array(1.5), 1.5), (np.array([[1.5]]), 1.5),
        (torch.tensor(1.5), 1.5), (torch.tensor([2.5]), 2.5), (torch.tensor([[[3]]]), 3.0), (torch.tensor(True), 1.0),
        (torch.tensor(1.5, requires_grad=True), 1.5), (torch.tensor(1.5, dtype=torch.bfloat16), 1.5),
        (torch.tensor(float("nan")), math.nan),
        (torch.tensor(1.5, requires_grad=True) * 2, 3.0), (torch.nn.Parameter(torch.tensor(0.25)), 0.25),
        (Decimal("1.5"), 1.5), (Decimal("-1e400"), -math.inf), (Fraction(1, 4), 0.25), (Fraction(-(10**400)), -math.inf),
        (Fraction(10**400), math.inf),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}"[:40],
)  # fmt: skip
def test_a_number_of_any_kind_is_its_value(value: Any, number: float) -> None:
    got = read("x", value)
    assert type(got) is float
    assert got == number or (math.isnan(got) and math.isnan(number))
    assert math.copysign(1.0, got) == math.copysign(1.0, number) or math.isnan(got)


BAD = [
    None, "1.5", b"1.5", "nan", 1j, np.complex64(1j), np.complex128(1), torch.tensor(1j), [1.0], (1.0,), {1.0}, {"a": 1.0}, RECURSIVE,
    object(), Raises(), RaisesEverywhere(), Decimal("sNaN"), np.array([1.0, 2.0]), np.array([]), np.array("text"), np.array(None),
    torch.zeros(2, 3), torch.zeros(0), torch.zeros(1, device="meta"), torch.zeros((), device="meta"), float, math.sin, ...,
]  # fmt: skip


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_refused_in_one_sentence_and_costs_only_itself(bad: Any, value: Any) -> None:
    row, later = read_row({"loss": 1.0, "odd": value, "lr": 2}, bad)
    assert (row, later) == ({"loss": 1.0, "lr": 2.0}, {})
    (sentence,) = bad
    assert sentence.startswith("'odd': ")
    assert "\n" not in sentence
    assert len(sentence) < 200


def test_the_sentence_says_what_to_do_about_a_whole_tensor() -> None:
    with pytest.raises(BadValue, match=r"'loss': a value of shape \(2, 3\) is not one number; log its mean, or another summary"):
        read("loss", torch.zeros(2, 3))


def test_a_name_of_any_kind_is_told_shortly() -> None:
    with pytest.raises(BadValue, match=r"^'x{60}…': str is not a number$"):
        read("x" * 10_000_000, "text")
    with pytest.raises(BadValue, match=r"^a name of type int: str is not a number$"):
        read(7, "text")


@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.decimals(allow_nan=False), st.fractions()))
def test_every_number_python_has_is_read(value: Any) -> None:
    assert type(read("x", value)) is float


def test_reading_a_tensor_keeps_neither_it_nor_its_graph() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    loss = weight * 3
    before = sys.getrefcount(loss)
    row, _ = read_row({"loss": loss}, print)
    assert sys.getrefcount(loss) == before
    loss.detach().zero_()
    assert row == {"loss": 6.0}


# --- values on a device


class Device:
    type = "accelerator"


class FarValue:
    """A number on a device that is nowhere near: it cannot be read, only copied."""

    device = Device()

    def __init__(self, value: float, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> None:
        self.far = value
        self.shape = shape
        self.dtype = dtype

    def detach(self) -> FarValue:
        return self

    def item(self) -> float:
        raise AssertionError("this would wait for the device")

    __float__ = item


class FarCopies:
    """Copies whose arrival the test decides."""

    def __init__(self) -> None:
        self.made: list[FarCopies.One] = []
        self.broken = False

    class One:
        def __init__(self, values: list[float]) -> None:
            self.content = values
            self.there = False
            self.broken = False
            self.waited = False

        def arrived(self) -> bool:
            if self.broken:
                raise RuntimeError("device lost")
            return self.there

        def values(self) -> list[float]:
            if self.broken:
                raise RuntimeError("device lost")
            self.waited = self.waited or not self.there
            return self.content

    def __call__(self, tensors: Sequence[Any]) -> One:
        if self.broken:
            raise RuntimeError("out of memory")
        self.made.append(self.One([tensor.far for tensor in tensors]))
        return self.made[-1]


class Bench:
    """A reader, its copies, and the rows it gave."""

    def __init__(self, bad: Any) -> None:
        self.rows: list[tuple[float, int, dict[str, float]]] = []
        self.copies = FarCopies()
        self.bad = bad
        self.reader = DeviceReader(lambda time, step, row: self.rows.append((time, step, row)), bad, self.copies)

    def log(self, step: int, **values: Any) -> None:
        row, later = read_row(values, self.bad)
        self.reader.hold(step / 10, step, row, later)

    @property
    def steps(self) -> list[int]:
        return [step for _, step, _ in self.rows]


@pytest.fixture
def bench(bad: Any) -> Bench:
    return Bench(bad)


def test_only_what_would_wait_for_a_device_is_put_off() -> None:
    assert is_deferred(FarValue(1.0))
    assert not any(map(is_deferred, [1.0, torch.tensor(1.0), torch.zeros((), device="meta"), np.float32(1), None, "cuda"]))


def test_a_row_is_given_whole_with_its_names_in_order_once_its_copy_arrived(bench: Bench) -> None:
    bench.log(1, loss=FarValue(0.5), lr=0.1, grad=FarValue(2.0))
    bench.reader.boundary()
    bench.reader.boundary()
    assert bench.rows == []
    bench.copies.made[0].there = True
    bench.reader.boundary()
    assert bench.rows == [(0.1, 1, {"lr": 0.1, "loss": 0.5, "grad": 2.0})]
    assert not bench.reader
    assert not bench.copies.made[0].waited


def test_a_steps_values_travel_in_one_copy(bench: Bench) -> None:
    bench.log(1, a=FarValue(1.0), b=FarValue(2.0))
    bench.log(1, c=FarValue(3.0))
    bench.reader.boundary()
    assert [copy.content for copy in bench.copies.made] == [[1.0, 2.0, 3.0]]


def test_rows_behind_a_waiting_one_wait_too(bench: Bench) -> None:
    for step in range(1, 5):
        bench.log(step, **({"a": FarValue(step)} if step % 2 else {"b": float(step)}))
        bench.reader.boundary()
    second = bench.copies.made[1]
    second.there = True
    bench.reader.boundary()
    assert bench.steps == []
    bench.copies.made[0].there = True
    bench.reader.boundary()
    assert bench.steps == [1, 2, 3, 4]
    assert [row for _, _, row in bench.rows] == [{"a": 1.0}, {"b": 2.0}, {"a": 3.0}, {"b": 4.0}]


@given(st.lists(st.tuples(st.lists(st.booleans(), max_size=3), st.lists(st.integers(0, 30), max_size=3)), max_size=12))
def test_whatever_arrives_when_rows_keep_their_order_and_their_values(story: list[tuple[list[bool], list[int]]]) -> None:
    bench = Bench([].append)
    expected = []
    number = 0
    for rows, arrivals in story:
        for far in rows:
            number += 1
            bench.log(number, near=float(number), **({"far": FarValue(-number)} if far else {}))
            expected.append((number / 10, number, {"near": float(number), **({"far": float(-number)} if far else {})}))
        bench.reader.boundary()
        for place in arrivals:
            if place < len(bench.copies.made):
                bench.copies.made[place].there = True
        bench.reader.boundary()
        assert bench.rows == expected[: len(bench.rows)]
    bench.reader.boundary(wait=True)
    assert bench.rows == expected
    assert not bench.reader


def test_at_the_end_the_device_is_waited_for(bench: Bench) -> None:
    bench.log(1, loss=FarValue(0.5))
    bench.reader.boundary(wait=True)
    assert bench.rows == [(0.1, 1, {"loss": 0.5})]
    assert bench.copies.made[0].waited


def test_a_device_far_behind_is_waited_for_rather_than_memory_grown(bench: Bench) -> None:
    for step in range(1, MAX_HELD + 2):
        bench.log(step, loss=FarValue(step))
        bench.reader.boundary()
    assert bench.steps == list(range(1, MAX_HELD + 2))


def test_a_copy_the_device_refuses_leaves_not_a_number_in_order(bench: Bench) -> None:
    bench.log(1, a=FarValue(1.0))
    bench.reader.boundary()
    bench.copies.broken = True
    bench.log(2, a=FarValue(2.0), b=5.0)
    bench.reader.boundary()
    bench.copies.broken = False
    bench.log(3, a=FarValue(3.0))
    bench.reader.boundary()
    assert bench.rows == []
    for copy in bench.copies.made:
        copy.there = True
    bench.reader.boundary()
    assert repr(bench.rows) == "[(0.1, 1, {'a': 1.0}), (0.2, 2, {'b': 5.0, 'a': nan}), (0.3, 3, {'a': 3.0})]"
    assert bench.bad == ["values on a device could not be read: RuntimeError: out of memory"]


def test_a_device_that_is_lost_meanwhile_holds_nothing_up(bench: Bench) -> None:
    bench.log(1, a=FarValue(1.0))
    bench.reader.boundary()
    bench.copies.made[0].broken = True
    bench.reader.boundary()
    assert repr(bench.rows) == "[(0.1, 1, {'a': nan})]"
    assert bench.bad == ["values on a device could not be read: RuntimeError: device lost"]


@pytest.mark.parametrize("value", [FarValue(1.0, shape=(2, 3)), FarValue(1.0, shape=(0,)), FarValue(1.0, dtype=torch.complex64)])
def test_a_tensor_on_a_device_that_is_no_number_costs_only_itself(bad: Any, value: FarValue) -> None:
    row, later = read_row({"loss": FarValue(0.5), "odd": value, "lr": 0.1}, bad)
    assert (row, [*later]) == ({"lr": 0.1}, ["loss"])
    assert len(bad) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_values_on_a_real_device_arrive_without_one_sync(bad: Any) -> None:
    rows: list[tuple[float, int, dict[str, float]]] = []
    reader = DeviceReader(lambda time, step, row: rows.append((time, step, row)), bad)
    weight = torch.ones((), device="cuda", requires_grad=True)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(1, 201):
            row, later = read_row(
                {"loss": weight * step, "half": torch.full((1,), 0.5, device="cuda", dtype=torch.bfloat16), "lr": 0.1}, bad
            )
            reader.hold(step / 10, step, row, later)
            reader.boundary()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    reader.boundary(wait=True)
    assert rows == [(step / 10, step, {"lr": 0.1, "loss": float(step), "half": 0.5}) for step in range(1, 201)]
    assert bad == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_copy_has_arrived_only_behind_the_work_before_it() -> None:
    long = torch.randn(8192, 8192, device="cuda")
    for _ in range(20):
        long = long @ long / 8192
    copy = PinnedCopy([long.sum()])
    assert not copy.arrived()
    assert copy.values() == [float(long.sum())]
    assert copy.arrived()
