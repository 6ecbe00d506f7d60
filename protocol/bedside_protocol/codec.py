"""Records and messages as bytes: the one file that knows msgpack and msgspec.

A record is the msgpack array `[kind, time, rank, counter, body]`, a message `[kind, body]`. Bytes from outside are hostile until
`_checked` has walked them: depth, nodes, key length and types are bounded, and whatever is wrong leaves as `CodecError`. Fields this
version does not know are ignored, kinds it does not know become `Unknown`.

Arrays travel as `{t, s, e, d}`: dtype, shape, encoding, data. Bytes of equal significance are stored together ("shuffled"), which is
what lets zlib compress columns of floats; floats that are exactly float32 are stored as such; steps and times as differences.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgpack
import msgspec
import numpy as np
from numpy.typing import NDArray

from . import messages, records
from .records import Body, Metrics, Record, Unknown

MAX_FRAME: Final = 4 << 20
"""Largest frame taken, bytes: a picture of a few hundred thousand values fits; a bomb does not."""
_MAX_DEPTH: Final = 16
_MAX_NODES: Final = 20_000  # 1 MiB of nested empty arrays held the interpreter lock for 255 ms before this bound
_MAX_KEY: Final = 256

_RAW, _SHUFFLED, _DELTAS = 0, 1, 2
_DTYPES: Final = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"})

BODIES: Final[dict[str, type]] = {
    "run": records.RunStarted,
    "metrics": records.Metrics,
    "probe": records.ProbeDeclared,
    "snapshot": records.Snapshot,
    "alert": records.AlertChanged,
    "acknowledged": records.AlertAcknowledged,
    "command": records.CommandChanged,
    "checkpoint": records.CheckpointSaved,
    "event": records.Event,
    "note": records.Note,
    "lifecycle": records.LifecycleChanged,
    "tick": records.Tick,
    "problem": records.Problem,
    "lost": records.Lost,
    "ended": records.Ended,
}
_KIND_OF_BODY: Final = {body: kind for kind, body in BODIES.items()}

MESSAGES: Final[dict[str, type]] = {
    "hello": messages.Hello,
    "batch": messages.Batch,
    "beat": messages.Beat,
    "welcome": messages.Welcome,
    "ack": messages.Ack,
    "order": messages.Order,
    "read": messages.Read,
    "ask": messages.Ask,
    "bytes": messages.Bytes,
    "answer": messages.Answer,
    "refusal": messages.Refusal,
}
_KIND_OF_MESSAGE: Final = {message: kind for kind, message in MESSAGES.items()}


class CodecError(ValueError):
    """These bytes are not what they claim to be; the text says why."""


def encode_record(record: Record) -> bytes:
    """One record as a frame. Raises `CodecError` where a value cannot be said in msgpack (an integer over 64 bits)."""
    body = record.body
    if isinstance(body, Metrics):
        kind, fields = "metrics", _pack_metrics(body)
    elif isinstance(body, Unknown):
        raise CodecError(f"a record of the unknown kind {body.kind!r} cannot be written")
    else:
        kind, fields = _KIND_OF_BODY[type(body)], msgspec.to_builtins(body, builtin_types=(bytes,), enc_hook=_pack_foreign)
    return _packed([kind, record.time, record.rank, record.counter, fields])


def decode_record(frame: bytes, seq: int = 0) -> Record:
    """The record in a frame; raises `CodecError`. `seq` is its place in the log, where known."""
    parts = _unpacked(frame)
    try:
        kind, time, rank, counter, fields = parts
        if type(kind) is not str or type(rank) is not int or type(counter) is not int or not isinstance(time, (int, float)):
            raise CodecError("a record's head has fields of the wrong type")
        return Record(float(time), _body(kind, fields), rank, counter, seq)
    except (TypeError, ValueError) as error:
        raise CodecError(f"not a record: {error}") from error


def encode_message(message: messages.Message) -> bytes:
    """One message as a frame."""
    body = msgspec.to_builtins(message, builtin_types=(bytes,))
    return _packed([_KIND_OF_MESSAGE[type(message)], body])


def decode_message(frame: bytes) -> messages.Message:
    """The message in a frame; raises `CodecError` also for kinds this version does not know."""
    parts = _unpacked(frame)
    if type(parts) is not list or len(parts) != 2 or type(parts[0]) is not str or parts[0] not in MESSAGES:
        raise CodecError("not a message of this version")
    try:
        return cast("messages.Message", msgspec.convert(parts[1], MESSAGES[parts[0]], builtin_types=(bytes,)))
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise CodecError(f"not a {parts[0]!r} message: {error}") from error


def pack_list(values: list[Any]) -> bytes:
    """Plain msgpack of a list of numbers, text and bytes, for the run log's own envelope."""
    return _packed(values)


def unpack_list(data: bytes) -> list[Any]:
    """The inverse of `pack_list`, checked; raises `CodecError`."""
    values = _unpacked(data, limit=1 << 26)
    if type(values) is not list:
        raise CodecError("not a list")
    return values


# --- bodies


def _body(kind: str, fields: Any) -> Body:
    if kind == "metrics":
        return _unpack_metrics(fields)
    body = BODIES.get(kind)
    if body is None:
        return Unknown(kind)
    return cast("Body", msgspec.convert(fields, body, builtin_types=(bytes,), dec_hook=_unpack_foreign))


