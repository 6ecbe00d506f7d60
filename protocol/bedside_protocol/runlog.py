"""The file format of a run: chunks of records, each whole or not there.

A file is a sequence of chunks and nothing else. A chunk is a head of fixed size and a zlib-compressed payload; both carry a CRC-32, and
each head begins with the same eight bytes, so that reading can start again after damage. The head tells times and steps, so an index is
rebuilt by hopping from head to head. The payload holds the encoded records and, for each rank, the counter of its newest record in the
log: a hub that starts again drops what agents send twice.

Works on bytes and on binary file objects; it opens nothing and knows no clock. Cut a file at any byte and every whole chunk before the
cut is read; change any byte and at most its chunk is lost, reported as `Damage`, never as a wrong value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from .codec import Allowance, CodecError, decode_logged, encode_record, pack_list, unpack_list
from .records import Metrics, Record

MARK: Final = b"\x89BEDSIDE"
FORMAT: Final = 1
"""Major version of the format, in every head. Files of a newer major are refused in one sentence; what a minor adds (kinds, fields, values,
flags) is passed over by those who do not know it, and has no number."""
TARGET_CHUNK: Final = 64 << 10
"""Bytes of encoded records after which a writer closes a chunk: what one flipped bit may cost."""

# mark, format, flags, reserved, payload bytes, first seq, records, first time, last time, last step (-1: none), payload CRC
_HEAD: Final = struct.Struct("<8sBBHIQIddqI")
_CRC: Final = struct.Struct("<I")
HEAD_SIZE: Final = _HEAD.size + _CRC.size
_MAX_PAYLOAD: Final = 8 << 20
_MAX_UNPACKED: Final = 16 << 20
_MOST_CELLS: Final = TARGET_CHUNK // 8
"""Numbers in a merged block: what merging makes may not be more than a chunk should hold."""
_READ: Final = 1 << 20
_VALUES, _VALUES_A_BYTE = 1 << 20, 4
"""Values that a log may hold, and more for each of its bytes. Real ones have half a value a byte, equal records a hundred and more."""
_LEAST: Final = 6
"""Values of the smallest record."""
_SUMS, _SUMS_A_BYTE = 4 * _MAX_PAYLOAD, 16
"""Bytes of payload that are summed in vain, and more for each byte read: heads that each claim all that follows would be quadratic."""


class NewerFormat(ValueError):
    """The file was written by a newer bedside than this one."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a chunk says of itself before its payload is opened. `offset` and `end` are bytes in the file."""

    offset: int
    end: int
    first_seq: int
    count: int
    first_time: float
    last_time: float
    last_step: int
    payload_crc: int

    @property
    def next_seq(self) -> int:
        return self.first_seq + self.count


