"""Golden files: what a version wrote, and the values it meant, kept for ever.

`examples` makes one full and one bare value of every kind, and one for each word of a closed choice. `plain` says a value in JSON, `says`
whether a value read today is what that JSON means: a field that came later must have its default, none may be gone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from bedside_protocol.codec import BODIES, MESSAGES
from bedside_protocol.messages import VERSION
from bedside_protocol.records import Array, Metrics

HERE: Final = Path(__file__).parent
SUMS: Final = "SHA256SUMS"
HOW: Final = (
    "`python tests/golden/make.py` writes the files of the version in pyproject.toml, and then they stay as they are for ever. Where that "
    "version has been released, raise it first; where it has not, remove its directory first"
)
FRAMES: Final = [b"one", b"", bytes(range(256))]
"""What is framed one after the other where a file or a link holds several."""
_NAMES: Final = "train/loss", "acc[top5]", "Verlust ü"
T = TypeVar("T")


def versions() -> list[Path]:
    """The directory of each version that has golden files."""
    return sorted(path for path in HERE.iterdir() if (path / SUMS).exists())


def sums(directory: Path) -> dict[str, str]:
    """The checksum of each golden file of a version, as it is now."""
    files = (path for path in directory.iterdir() if path.name != SUMS)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# --- values of every kind


def kinds() -> Iterator[tuple[str, str, type]]:
    """("record" or "message", its kind, its type) of everything that goes over a wire or into a file."""
    yield from (("record", kind, form) for kind, form in BODIES.items())
    yield from (("message", kind, form) for kind, form in MESSAGES.items())


def examples() -> Iterator[tuple[str, str, Any]]:
    """("record" or "message", its kind, a value): each with all fields said, with those only that must be, and with each word there is."""
    for what, kind, form in kinds():
        if form is Metrics:
            yield what, kind, METRICS
            continue
        bare = _made(form, bare=True)
        yield from ((what, kind, value) for value in (_made(form), bare))
        yield from ((what, kind, dataclasses.replace(bare, **{name: word})) for _, _, name, word in words(what, kind, form))


METRICS: Final = Metrics(
    _NAMES,
    np.array([1, 2, 5, 2**40, 3], np.int64),
    np.array([0.0, 0.001, 0.5, 1e5 / 3, 1e5]),
    np.array([[1.0, 0.5, math.nan, math.inf, -math.inf], [0.1, 1 / 3, -0.0, 5e-324, 1e308], [1.5, 2.0, 3.0, 4.0, 5.0]]),
)


def _made(form: type[T], *, bare: bool = False) -> T:
    """A value of this type whose fields differ from one another, from their defaults, and from nothing; `bare`: only what must be said."""
    numbers = itertools.count(3)
    hints = typing.get_type_hints(form)
    needed = [field for field in dataclasses.fields(form) if not bare or _is_needed(field)]  # type: ignore[arg-type]
    return form(**{field.name: _of(hints[field.name], field.name, numbers) for field in needed})


def _of(hint: Any, name: str, numbers: Iterator[int]) -> Any:
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return inside[-1]
    if origin in (typing.Union, types.UnionType):
        return _of(inside[0], name, numbers)
    if origin is tuple:
        return tuple(_of(inside[0], f"{name} {place}", numbers) for place in (1, 2))
    if origin is not None:
        return _mapping(inside[1], name, numbers)
    if hint is Array:
        return Array("matrix", np.arange(6.0).reshape(2, 3) / 7, ("a", "b", "c"), ("one", "two"))
    if dataclasses.is_dataclass(hint):
        return _made(hint)  # type: ignore[arg-type]
    if name == "version":
        return VERSION
    number = next(numbers)
    return {str: f"{name} ✓ {number}", int: number, float: number + 0.1, bool: True, bytes: bytes(range(number))}[hint]


def _mapping(hint: Any, name: str, numbers: Iterator[int]) -> dict[str, Any]:
    if hint is Array:
        kinds = ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
        plain = {kind: Array("histogram", np.arange(4).astype(kind)) for kind in kinds}
        return {**plain, "matrix": _of(Array, name, numbers), "image": Array("image", np.full((2, 2, 3), math.nan)), "none": _empty()}
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and bool in typing.get_args(hint):
        return {"text": "ü", "whole": 2**62, "part": 0.1, "yes": True, "none": None}
    return {f"{name} {place}": _of(hint, name, numbers) for place in (1, 2)}


def _empty() -> Array:
    return Array("table", np.zeros((0, 3)))


def words(what: str, kind: str, form: type) -> Iterator[tuple[str, str, str, Any]]:
    """Each word that a field of this kind may be, as (what, kind, field, word)."""
    for name, hint in typing.get_type_hints(form).items():
        yield from ((what, kind, name, word) for word in _words(hint))


def _words(hint: Any) -> tuple[Any, ...]:
    """The words of a closed choice, none where the type is no such."""
    inside = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return inside
    return tuple(word for one in inside for word in _words(one)) if typing.get_origin(hint) in (typing.Union, types.UnionType) else ()


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


# --- values and JSON


def plain(value: Any) -> Any:
    """A value in what JSON has; numbers JSON has no word for are texts."""
    if isinstance(value, Metrics):
        return {"names": list(value.names), **{name: plain(getattr(value, name)) for name in ("steps", "times", "values")}}
    if isinstance(value, Array):
        about = {"meaning": value.meaning, "labels": list(value.labels), "rows": list(value.rows)}
        return {**about, "dtype": value.values.dtype.name, "shape": list(value.values.shape), "values": plain(value.values)}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def says(value: Any, meant: Any) -> bool:
    """Whether a value read today is what a golden JSON means."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (Metrics, Array)):
        fields = {field.name: field for field in dataclasses.fields(value)}
        later = all(getattr(value, name) == _default(fields[name]) for name in fields.keys() - meant.keys())
        return later and all(name in fields and says(getattr(value, name), item) for name, item in meant.items())
    if isinstance(value, Mapping):
        return list(value) == list(meant) and all(says(item, meant[name]) for name, item in value.items())
    if isinstance(value, tuple):
        return len(value) == len(meant) and all(map(says, value, meant))
    return bool(plain(value) == meant)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
