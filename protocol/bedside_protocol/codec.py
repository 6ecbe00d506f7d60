"""Records and messages as bytes: the one file that knows msgpack and msgspec.

A record is the msgpack array `[kind, time, rank, counter, body]`, a message `[kind, body]`. Bytes from outside are hostile until
`_checked` has walked them: depth, nodes, key length and types are bounded, and whatever is wrong leaves as `CodecError`. The same bounds
hold for what is written: nothing is written that could not be read. Fields this version does not know are ignored, kinds it does not know
become `Unknown`. How arrays become maps is `arrays`' business.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgpack
import msgspec
import numpy as np

from . import messages, records
from .arrays import pack_deltas, pack_floats, pack_times, unpack_array
from .records import Body, Metrics, Record, Unknown

MAX_FRAME: Final = 4 << 20
"""Largest frame taken, bytes: a batch of records fits; a bomb does not."""
MAX_RECORD: Final = 896 << 10
"""Largest record written, bytes: a picture of 200,000 values fits, and a chunk that holds one is still answered in one read of 1 MiB."""
_MAX_DEPTH: Final = 16
_MAX_NODES: Final = 20_000  # 1 MiB of nested empty arrays held the interpreter lock for 255 ms before this bound
_MAX_KEY: Final = 256
_CONTAINERS: Final = frozenset({list, tuple, dict})
_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes})
_EXTENSIONS: Final = frozenset({msgpack.ExtType, msgpack.Timestamp})
_SMALL: Final = 32 << 10  # a frame this short cannot hold enough values to hurt; a longer one is counted before it is unpacked

BODIES: Final[dict[str, type]] = {
    "run": records.RunStarted,
    "rules": records.RulesDeclared,
    "expectation": records.ExpectationDeclared,
    "metrics": records.Metrics,
    "metric": records.MetricDefined,
    "probe": records.ProbeDeclared,
    "snapshot": records.Snapshot,
    "alert": records.AlertChanged,
    "acknowledged": records.AlertAcknowledged,
    "shelved": records.AlertShelved,
    "command": records.CommandChanged,
    "checkpoint": records.CheckpointSaved,
    "event": records.Event,
    "note": records.Note,
    "verdict": records.VerdictGiven,
    "tags": records.TagsChanged,
    "lifecycle": records.LifecycleChanged,
    "tick": records.Tick,
    "problem": records.Problem,
    "lost": records.Lost,
    "ended": records.Ended,
    "rank": records.RankStarted,
    "rank_command": records.RankCommand,
    "ranks": records.RanksSeen,
    "stack": records.StackTaken,
}
_KIND_OF_BODY: Final = {body: kind for kind, body in BODIES.items()}

MESSAGES: Final[dict[str, type]] = {
    "hello": messages.Hello,
    "batch": messages.Batch,
    "beat": messages.Beat,
    "armed": messages.Armed,
    "welcome": messages.Welcome,
    "ack": messages.Ack,
    "order": messages.Order,
    "arm": messages.Arm,
    "settled": messages.Settled,
    "read": messages.Read,
    "ask": messages.Ask,
    "bytes": messages.Bytes,
    "answer": messages.Answer,
    "refusal": messages.Refusal,
    "judge": messages.Judge,
    "here": messages.Here,
    "kept": messages.Kept,
    "judged": messages.Judged,
    "listed": messages.Listed,
}
_GREETINGS: Final = frozenset({"hello", "read"})
"""Messages that begin a conversation and name its version."""
_KIND_OF_MESSAGE: Final = {message: kind for kind, message in MESSAGES.items()}


class CodecError(ValueError):
    """These bytes are not what they claim to be; the text says why."""


class OtherVersion(CodecError):
    """A message of another version of the conversation; the text is for its sender to read."""


def encode_record(record: Record) -> bytes:
    """One record as a frame. Raises `CodecError` where it could not be read again: an integer over 64 bits, an object, a frame too large.

    Text is always taken: half a surrogate pair (a file name that is not UTF-8) is written as `\\udc80`.
    """
    body = record.body
    if isinstance(body, Unknown):
        raise CodecError(f"a record of the unknown kind {body.kind!r} cannot be written")
    kind = _KIND_OF_BODY.get(type(body))
    if kind is None:
        raise CodecError(f"{type(body).__name__} is no body of a record")
    try:
        fields = _pack_metrics(body) if isinstance(body, Metrics) else _builtins(body)
    except (TypeError, ValueError, NotImplementedError, RecursionError) as error:
        raise CodecError(f"cannot be recorded: {error or type(error).__name__}") from error
    frame = _packed([kind, float(record.time), record.rank, record.counter, fields])
    if len(frame) > MAX_RECORD:
        raise CodecError(f"{len(frame):,} bytes are over the limit of {MAX_RECORD:,} for one record")
    return frame


def decode_record(frame: bytes, seq: int = 0) -> Record:
    """The record in a frame; raises `CodecError`. `seq` is its place in the log, where known."""
    kind, time, rank, counter, fields = _record_parts(frame)
    try:
        return Record(time, _body(kind, fields), rank, counter, seq)
    except (TypeError, ValueError) as error:
        raise CodecError(f"not a record: {error}") from error


class Allowance:
    """How many values may still be unpacked: bytes that compress a thousandfold hold a thousand times their cost."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def __repr__(self) -> str:
        return f"<Allowance of {self.left:,} values>"

    def take(self, values: int) -> None:
        """Raises `CodecError` where there are not so many left."""
        self.left -= values
        if self.left < 0:
            raise CodecError("more values than so few bytes of a log may hold")


