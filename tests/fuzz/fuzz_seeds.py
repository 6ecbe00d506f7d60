"""Where fuzzing begins: one sound input of every kind, made from the types themselves, and what earlier fuzzing found worth keeping.

A new kind of record or message is fuzzed without a line being written here.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import types
import typing
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from bedside_protocol import framing
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.codec import BODIES, MESSAGES, encode_message, encode_record, pack_list
from bedside_protocol.records import Array, Metrics, Record, RunStarted
from bedside_protocol.runlog import encode_chunk
from bedside_tui.record_json import json_line
from bedside_tui.tfevents.events import Scalars, encoded_scalars, first_event
from bedside_tui.tfevents.framing import framed
from bedside_tui.wandb_files.blocks import HEAD as OFFLINE_HEAD
from bedside_tui.wire import VARINT, field, key, varint

CORPUS: Final = Path(__file__).parent / "corpus"
_METRICS: Final = Metrics(("loss", "lr"), np.arange(4), np.arange(4) / 10, np.array([[1.0, 0.5, np.nan, np.inf], [0.1] * 4]))


def seeds(target: str) -> list[bytes]:
    """The inputs a target is fuzzed from."""
    return [*_MADE[target](), *kept(target)]


def kept(target: str) -> list[bytes]:
    """The inputs of a target in the corpus: hexadecimal, one a line; a line after `#` says why one is kept."""
    path = CORPUS / f"{target}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Put inputs into the corpus, the shortest first."""
    every = sorted({*kept(target), *inputs}, key=lambda data: (len(data), data))
    (CORPUS / f"{target}.txt").write_text("".join(f"{data.hex()}\n" for data in every))


def bodies() -> list[Any]:
    """One body of every kind that a log may hold."""
    return [_METRICS if body is Metrics else _example(body) for body in BODIES.values()]


def _records() -> list[Record]:
    first = RunStarted("id", "name", "project", 1.7e9, argv=("train.py",), config={"lr": 0.1, "n": None})
    return [Record(place / 4, body, 0, place + 1) for place, body in enumerate([first, *bodies()])]


def _frames() -> list[bytes]:
    return [encode_record(one) for one in _records()]


def _messages() -> list[bytes]:
    return [encode_message(_example(kind)) for kind in MESSAGES.values()]


def _links() -> list[bytes]:
    said = b"".join([framing.greeting(), *map(framing.framed, _messages()[:4])])
    return [said, b"Welcome!\n" + said, framing.greeting(2), said[:-1]]


def _chunks() -> list[bytes]:
    return [pack_list([[[0, 5]], [frame]]) for frame in _frames()] + [pack_list([[[0, 5], [-1, 2]], _frames()])]


def _logs() -> list[bytes]:
    short = [encode_chunk([one], place + 1, {0: place + 1}) for place, one in enumerate(_records()[:3])]
    return [b"".join(short), short[0] + b"junk" + short[2], short[0][:-3] + short[1], b""]


def _events() -> list[bytes]:
    said = encoded_scalars(Scalars(1.7e9, 3, (("loss", 0.5), ("train/acc", 0.25))))
    tensor = bytes.fromhex("09000000007054d941 1001 2a16 0a140a046c6f7373 420c 0801 1200 2a040000003f 5a00".replace(" ", ""))
    return [first_event(1.7e9), said, tensor]


def _event_files() -> list[bytes]:
    return [b"".join(map(framed, _events())), framed(_events()[1])[:-2]]


def _tables() -> list[bytes]:
    return [
        b"step,time,loss,acc\n1,0.5,1.0,\n2,1.0,nan,0.5\n3,1.5,1e400,-inf\n",
        b"metric;value;step;wall_time\nloss;1.0;1;2026-01-01T00:00:00\nloss;0.5;2;1700000000000\nacc;0.1;1;\n",
        b'\xef\xbb\xbfepoch\t"a,""b"\n1\t2\n\n3\n',
    ]


def _rows() -> list[bytes]:
    state = {"log_history": [{"step": 1, "loss": 0.5}, {"step": 2, "eval": {"loss": 1e999, "deep": {"x": True}}}, 3]}
    return [b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": NaN, "time": "2026-01-01"}\nnot json\n[1]\n', json.dumps(state).encode()]


def _lines() -> list[bytes]:
    return [json_line(Record(one.time, one.body, 0, place, place)).encode() for place, one in enumerate(_records(), 1)]


def _logged() -> list[bytes]:
    """A row, a configuration, a summary, who the run is, its end."""
    lr, loss = field(1, field(1, b"lr") + field(16, b"0.1")), field(1, field(2, b"train") + field(2, b"loss") + field(16, b"NaN"))
    began = field(3, b"p") + field(4, lr) + field(8, b"n") + field(17, key(1, VARINT) + varint(1_700_000_000))
    return [
        field(2, loss + field(1, field(2, b"_timestamp") + field(16, b"1.7e9")) + field(2, key(1, VARINT) + varint(3))),
        field(2, field(1, field(1, b"seen") + field(16, b'{"_type": "image-file", "size": 3}')) + loss),
        *(field(number, body) for number, body in ((3, loss), (5, lr), (17, began), (18, key(1, VARINT) + varint(1)), (7, b""))),
    ]


def _offline() -> list[bytes]:
    pieces = [struct.pack("<IHB", zlib.crc32(b"\1" + record), len(record), 1) + record for record in _logged()]
    parted = [struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part for kind, part in ((2, b"\x12"), (4, b"\0"))]
    return [OFFLINE_HEAD + b"".join(pieces), OFFLINE_HEAD + b"".join(parted) + pieces[0][:-3]]


def _rules() -> list[bytes]:
    return [
        f"[rules.{DEFAULT_RULES[0].name}]\noff = true\n".encode(),
        b"[rules.mine]\nwatch = {metric = 'loss*'}\nwhen = {beyond = {red_above = 3}}\nfor_red = '5 s'\nmessage = '{value:.3g}'\n",
        b"[rules.mine]\nwatch = {metric = 'x'}\nwhen = {expects = {above = 2, below = 1}}\n[[tests]]\nrule = 'mine'\n",
    ]


def _texts() -> list[bytes]:
    said = ("acc[top5]", "\x1b]52;c;aGk=\x07", "損失\u202e", "x\u0316\u0316\u0316", "\ud800", "e\u0301", "✔\ufe0f")
    return [one.encode("utf-16-le", "surrogatepass") for one in said] + [b"odd\x1b"]


_MADE: Final = {
    "record": _frames, "message": _messages, "link": _links, "chunk": _chunks, "log": _logs, "event": _events, "events": _event_files,
    "table": _tables, "rows": _rows, "lines": _lines, "offline": _offline, "logged": _logged, "rules": _rules, "shown": _texts,
}  # fmt: skip


# --- an instance of every type


def _example(kind: type) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _of(hints[field.name]) for field in dataclasses.fields(kind)})


def _of(hint: Any) -> Any:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return inside[0]
    if origin in (typing.Union, types.UnionType):
        return _of(inside[0])
    if origin is tuple:
        return (_of(inside[0]),)
    if origin is not None:  # a mapping
        return {"key": _of(inside[1])}
    if hint is Array:
        return Array("matrix", np.arange(6.0).reshape(2, 3), ("a", "b", "c"))
    if dataclasses.is_dataclass(hint):
        return _example(hint)
    return {str: "text", int: 7, float: 0.5, bool: True, bytes: b"bytes", type(None): None}[hint]
