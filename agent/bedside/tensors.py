"""How one logged value becomes a number without ever waiting for a device.

A number on the CPU is read at once: a kept reference would show a later value and hold the graph. Values on another device are
detached, stacked once a step, copied to pinned memory behind an event, and read at a later boundary when the event has passed. Torch is
never imported here: if the training has it, it is in `sys.modules`.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

PLAIN: Final = frozenset({float, int, bool})
MAX_NAME: Final = 200
"""Characters of a metric's name that are kept."""
MAX_HELD: Final = 512
"""Rows that wait for a device; at the next one the device is waited for, rather than memory growing."""


class BadValue(ValueError):
    """This cannot be logged; the text says why and what to do."""


def is_deferred(value: object) -> bool:
    """Whether reading this value now would wait for a device."""
    device = getattr(value, "device", None)
    kind = getattr(device, "type", "cpu")
    return kind not in ("cpu", "meta") and callable(getattr(value, "detach", None))


def read(name: object, value: Any) -> float:
    """`value` as a float; raises `BadValue` with a sentence for the person."""
    if type(value) in PLAIN:
        try:
            return float(value)
        except OverflowError:
            return _infinity(value)
    try:
        if getattr(getattr(value, "device", None), "type", "") == "meta":
            raise BadValue(f"{label(name)}: a tensor on the meta device has no value")
        _one_number(name, value)
        if isinstance(value, (str, bytes, complex)):
            raise BadValue(f"{label(name)}: {type(value).__name__} is not a number")
        item = getattr(value, "item", None)
        return float(item() if callable(item) else value)
    except BadValue:
        raise
    except OverflowError:
        return _infinity(value)
    except Exception as error:  # the user's own __float__ may raise anything; it must not reach the training
        raise BadValue(f"{label(name)}: {type(value).__name__} is not a number ({type(error).__name__})") from None


def _one_number(name: object, value: Any) -> None:
    """Raises `BadValue` for what has more numbers than one, or none. Looks at the shape alone, which every device tells at once."""
    shape = getattr(value, "shape", ())
    if math.prod(int(extent) for extent in shape) != 1:
        raise BadValue(f"{label(name)}: a value of shape {tuple(shape)} is not one number; log its mean, or another summary")


def _infinity(value: Any) -> float:
    """What an exact number beyond the range of floats becomes."""
    return float("inf") if value > 0 else float("-inf")


def label(name: object) -> str:
    """A name as it may be said to a person: short, always text."""
    if isinstance(name, str):
        return repr(name if len(name) <= 60 else name[:60] + "…")
    return f"a name of type {type(name).__name__}"


def read_row(values: Mapping[str, Any], bad: Callable[[str], None]) -> tuple[dict[str, float], dict[str, Any]]:
    """The row's numbers, and the tensors that must be read later. Values that cannot be taken go to `bad` and are left out."""
    row: dict[str, float] = {}
    later: dict[str, Any] = {}
    for name, value in values.items():
        try:
            if is_deferred(value):
                _one_number(name, value)
                if getattr(value.dtype, "is_complex", False):
                    raise BadValue(f"{label(name)}: a complex tensor is not a number")
                later[name] = value.detach()
            else:
                row[name] = read(name, value)
        except BadValue as error:
            bad(str(error))
        except Exception as error:  # any attribute of the user's object may raise
            bad(f"{label(name)}: {type(value).__name__} is not a number ({type(error).__name__})")
    return row, later


class Copy(Protocol):
    """Values on their way from a device, all of one step."""

    def arrived(self) -> bool:
        """Whether `values` would return at once."""

    def values(self) -> list[float]:
        """The values, waited for where they have not arrived."""