def decode_logged(frame: bytes, seq: int, allowance: Allowance | None = None) -> Record:
    """The record in a frame of a log: a body that this version cannot read, of a kind or with a value that came later, is `Unknown`.

    Raises `CodecError` where the frame is no record, or holds more than `allowance`. A log outlives versions; one newer record must not
    cost those around it.
    """
    kind, time, rank, counter, fields = _record_parts(frame, allowance)
    try:
        return Record(time, _body(kind, fields), rank, counter, seq)
    except (TypeError, ValueError):
        return Record(time, Unknown(kind), rank, counter, seq)


def decode_place(frame: bytes) -> tuple[int, int]:
    """Rank and counter of a record whose body need not be readable here; raises `CodecError`."""
    _, _, rank, counter, _ = _record_parts(frame)
    return rank, counter


def encode_message(message: messages.Message) -> bytes:
    """One message as a frame."""
    return _packed([_KIND_OF_MESSAGE[type(message)], _builtins(message)])


def decode_message(frame: bytes) -> messages.Message:
    """The message in a frame; raises `CodecError`, also for kinds this version does not know, and `OtherVersion` for a greeting of another.

    The `version` of a greeting is read before anything else of it: that is what every version must be able to say of itself.
    """
    parts = _unpacked(frame)
    if type(parts) is not list or len(parts) != 2 or type(parts[0]) is not str:
        raise CodecError("not a message")
    version = parts[1].get("version", 1) if parts[0] in _GREETINGS and type(parts[1]) is dict else None
    if type(version) is int and version != messages.VERSION:
        raise OtherVersion(
            f"this is version {version} of the conversation, the other end speaks {messages.VERSION}: use the bedside of the run"
        )
    if parts[0] not in MESSAGES:
        raise CodecError(f"not a message of this version: {parts[0][:40]!r}")
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


def _record_parts(frame: bytes, allowance: Allowance | None = None) -> tuple[str, float, int, int, Any]:
    parts = _unpacked(frame, allowance=allowance)
    if type(parts) is not list or len(parts) != 5:
        raise CodecError("not a record")
    kind, time, rank, counter, fields = parts
    if type(kind) is not str or type(rank) is not int or type(counter) is not int or not isinstance(time, (int, float)):
        raise CodecError("a record's head has fields of the wrong type")
    return kind, float(time), rank, counter, fields


def _builtins(value: object) -> object:
    return msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=_pack_foreign)


def _pack_foreign(value: object) -> object:
    if isinstance(value, np.ndarray):
        return pack_floats(value)
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no place in a record")


def _unpack_foreign(kind: type, value: Any) -> Any:
    return unpack_array(value)


