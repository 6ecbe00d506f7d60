"""Arrays of numbers as plain maps of numbers and bytes, small and exact.

An array travels as `{t, s, e, d}`: dtype, shape, encoding, data. Bytes of equal significance are stored together ("shuffled"), which is
what lets zlib compress columns of floats; floats that are exactly float32 are stored as such; steps and times as differences. What is not
such a map, or cannot be made one, is a `ValueError` that says why.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_DIMENSIONS: Final = 8
_MAX_EXTENT: Final = 4 << 20
_SHUFFLED, _DELTAS = 1, 2
_DTYPES: Final = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"})


def pack_floats(values: NDArray[Any]) -> dict[str, object]:
    """Numbers of any shape and type, float64 as float32 where that loses nothing; read again, they are float64."""
    return pack_array(_narrowed(values)) | ({"o": "<f8"} if values.dtype == np.float64 else {})


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """float64 as float32 where that loses nothing; integers and the rest as they are."""
    if values.dtype != np.float64:
        return values
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), values, equal_nan=True) else values


def pack_array(values: NDArray[Any]) -> dict[str, object]:
    """Numbers of any shape and type as they are."""
    values = np.asarray(values, order="C")
    dtype = values.dtype.newbyteorder("<").str if values.dtype.itemsize > 1 else values.dtype.str
    if dtype not in _DTYPES or values.ndim > MAX_DIMENSIONS:
        raise ValueError(f"arrays of {values.dtype} in {values.ndim} dimensions are not recorded")
    values = values.astype(dtype, copy=False)
    data = values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize).T.tobytes()
    return {"t": dtype, "s": values.shape, "e": _SHUFFLED, "d": data}


def pack_deltas(values: NDArray[np.int64]) -> dict[str, object]:
    """Integers as first value and differences, in the smallest type that holds them; as they are where differences overflow."""
    if values.size == 0 or int(values.max()) - int(values.min()) >= 2**62 or np.abs(values).max() >= 2**62:
        return pack_array(values)
    deltas = np.diff(values)
    dtype = next((narrow for narrow in ("<i2", "<i4") if np.array_equal(deltas.astype(narrow), deltas)), "<i8")
    return {"t": dtype, "s": values.shape, "e": _DELTAS, "d": pack_array(deltas.astype(dtype))["d"], "first": int(values[0])}


def pack_times(times: NDArray[np.float64]) -> dict[str, object]:
    """Seconds as differences of microseconds where that is exact, which it is for times the agent wrote."""
    with np.errstate(invalid="ignore", over="ignore"):
        micros = np.rint(times * 1e6)
        fits = times.size > 0 and bool(np.all(np.abs(micros) < 2**53)) and np.array_equal(micros / 1e6, times)
    return {"micros": pack_deltas(micros.astype(np.int64))} if fits else pack_array(times)


def unpack_array(value: Any) -> NDArray[Any]:
    """The array in a map that came from outside."""
    if type(value) is not dict:
        raise ValueError("an array is missing")
    if "micros" in value:
        return unpack_array(value["micros"]) / 1e6
    dtype, shape, encoding, data = value.get("t"), value.get("s"), value.get("e"), value.get("d")
    if dtype not in _DTYPES or type(shape) is not list or type(data) is not bytes or len(shape) > MAX_DIMENSIONS:
        raise ValueError("an array's head is malformed")
    for size in shape:
        if type(size) is not int or not 0 <= size <= _MAX_EXTENT:
            raise ValueError("an array's shape is malformed")
    if encoding == _DELTAS:
        return _unpack_deltas(value, np.dtype(dtype), shape, data)
    flat = _unshuffled(data, np.dtype(dtype))
    count = 1
    for size in shape:
        count *= size
    if encoding != _SHUFFLED or flat.size != count:
        raise ValueError("an array's data does not fill its shape")
    array = flat.reshape(shape)
    return array.astype(np.float64, copy=False) if value.get("o") == "<f8" else array


def _unpack_deltas(value: dict[str, Any], dtype: np.dtype[Any], shape: list[int], data: bytes) -> NDArray[np.int64]:
    first = value.get("first")
    if type(first) is not int or not -(2**63) <= first < 2**63 or dtype.kind != "i":
        raise ValueError("differences begin with no integer")
    if shape == [1] and not data:
        return np.array([first], np.int64)  # a slow run's blocks have one row, and a day has very many
    deltas = _unshuffled(data, dtype)
    if len(shape) != 1 or deltas.size != shape[0] - 1:
        raise ValueError("differences do not fill their shape")
    out = np.empty(shape[0], np.int64)
    out[0] = first
    out[1:] = deltas
    return np.cumsum(out, out=out)


def _unshuffled(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    if len(data) % dtype.itemsize:
        raise ValueError("an array ends within a value")
    if dtype.kind == "b" and data.strip(b"\0\1"):
        raise ValueError("a truth value is neither 0 nor 1")
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
