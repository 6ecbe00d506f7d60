"""The scalars of one event: its wall time, its step, and a value for each tag.

Older writers give a scalar as `simple_value`, newer ones as a tensor without dimensions. Histograms, pictures, sound, graphs and text are
passed over. A field of another type than its number should have is `ValueError`, and so is an event that ends within a field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bedside_tui.wire import BYTES, EIGHT, FOUR, VARINT, as_bytes, field, fields_of, key, signed, varint, varints

_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")

# Event
_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = 1, 2, 3, 5
# Summary and Summary.Value
_VALUE, _TAG, _SIMPLE, _TENSOR = 1, 1, 2, 8
# TensorProto and TensorShapeProto
_DTYPE, _SHAPE, _CONTENT, _DIMENSION, _SIZE = 1, 2, 4, 2, 1

_DTYPES: Final = {1: "<f4", 2: "<f8", 3: "<i4", 4: "<u1", 5: "<i2", 6: "<i1", 9: "<i8", 10: "?", 17: "<u2", 19: "<f2", 22: "<u4", 23: "<u8"}
"""Numbers of the enumeration `DataType` that are numbers, without those NumPy has not."""
_PACKED: Final = {5: "<f4", 6: "<f8"}
"""Fields of a tensor that hold its values as fixed-size numbers."""
_INTEGERS: Final = frozenset({7, 10, 11, 16, 17})
"""Fields that hold them as variable-size integers: int, int64, bool, uint32, uint64."""
_HALVES: Final = 13


@dataclass(frozen=True, slots=True)
class Scalars:
    """What an event says: `others` is how many of its values are no scalars."""

    wall_time: float
    step: int
    values: tuple[tuple[str, float], ...]
    others: int = 0


def scalars_of(event: bytes) -> Scalars:
    """The scalars of an encoded event."""
    wall_time, step, values, others = 0.0, 0, [], 0
    for number, wire, value in fields_of(event):
        if (number, wire) == (_WALL_TIME, EIGHT):
            wall_time = _DOUBLE.unpack(as_bytes(value))[0]
        elif (number, wire) == (_STEP, VARINT):
            step = signed(value)
        elif (number, wire) == (_SUMMARY, BYTES):
            for found in _values(as_bytes(value)):
                if found is None:
                    others += 1
                else:
                    values.append(found)
    return Scalars(wall_time, step, tuple(values), others)


def encoded_scalars(said: Scalars) -> bytes:
    """An event that says these scalars, as `simple_value`: rounded to float32, as every writer of such files does."""
    with np.errstate(over="ignore"):
        values = [(tag, float(np.float32(value))) for tag, value in said.values]
    summary = b"".join(
        field(_VALUE, field(_TAG, tag.encode("utf-8", "replace")) + key(_SIMPLE, FOUR) + _FLOAT.pack(value)) for tag, value in values
    )
    head = key(_WALL_TIME, EIGHT) + _DOUBLE.pack(said.wall_time) + key(_STEP, VARINT) + varint(said.step & (1 << 64) - 1)
    return head + field(_SUMMARY, summary)


def first_event(wall_time: float) -> bytes:
    """The event that every file begins with: it tells the version of the format."""
    return key(_WALL_TIME, EIGHT) + _DOUBLE.pack(wall_time) + field(_FILE_VERSION, b"brain.Event:2")


# --- a summary's values


def _values(summary: bytes) -> Iterator[tuple[str, float] | None]:
    for number, wire, value in fields_of(summary):
        if (number, wire) == (_VALUE, BYTES):
            yield _tagged(as_bytes(value))


def _tagged(value: bytes) -> tuple[str, float] | None:
    """Tag and number of one value; None where it is no scalar."""
    tag, scalar = "", None
    for number, wire, part in fields_of(value):
        if (number, wire) == (_TAG, BYTES):
            tag = as_bytes(part).decode("utf-8", "replace")
        elif (number, wire) == (_SIMPLE, FOUR):
            scalar = _FLOAT.unpack(as_bytes(part))[0]
        elif (number, wire) == (_TENSOR, BYTES):
            scalar = _scalar_in(as_bytes(part))
    return None if scalar is None else (tag, scalar)


def _scalar_in(tensor: bytes) -> float | None:
    """The only number of a tensor without dimensions (or with dimensions of 1); None for others."""
    dtype, size, content, numbers = 0, 1, b"", []
    for number, wire, value in fields_of(tensor):
        if (number, wire) == (_DTYPE, VARINT):
            dtype = signed(value)
        elif (number, wire) == (_SHAPE, BYTES):
            size = _size(as_bytes(value))
        elif (number, wire) == (_CONTENT, BYTES):
            content = as_bytes(value)
        else:
            numbers += _listed(number, wire, value)
    if size != 1 or dtype not in _DTYPES:
        return None
    if content:
        held = np.frombuffer(content, _DTYPES[dtype]) if len(content) == np.dtype(_DTYPES[dtype]).itemsize else np.empty(0)
        return float(held[0]) if held.size else None
    return numbers[0] if len(numbers) == 1 else 0.0 if not numbers else None  # zero is what a writer leaves out


def _listed(number: int, wire: int, value: int | bytes) -> list[float]:
    """The numbers in one of a tensor's lists of values."""
    if number in _PACKED and isinstance(value, bytes):
        width = np.dtype(_PACKED[number]).itemsize
        if len(value) % width:
            raise ValueError("a list of numbers ends within one")
        return [float(each) for each in np.frombuffer(value, _PACKED[number])]
    if number not in _INTEGERS and number != _HALVES:
        return []
    integers = [value] if isinstance(value, int) else varints(value)
    if number == _HALVES:
        return [float(np.array(each & 0xFFFF, np.uint16).view(np.float16)) for each in integers]
    return [float(each if number in (16, 17) else signed(each)) for each in integers]


def _size(shape: bytes) -> int:
    size = 1
    for number, wire, value in fields_of(shape):
        if (number, wire) == (_DIMENSION, BYTES):
            lengths = [signed(length) for part, kind, length in fields_of(as_bytes(value)) if (part, kind) == (_SIZE, VARINT)]
            size *= lengths[0] if lengths else 0
    return size
