"""What is fuzzed: every way by which bytes from outside come in. A target takes any bytes; what it raises is a bug.

A target lets pass only the errors that its reader documents. What could be read goes on to those who use it (store, rules, JSON), because a
decoded value that crashes its reader is as bad as bytes that crash the decoder. Checksums are made right, so that a fuzzer gets past them.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import msgpack

from bedside_protocol.alerts.judge import judge
from bedside_protocol.alerts.rule_file import RuleFileError, read_rules
from bedside_protocol.codec import CodecError, decode_message, decode_record, encode_message, encode_record
from bedside_protocol.framing import Frames
from bedside_protocol.records import Record, RulesDeclared, Unknown
from bedside_protocol.runlog import MARK, Chunk, Damage, Decoder, NewerFormat, merge_metrics
from bedside_protocol.sanitise import text
from bedside_tui.importing.columns import Columns, NoSuchColumn, RowTaker
from bedside_tui.importing.left_out import LeftOut
from bedside_tui.importing.lines import NotThat, read_history, read_rows
from bedside_tui.importing.offline_files import read_offline
from bedside_tui.importing.order import in_order
from bedside_tui.importing.points import Points
from bedside_tui.importing.record_lines import read_record_lines
from bedside_tui.importing.table import read_table
from bedside_tui.record_json import json_line
from bedside_tui.store.store import Store
from bedside_tui.tfevents.events import Scalars, encoded_scalars, scalars_of
from bedside_tui.tfevents.framing import Broken, framed, read_frames
from bedside_tui.wandb_files.blocks import HEAD as OFFLINE_HEAD

_HEAD: Final = struct.Struct("<8sBBHIQIddqI")
"""A chunk's head without its checksum, as `runlog` documents it: written down again here, so that a change of the format is noticed."""


def record(data: bytes) -> None:
    """A frame with one record, as the hub takes it from an agent and every reader from a file."""
    try:
        found = decode_record(data, 1)
    except CodecError:
        return
    use([found])


def message(data: bytes) -> None:
    """A frame at a socket."""
    try:
        found = decode_message(data)
    except CodecError:
        return
    assert repr(found)
    again = encode_message(found)
    assert encode_message(decode_message(again)) == again


def link(data: bytes) -> None:
    """What comes through an ssh: noise of a shell, a greeting, frames."""
    assert _frames_of(data, len(data) + 1) == _frames_of(data, 5)


def _frames_of(data: bytes, size: int) -> list[bytes | str]:
    frames, found = Frames(greeted=True), list[bytes | str]()
    try:
        for at in range(0, len(data), size):
            found += frames.feed(data[at : at + size])
    except CodecError:
        found.append("refused")
    return found


def log(data: bytes) -> None:
    """A file as it stands: sync marks, heads, checksums."""
    whole, pieces = Decoder(), Decoder()
    try:
        found = [*whole.feed(data), *whole.finish()]
        parted = [piece for at in range(0, len(data), 97) for piece in pieces.feed(data[at : at + 97])] + list(pieces.finish())
    except NewerFormat:
        return
    assert repr(found) == repr(parted)
    lost = sum(piece.size for piece in found if isinstance(piece, Damage))
    read = sum(piece.head.end - piece.head.offset for piece in found if isinstance(piece, Chunk))
    assert lost + read == len(data)


def chunk(data: bytes) -> None:
    """What stands in a chunk, its checksums right; what can be read is shown, judged and exported."""
    decoder = Decoder()
    found = [*decoder.feed(sealed(data)), *decoder.finish()]
    use([one for piece in found if isinstance(piece, Chunk) for one in piece.records])


def events(data: bytes) -> None:
    """A file of TensorBoard."""
    for frame in read_frames(io.BytesIO(data)):
        if not isinstance(frame, Broken):
            _event(frame.data)


def event(data: bytes) -> None:
    """One event of such a file, its checksums right."""
    (frame,) = read_frames(io.BytesIO(framed(data)))
    assert not isinstance(frame, Broken)
    assert frame.is_whole
    _event(frame.data)


