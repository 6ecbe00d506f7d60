"""What tests of the protocol share: values of every kind a log may hold."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bedside_protocol.messages import VERSION
from bedside_protocol.records import Array, Metrics

DTYPES = ("bool", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=64)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def _metrics(draw: st.DrawFn) -> Metrics:
    names = tuple(draw(st.lists(TEXT, max_size=4)))
    rows = draw(st.integers(0, 6))
    micros = draw(hnp.arrays(np.int64, rows, elements=st.integers(0, 2**45)))
    times = draw(st.one_of(st.just(micros / 1e6), hnp.arrays(np.float64, rows, elements=FLOATS)))
    steps = draw(hnp.arrays(np.int64, rows, elements=draw(st.sampled_from([INTEGERS, st.integers(0, 1000)]))))
    return Metrics(names, steps, times, draw(hnp.arrays(np.float64, (len(names), rows), elements=FLOATS)))


@st.composite
def _arrays(draw: st.DrawFn) -> Array:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    values = draw(hnp.arrays(draw(st.sampled_from(DTYPES)), shape))
    return Array(draw(st.sampled_from(["histogram", "matrix", "image"])), values, tuple(draw(st.lists(TEXT, max_size=3))))


def _of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return st.sampled_from(inside)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(_of, inside))
    if origin is tuple:
        return st.lists(_of(inside[0]), max_size=3).map(tuple)
    if origin is not None:  # a mapping
        return st.dictionaries(TEXT, _of(inside[1]), max_size=3)
    if hint is Array:
        return _arrays()
    if dataclasses.is_dataclass(hint):
        return _instances(hint)  # type: ignore[arg-type]
    simple = {str: TEXT, int: INTEGERS, float: FLOATS, bool: st.booleans(), bytes: st.binary(max_size=20), type(None): st.none()}
    return simple[hint]


def _instances(kind: type) -> st.SearchStrategy[Any]:
    """Instances of a body or a message, from the types of its fields."""
    if kind is Metrics:
        return _metrics()
    hints = typing.get_type_hints(kind)
    values = {field.name: _of(hints[field.name]) for field in dataclasses.fields(kind)}
    return st.builds(kind, **values | ({"version": st.just(VERSION)} if "version" in values else {}))


@pytest.fixture(scope="session")
def instances() -> Callable[[type], st.SearchStrategy[Any]]:
    """Any value of a kind of body or message."""
    return _instances