class PinnedCopy:
    """0-d tensors of a device, stacked there and copied to pinned memory behind an event: nothing waits until `values` is asked."""

    def __init__(self, tensors: Sequence[Any]) -> None:
        torch = sys.modules["torch"]
        device = tensors[0].device
        stacked = torch.stack([tensor.reshape(()).to(device=device, dtype=torch.float64) for tensor in tensors])
        self._host = torch.empty(len(tensors), dtype=torch.float64, pin_memory=device.type == "cuda")
        self._host.copy_(stacked, non_blocking=True)
        self._event = torch.Event(device) if device.type != "cuda" else torch.cuda.Event()
        self._event.record()

    def arrived(self) -> bool:
        return bool(self._event.query())

    def values(self) -> list[float]:
        self._event.synchronize()
        return [float(value) for value in self._host.tolist()]


class Unreadable:
    """What stands in for a copy that a device refused: not a number, at once."""

    def __init__(self, count: int) -> None:
        self._count = count

    def arrived(self) -> bool:
        return True

    def values(self) -> list[float]:
        return [float("nan")] * self._count


class DeviceReader:
    """Rows that wait for values on a device, in order: a row behind them waits too, so that steps never seem to go back.

    Only the training thread touches this. `emit(time, step, row)` gets each row when it is whole; `copy` starts a step's tensors on
    their way.
    """

    def __init__(
        self,
        emit: Callable[[float, int, dict[str, float]], None],
        bad: Callable[[str], None],
        copy: Callable[[Sequence[Any]], Copy] = PinnedCopy,
    ) -> None:
        self._emit = emit
        self._bad = bad
        self._copy_of = copy
        self._rows: deque[tuple[float, int, dict[str, float], list[str]]] = deque()
        self._open: list[tuple[dict[str, float], str, Any]] = []
        self._copies: deque[tuple[Copy, list[tuple[dict[str, float], str]], int]] = deque()
        self._rows_copied = 0

    def __repr__(self) -> str:
        return f"<DeviceReader {len(self._rows)} rows wait for {len(self._copies)} copies>"

    def __bool__(self) -> bool:
        return bool(self._rows)

    def hold(self, time: float, step: int, row: dict[str, float], later: Mapping[str, Any]) -> None:
        """Take a row whose values in `later` are still on a device."""
        names = [*row, *later]
        self._rows.append((time, step, row, names))
        self._open.extend((row, name, tensor) for name, tensor in later.items())
        if len(self._rows) > MAX_HELD:
            self.boundary(wait=True)

    def boundary(self, wait: bool = False) -> None:
        """Send off what the step gathered, and emit the rows whose copies have arrived. `wait` waits for the device: at the end only."""
        if self._open:
            self._copy()
        while self._copies and (wait or self._has_arrived(self._copies[0][0])):
            copy, targets, rows = self._copies.popleft()
            for (row, name), value in zip(targets, self._values(copy, len(targets)), strict=True):
                row[name] = value
            self._release(rows)
        if not self._copies and not self._open:
            self._release(len(self._rows))

    def _copy(self) -> None:
        targets = [(row, name) for row, name, _ in self._open]
        tensors = [tensor for _, _, tensor in self._open]
        rows, self._open = len(self._rows) - self._rows_copied, []
        self._rows_copied = len(self._rows)
        try:
            copy = self._copy_of(tensors)
        except Exception as error:  # whatever a device driver says, the training goes on
            copy = self._unreadable(error, len(targets))
        self._copies.append((copy, targets, rows))

    def _has_arrived(self, copy: Copy) -> bool:
        try:
            return copy.arrived()
        except Exception:  # the same trouble is met, and said, when its values are read
            return True

    def _values(self, copy: Copy, count: int) -> list[float]:
        try:
            return copy.values()
        except Exception as error:  # as above
            return self._unreadable(error, count).values()

    def _unreadable(self, error: Exception, count: int) -> Copy:
        self._bad(f"values on a device could not be read: {type(error).__name__}: {error}")
        return Unreadable(count)

    def _release(self, count: int) -> None:
        for _ in range(min(count, len(self._rows))):
            time, step, row, names = self._rows.popleft()
            self._rows_copied = max(0, self._rows_copied - 1)
            self._emit(time, step, {name: row[name] for name in names if name in row})