def _event(data: bytes) -> None:
    try:
        said = scalars_of(data)
    except ValueError:
        return
    again = scalars_of(encoded_scalars(Scalars(said.wall_time, said.step, said.values)))
    assert (again.step, len(again.values)) == (said.step, len(said.values))


def table(data: bytes) -> None:
    """A CSV somebody wants imported."""
    imported(lambda taker, left: read_table(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", "replace", newline=""), taker, left))


def rows(data: bytes) -> None:
    """A file of JSON objects, one a line, and a trainer's state."""
    imported(lambda taker, left: read_rows(io.BytesIO(data), taker, left))
    imported(lambda taker, left: read_history(io.BytesIO(data), taker, left))


def lines(data: bytes) -> None:
    """A recording as JSON lines."""
    use(list(read_record_lines(io.BytesIO(data), LeftOut())))


def offline(data: bytes) -> None:
    """One of W&B's offline files as it stands."""
    points = Points()
    with contextlib.suppress(NoSuchColumn):
        read_offline(io.BytesIO(data), Columns(), points, LeftOut())
    ordered(points)


def logged(data: bytes) -> None:
    """One record of such a file, its checksum right."""
    kind = b"\1"
    offline(OFFLINE_HEAD + struct.pack("<IH", zlib.crc32(kind + data), len(data)) + kind + data)


def rules(data: bytes) -> None:
    """A file of rules, which a recording brings along."""
    with contextlib.suppress(RuleFileError):
        assert read_rules(data.decode("utf-8", "replace")).rules


def shown(data: bytes) -> None:
    """Text for a terminal."""
    safe = text(data.decode("utf-16-le", "surrogatepass") if len(data) % 2 == 0 else data)
    assert safe.isprintable()
    assert len(safe) <= 200
    assert text(safe) == safe


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target
    for target in (record, message, link, log, chunk, events, event, table, rows, lines, offline, logged, rules, shown)
}


# --- what is done with what was read


def use(records: Sequence[Record]) -> None:
    """What becomes of records: written again, exported, folded into views of two moments, judged."""
    placed = [Record(one.time, one.body, one.rank, one.counter, place + 1) for place, one in enumerate(records)]
    assert repr(placed)
    for one in placed:
        if not isinstance(one.body, Unknown):
            _write_again(one)
        json.loads(json_line(one))
    merge_metrics(placed)
    store = Store()
    store.feed(placed)
    times = [store.at(when).time for when in (0.0, None)]
    assert all(before <= after for before, after in pairwise(times))
    judge(one for one in placed if not isinstance(one.body, RulesDeclared))


def _write_again(one: Record) -> None:
    try:
        frame = encode_record(one)
    except CodecError:  # read from a tighter form: what it says takes more room than a record may have
        return
    assert encode_record(decode_record(frame)) == frame


def imported(read: Callable[[RowTaker, LeftOut], None]) -> None:
    """The rows of a foreign file, put in order."""
    points, left_out = Points(), LeftOut()
    taker = RowTaker(Columns(), points, left_out)
    try:
        read(taker, left_out)
        taker.finish()
    except (NotThat, NoSuchColumn):
        return
    ordered(points)


def ordered(points: Points) -> None:
    """No value is lost."""
    if len(points):
        values = sum(len(row.values) for row in in_order(points.kept(), together=False).rows())
        assert values == len(points)


def sealed(payload: bytes) -> bytes:
    """A chunk with this payload, whatever it is, and a head that tells the truth of it."""
    try:
        said = msgpack.unpackb(payload)
        count = len(said[1]) if isinstance(said, list) and isinstance(said[1], list) else 0
    except (ValueError, LookupError, TypeError, msgpack.UnpackException):
        count = 0
    packed = zlib.compress(payload, 1)
    head = _HEAD.pack(MARK, 1, 0, 0, len(packed), 1, count, 0.0, 1.0, -1, zlib.crc32(packed))
    return head + struct.pack("<I", zlib.crc32(head)) + packed