def _pack_metrics(block: Metrics) -> dict[str, object]:
    if block.steps.shape != block.times.shape or block.values.shape != (len(block.names), block.steps.size):
        raise ValueError(f"columns do not fit: {len(block.names)} names, steps {block.steps.shape}, values {block.values.shape}")
    return {
        "names": block.names,
        "steps": pack_deltas(block.steps),
        "times": pack_times(block.times),
        "values": pack_floats(block.values),
    }


def _unpack_metrics(fields: Any) -> Metrics:
    if type(fields) is not dict:
        raise CodecError("metrics are not columns")
    names = fields.get("names")
    steps, times, values = (unpack_array(fields.get(key)) for key in ("steps", "times", "values"))
    if type(names) is not list or not set(map(type, names)) <= {str}:
        raise CodecError("metric names are not text")
    n = steps.size
    if steps.dtype != np.int64 or steps.shape != (n,) or times.shape != (n,) or values.shape != (len(names), n):
        raise CodecError(f"columns do not fit: {len(names)} names, steps {steps.shape}, times {times.shape}, values {values.shape}")
    return Metrics(tuple(names), steps, times.astype(np.float64, copy=False), values.astype(np.float64, copy=False))


# --- msgpack, checked


def _packed(value: object) -> bytes:
    try:
        _checked(value)
        return cast("bytes", msgpack.packb(value, use_bin_type=True, unicode_errors="backslashreplace"))
    except CodecError:
        raise
    except (OverflowError, TypeError, ValueError) as error:
        raise CodecError(f"cannot be said in msgpack: {error}") from error


def _unpacked(frame: bytes, limit: int = MAX_FRAME, allowance: Allowance | None = None) -> Any:
    if type(frame) is not bytes:
        raise CodecError("a frame is not bytes")
    if len(frame) > limit:
        raise CodecError(f"a frame of {len(frame):,} bytes is over the limit of {limit:,}")
    if len(frame) > _SMALL:
        _counted(frame)
    try:
        value = msgpack.unpackb(frame, max_ext_len=0)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise CodecError(f"not msgpack: {error or type(error).__name__}") from error
    values = _checked(value)
    if allowance is not None:
        allowance.take(values)
    return value


def _checked(value: Any) -> int:
    """How many values are in `value`, walked without recursion: bounded depth and nodes, short text keys, no extension types."""
    nodes = 0
    level: list[Any] = [[value]]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                if not set(map(type, item)) <= {str} or max(map(len, item), default=0) > _MAX_KEY:
                    raise CodecError("a key is not short text")
                item = item.values()
            nodes += len(item)
            kinds = set(map(type, item))  # most hold nothing but names or numbers: hundreds are looked at as one
            if kinds <= _PLAIN:
                continue
            if kinds & _EXTENSIONS:
                raise CodecError("extension types have no place here")
            below += [inner for inner in item if type(inner) in _CONTAINERS]
        if nodes > _MAX_NODES:
            raise CodecError(f"more than {_MAX_NODES:,} values in one frame")
        if not below:
            return nodes
        level = below
    raise CodecError(f"nested deeper than {_MAX_DEPTH}")


# By the first byte of a msgpack value: bytes that follow it; bytes of its length, and between length and data; bytes of its count, and
# values an element has.
_FIXED: Final = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8} | {
    0xD4 + power: 1 + 2**power for power in range(5)
}
_SIZED: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)} | {
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _counted(frame: bytes) -> None:
    """Refuse a frame of too many values before any is made: 64 MiB of empty arrays are 67 million objects."""
    at, waiting, nodes = 0, 1, 0
    while waiting and at < len(frame):
        nodes += 1
        if nodes > 2 * _MAX_NODES:  # keys count here
            raise CodecError(f"more than {_MAX_NODES:,} values in one frame")
        head = frame[at]
        at += 1
        waiting -= 1
        if 0x80 <= head <= 0x8F:
            waiting += 2 * (head & 15)
        elif 0x90 <= head <= 0x9F:
            waiting += head & 15
        elif 0xA0 <= head <= 0xBF:
            at += head & 31
        elif head in _FIXED:
            at += _FIXED[head]
        elif head in _SIZED:
            width, between = _SIZED[head]
            at += width + between + int.from_bytes(frame[at : at + width], "big")
        elif head in _COUNTED:
            width, each = _COUNTED[head]
            waiting += each * int.from_bytes(frame[at : at + width], "big")
            at += width