@dataclass(frozen=True, slots=True)
class Chunk:
    """A whole chunk: its records in order, and each rank's newest counter in the log so far."""

    head: Head
    records: tuple[Record, ...]
    counters: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no chunk. `lost` is how many records are missing, where the following chunk tells; else 0."""

    offset: int
    size: int
    why: str
    lost: int = 0


def encode_chunk(records: Sequence[Record], first_seq: int, counters: Mapping[int, int]) -> bytes:
    """The bytes to append for `records` (at least one), which get the places `first_seq`, `first_seq + 1`, … Raises `CodecError`."""
    return seal_chunk([encode_record(record) for record in records], records, first_seq, counters)


def seal_chunk(frames: Sequence[bytes], records: Sequence[Record], first_seq: int, counters: Mapping[int, int]) -> bytes:
    """The same for records that are encoded already. Raises `CodecError` where a reader would refuse the chunk as too large."""
    unpacked = pack_list([[[rank, counter] for rank, counter in counters.items()], list(frames)])
    payload = zlib.compress(unpacked, 6)
    if len(unpacked) > _MAX_UNPACKED or len(payload) > _MAX_PAYLOAD:
        raise CodecError(f"{len(unpacked):,} bytes are too much for one chunk")
    times = [record.time for record in records]
    head = _HEAD.pack(
        MARK, FORMAT, 0, 0, len(payload), first_seq, len(records), min(times), max(times), _last_step(records), zlib.crc32(payload)
    )
    return head + _CRC.pack(zlib.crc32(head)) + payload


class Decoder:
    """Turns the bytes of a log, in pieces of any size, into chunks and damage.

    `offset` is where the first byte not yet understood stands: a follower that asks for what comes after `offset`, having told the
    decoder to `forget` its rest, never depends on bytes that a restarted writer may cut away.
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._buffer = bytearray()
        self._expected = 0
        self._from_the_start = offset == 0
        self._damage: Damage | None = None
        self._allowance = Allowance(_VALUES)
        self._sums = _SUMS

    def __repr__(self) -> str:
        return f"<Decoder at byte {self.offset}, {len(self._buffer)} waiting, next record {self._expected or '?'}>"

    def forget(self) -> None:
        """Drop bytes that are not yet a chunk; the next `feed` begins at `offset`."""
        self._buffer.clear()

    def feed(self, data: bytes) -> Iterator[Chunk | Damage]:
        """What these bytes complete. Raises `NewerFormat` at a chunk of a newer major."""
        self._buffer += data
        return self._pieces(whole=False)

    def finish(self) -> Iterator[Chunk | Damage]:
        """What remains when nothing more will come: chunks behind a torn one, a torn tail, damage up to the end."""
        yield from self._pieces(whole=True)
        if self._buffer:
            self._skip(len(self._buffer), "the last chunk is not whole")
        damage, self._damage = self._damage, None
        if damage is not None:
            yield damage

    def _pieces(self, whole: bool) -> Iterator[Chunk | Damage]:
        while (head := self._next_head()) is not None:
            size = head.end - head.offset
            if len(self._buffer) < size:
                if not whole:
                    return
                self._skip(1, "a chunk is not whole")
                continue
            payload = bytes(self._buffer[HEAD_SIZE:size]) if size <= self._sums else b""
            if zlib.crc32(payload) != head.payload_crc:
                self._sums -= len(payload)
                self._skip(1, "a chunk's payload does not match its checksum")
                continue
            if head.first_seq < self._expected:
                self._skip(size, "records that have been read already")
                continue
            try:
                records, counters = _decode_payload(payload, head, self._allowance)
            except CodecError as error:
                self._skip(size, f"a chunk could not be read: {error}")
                continue
            yield from self._reported(head)
            self._consume(size)
            self._expected = head.next_seq
            yield Chunk(head, records, counters)

    def _next_head(self) -> Head | None:
        """The head at the front of the buffer, after skipping what is none; None when more bytes are needed."""
        while True:
            at = self._buffer.find(MARK)
            if at < 0:
                keep = _mark_prefix(self._buffer)
                if len(self._buffer) > keep:
                    self._skip(len(self._buffer) - keep, "bytes that belong to no chunk")
                return None
            if at > 0:
                self._skip(at, "bytes that belong to no chunk")
            if len(self._buffer) < HEAD_SIZE:
                return None
            head = parse_head(self._buffer[:HEAD_SIZE], self.offset)
            if head is not None:
                return head
            self._skip(1, "a chunk's head does not match its checksum")

    def _skip(self, count: int, why: str) -> None:
        if self._damage is None:
            self._damage = Damage(self.offset, count, why)
        else:
            self._damage = Damage(self._damage.offset, self._damage.size + count, self._damage.why)
        self._consume(count)

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self.offset += count
        self._allowance.left += _VALUES_A_BYTE * count
        self._sums += _SUMS_A_BYTE * count

    def _reported(self, head: Head) -> Iterator[Damage]:
        expected = self._expected or (1 if self._from_the_start and self._damage is not None else head.first_seq)
        missing = head.first_seq - expected
        if self._damage is not None:
            yield Damage(self._damage.offset, self._damage.size, self._damage.why, max(missing, 0))
        elif missing > 0:
            yield Damage(self.offset, 0, "chunks are missing", missing)
        self._damage = None


def parse_head(data: bytes | bytearray, offset: int) -> Head | None:
    """The head in these `HEAD_SIZE` bytes, None where it is damaged. Raises `NewerFormat`."""
    mark, version, _, _, length, first_seq, count, first_time, last_time, last_step, payload_crc = _HEAD.unpack_from(data)
    if mark != MARK or zlib.crc32(data[: _HEAD.size]) != _CRC.unpack_from(data, _HEAD.size)[0] or length > _MAX_PAYLOAD:
        return None
    if version > FORMAT:
        raise NewerFormat(f"this recording has format {version}; this bedside reads up to {FORMAT}: upgrade bedside")
    return Head(offset, offset + HEAD_SIZE + length, first_seq, count, first_time, last_time, last_step, payload_crc)