def _pack_foreign(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _pack_array(_narrowed(value))
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no place in a record")


def _unpack_foreign(kind: type, value: Any) -> Any:
    return _unpack_array(value)


def _pack_metrics(block: Metrics) -> dict[str, object]:
    return {
        "names": block.names,
        "steps": _pack_deltas(block.steps),
        "times": _pack_times(block.times),
        "values": _pack_array(_narrowed(block.values)),
    }


def _unpack_metrics(fields: Any) -> Metrics:
    names = fields["names"]
    steps, times, values = (_unpack_array(fields[key]) for key in ("steps", "times", "values"))
    if type(names) is not list or not all(type(name) is str for name in names):
        raise CodecError("metric names are not text")
    n = steps.size
    if steps.dtype != np.int64 or steps.shape != (n,) or times.shape != (n,) or values.shape != (len(names), n):
        raise CodecError(f"columns do not fit: {len(names)} names, steps {steps.shape}, times {times.shape}, values {values.shape}")
    return Metrics(tuple(names), steps, times.astype(np.float64, copy=False), values.astype(np.float64, copy=False))


# --- arrays


def _narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """float64 as float32 where that loses nothing; integers and the rest as they are."""
    if values.dtype != np.float64:
        return values
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), values, equal_nan=True) else values


def _pack_array(values: NDArray[Any]) -> dict[str, object]:
    values = np.ascontiguousarray(values)
    dtype = values.dtype.newbyteorder("<").str if values.dtype.itemsize > 1 else values.dtype.str
    if dtype not in _DTYPES:
        raise CodecError(f"arrays of {values.dtype} are not recorded")
    values = values.astype(dtype, copy=False)
    data = values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize).T.tobytes()
    return {"t": dtype, "s": values.shape, "e": _SHUFFLED, "d": data}


def _pack_deltas(values: NDArray[np.int64]) -> dict[str, object]:
    """Integers as first value and differences, in the smallest type that holds them; as they are where differences overflow."""
    if values.size == 0 or int(values.max()) - int(values.min()) >= 2**62 or np.abs(values).max() >= 2**62:
        return _pack_array(values)
    deltas = np.diff(values, prepend=0)
    for dtype in ("<i2", "<i4", "<i8"):
        narrow = deltas[1:].astype(dtype)
        if np.array_equal(narrow, deltas[1:]):
            break
    return {"t": dtype, "s": values.shape, "e": _DELTAS, "d": _pack_array(narrow)["d"], "first": int(values[0])}


def _pack_times(times: NDArray[np.float64]) -> dict[str, object]:
    """Seconds as differences of microseconds where that is exact, which it is for times the agent wrote."""
    with np.errstate(invalid="ignore", over="ignore"):
        micros = np.rint(times * 1e6)
        fits = times.size > 0 and bool(np.all(np.abs(micros) < 2**53)) and np.array_equal(micros / 1e6, times)
    return {"micros": _pack_deltas(micros.astype(np.int64))} if fits else _pack_array(times)


def _unpack_array(value: Any) -> NDArray[Any]:
    if type(value) is not dict:
        raise CodecError("an array is missing")
    if "micros" in value:
        return _unpack_array(value["micros"]) / 1e6
    dtype, shape, encoding, data = value.get("t"), value.get("s"), value.get("e"), value.get("d")
    if dtype not in _DTYPES or type(shape) is not list or type(data) is not bytes or len(shape) > 8:
        raise CodecError("an array's head is malformed")
    if not all(type(size) is int and 0 <= size <= MAX_FRAME for size in shape):
        raise CodecError("an array's shape is malformed")
    if encoding == _DELTAS:
        return _unpack_deltas(value, np.dtype(dtype), shape, data)
    flat = _unshuffled(data, np.dtype(dtype))
    count = 1
    for size in shape:
        count *= size
    if encoding not in (_RAW, _SHUFFLED) or flat.size != count:
        raise CodecError("an array's data does not fill its shape")
    return flat.reshape(shape)


def _unpack_deltas(value: dict[str, Any], dtype: np.dtype[Any], shape: list[int], data: bytes) -> NDArray[np.int64]:
    first = value.get("first")
    deltas = _unshuffled(data, dtype)
    if len(shape) != 1 or deltas.size != shape[0] - 1 or type(first) is not int or not -(2**63) <= first < 2**63 or dtype.kind != "i":
        raise CodecError("differences do not fill their shape")
    out = np.empty(shape[0], np.int64)
    out[0] = first
    out[1:] = deltas
    return np.cumsum(out, out=out)


def _unshuffled(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    if len(data) % dtype.itemsize:
        raise CodecError("an array ends within a value")
    if dtype.kind == "b" and data.strip(b"\0\1"):
        raise CodecError("a truth value is neither 0 nor 1")
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype)


# --- msgpack, checked


def _packed(value: object) -> bytes:
    try:
        return cast("bytes", msgpack.packb(value, use_bin_type=True))
    except (OverflowError, TypeError, ValueError) as error:
        raise CodecError(f"cannot be said in msgpack: {error}") from error


def _unpacked(frame: bytes, limit: int = MAX_FRAME) -> Any:
    if len(frame) > limit:
        raise CodecError(f"a frame of {len(frame):,} bytes is over the limit of {limit:,}")
    try:
        value = msgpack.unpackb(frame, max_ext_len=0)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {error or type(error).__name__}") from error
    return _checked(value)


def _checked(value: Any) -> Any:
    """`value`, walked without recursion: bounded depth and nodes, short text keys."""
    nodes = 0
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if type(item) is list:
                below.extend(item)
            elif type(item) is dict:
                if any(type(key) is not str or len(key) > _MAX_KEY for key in item):
                    raise CodecError("a key is not short text")
                below.extend(item.values())
        nodes += len(below)
        if nodes > _MAX_NODES:
            raise CodecError(f"more than {_MAX_NODES:,} values in one frame")
        if not below:
            return value
        level = below
    raise CodecError(f"nested deeper than {_MAX_DEPTH}")
