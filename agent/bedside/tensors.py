"""How one logged value becomes a number without ever waiting for a device.

A number on the CPU is read at once: a kept reference would show a later value and hold the graph. Values on another device are
detached, stacked once a step, copied to pinned memory behind an event, and read at a later boundary when the event has passed. Torch is
never imported here: if the training has it, it is in `sys.modules`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

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
            return float("inf") if value > 0 else float("-inf")
    shape = getattr(value, "shape", ())
    if getattr(getattr(value, "device", None), "type", "") == "meta":
        raise BadValue(f"{label(name)}: a tensor on the meta device has no value")
    try:
        size = 1
        for extent in shape:
            size *= int(extent)
        if size != 1:
            raise BadValue(f"{label(name)}: a value of shape {tuple(shape)} is not one number; log its mean, or another summary")
        if isinstance(value, (str, bytes, complex)):
            raise BadValue(f"{label(name)}: {type(value).__name__} is not a number")
        item = getattr(value, "item", None)
        return float(item() if callable(item) else value)
    except BadValue:
        raise
    except OverflowError:
        return float("inf")
    except Exception as error:  # the user's own __float__ may raise anything; it must not reach the training
        raise BadValue(f"{label(name)}: {type(value).__name__} is not a number ({type(error).__name__})") from None


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
                later[name] = value.detach()
            else:
                row[name] = read(name, value)
        except BadValue as error:
            bad(str(error))
    return row, later


class DeviceReader:
    """Rows that wait for values on a device, in order: a row behind them waits too, so that steps never seem to go back.

    Only the training thread touches this. `emit(time, step, row)` gets each row when it is whole.
    """

    def __init__(self, emit: Callable[[float, int, dict[str, float]], None], bad: Callable[[str], None]) -> None:
        self._emit = emit
        self._bad = bad
        self._rows: deque[tuple[float, int, dict[str, float], list[str]]] = deque()
        self._open: list[tuple[dict[str, float], str, Any]] = []
        self._copies: deque[tuple[Any, Any, list[tuple[dict[str, float], str]], int]] = deque()
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
        while self._copies and (wait or self._copies[0][0].query()):
            event, host, targets, rows = self._copies.popleft()
            event.synchronize()  # returns at once unless `wait`
            for (row, name), value in zip(targets, host.tolist(), strict=True):
                row[name] = float(value)
            self._release(rows)
        if not self._copies and not self._open:
            self._release(len(self._rows))

    def _copy(self) -> None:
        torch = sys.modules["torch"]
        targets = [(row, name) for row, name, _ in self._open]
        tensors = [tensor for _, _, tensor in self._open]
        rows, self._open = len(self._rows) - self._rows_copied, []
        self._rows_copied = len(self._rows)
        try:
            device = tensors[0].device
            stacked = torch.stack([tensor.reshape(()).to(device=device, dtype=torch.float64) for tensor in tensors])
            host = torch.empty(len(tensors), dtype=torch.float64, pin_memory=device.type == "cuda")
            host.copy_(stacked, non_blocking=True)
            event = torch.Event(device) if device.type != "cuda" else torch.cuda.Event()
            event.record()
        except Exception as error:  # whatever a device driver says, the training goes on
            self._bad(f"values on a device could not be read: {type(error).__name__}: {error}")
            for row, name in targets:
                row[name] = float("nan")
            self._release(rows if not self._copies else 0)
            return
        self._copies.append((event, host, targets, rows))

    def _release(self, count: int) -> None:
        for _ in range(min(count, len(self._rows))):
            time, step, row, names = self._rows.popleft()
            self._rows_copied = max(0, self._rows_copied - 1)
            self._emit(time, step, {name: row[name] for name in names if name in row})