def read_log(file: BinaryIO) -> Iterator[Chunk | Damage]:
    """Every chunk and every damage of a file, from its current position to its end."""
    decoder = Decoder(file.tell())
    while data := file.read(_READ):
        yield from decoder.feed(data)
    yield from decoder.finish()


def read_records(file: BinaryIO) -> Iterator[Record]:
    """Every record of a file, damage passed over."""
    for piece in read_log(file):
        if isinstance(piece, Chunk):
            yield from piece.records


def scan_index(file: BinaryIO) -> Iterator[Head]:
    """The heads of a file by hopping over payloads: an index, rebuilt. Stops at the first byte that is of no whole chunk."""
    offset = file.tell()
    size = file.seek(0, 2)
    file.seek(offset)
    while len(data := file.read(HEAD_SIZE)) == HEAD_SIZE:
        head = parse_head(data, offset)
        if head is None or head.end > size:
            return
        yield head
        offset = file.seek(head.end)


def merge_metrics(records: Sequence[Record]) -> list[Record]:
    """The same records with neighbouring metric blocks of one rank and the same names made one, up to what a chunk should hold: longer
    columns compress better."""
    merged: list[Record] = []
    run: list[Record] = []
    cells = 0

    def close() -> None:
        if len(run) > 1:
            blocks = [record.body for record in run if isinstance(record.body, Metrics)]
            body = Metrics(
                blocks[0].names,
                np.concatenate([block.steps for block in blocks]),
                np.concatenate([block.times for block in blocks]),
                np.concatenate([block.values for block in blocks], axis=1),
            )
            merged.append(Record(run[-1].time, body, run[-1].rank, run[-1].counter))
        else:
            merged.extend(run)
        run.clear()

    for record in records:
        more = (len(record.body.names) + 2) * record.body.steps.size if isinstance(record.body, Metrics) else 0
        if run and (not _joins(run[-1], record) or cells + more > _MOST_CELLS):
            close()
            cells = 0
        run.append(record)
        cells += more
    close()
    return merged


def _joins(left: Record, right: Record) -> bool:
    return (
        isinstance(left.body, Metrics)
        and isinstance(right.body, Metrics)
        and left.rank == right.rank
        and left.body.names == right.body.names
    )


def _decode_payload(payload: bytes, head: Head, allowance: Allowance) -> tuple[tuple[Record, ...], dict[int, int]]:
    if allowance.left < _LEAST * head.count:
        raise CodecError("more records than so few bytes of a log may hold")
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(payload, _MAX_UNPACKED)
    except zlib.error as error:
        raise CodecError(str(error)) from error
    if not inflater.eof:
        raise CodecError("the payload is larger than a chunk may be")
    parts = unpack_list(data)
    if len(parts) != 2 or type(parts[0]) is not list or type(parts[1]) is not list:
        raise CodecError("not a chunk")
    pairs, frames = parts
    if not all(type(pair) is list and len(pair) == 2 and all(type(number) is int for number in pair) for pair in pairs):
        raise CodecError("a chunk's counters are malformed")
    counters: dict[int, int] = dict(pairs)
    if len(frames) != head.count:
        raise CodecError("the head counts other records than the payload holds")
    return tuple(decode_logged(frame, head.first_seq + place, allowance) for place, frame in enumerate(frames)), counters


def _last_step(records: Sequence[Record]) -> int:
    """The step the newest record speaks of, -1 where none does."""
    for record in reversed(records):
        if isinstance(record.body, Metrics):
            step = int(record.body.steps[-1]) if record.body.steps.size else -1
        else:
            step = getattr(record.body, "step", -1)
        if 0 <= step < 2**63:
            return step
    return -1


def _mark_prefix(buffer: bytearray) -> int:
    """How many of the last bytes may be the beginning of a mark."""
    for length in range(min(len(MARK) - 1, len(buffer)), 0, -1):
        if buffer.endswith(MARK[:length]):
            return length
    return 0
