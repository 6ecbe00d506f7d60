"""The weights in a checkpoint's file: which part of it fits a model, and after how many steps it was saved.

Only tensors and plain values are read; nothing is unpickled. What does not fit a model to the last tensor is refused, with the names:
numbers of half a model are worse than none. This file changes no model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from torch.nn import Module

State: TypeAlias = Mapping[str, Any]
"""Tensors by name, as a module's `state_dict` gives them."""

_USUAL: Final = ("", "model", "state_dict", "model_state_dict", "module", "net", "network", "weights")
"""Where weights usually are, the most usual first. Where several parts of a file fit, one of these is meant."""
_COUNTERS: Final = ("step", "global_step", "epoch")
_DEEPEST: Final = 3
_SHOWN: Final = 3
"""Names of tensors in a sentence: the counts tell the rest."""
_COMPILED: Final = "_orig_mod"
_PARALLEL: Final = "module"
"""What torch.compile puts into names, and what DataParallel and DistributedDataParallel put before them."""


class Unfit(Exception):
    """The checkpoint cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The part of a file that fits a model: its place in the file, and its tensors by the model's own names."""

    place: str
    state: dict[str, Any]


class CheckpointFile:
    """What a file holds. Raises `Unfit` where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = _read(path)
        self._states = dict(_states(self._content, "", _DEEPEST))
        if not self._states:
            raise Unfit(f"{path.name} holds no weights: torch.save(model.state_dict(), path) writes such a file")

    def __repr__(self) -> str:
        return f"<CheckpointFile {self.path.name}: {', '.join(place or '(all of it)' for place in self._states)}>"

    def trained(self, order: int) -> tuple[int, str]:
        """The steps (or epochs) it had been trained for, and what tells them; where nothing does, its `order` in the list."""
        for name in _COUNTERS:
            if isinstance(self._content, Mapping) and (count := _count(self._content.get(name))) is not None:
                return count, name
        stem = self.path.stem
        after_step = re.findall(r"step[^0-9a-z]*(\d+)", stem, re.IGNORECASE)
        numbers = after_step or re.findall(r"\d+", stem)
        return (int(numbers[-1]), "name") if numbers else (order, "order")

    def fit(self, model: Module) -> Fit:
        """The part whose names and shapes are the model's. Raises `Unfit`."""
        own = model.state_dict()
        kind = type(model).__name__
        if not own:
            raise Unfit(f"the watched {kind} has no weights")
        named = {place: _renamed(state, own) for place, state in self._states.items()}
        fitting = [place for place, state in named.items() if state is not None and not _wrong_shapes(state, own)]
        chosen = next((place for place in _USUAL if place in fitting), fitting[0] if len(fitting) == 1 else None)
        if chosen is not None:
            return Fit(chosen, named[chosen] or {})
        if fitting:
            raise Unfit(f"{self.path.name} holds several weights that fit the watched {kind}: {', '.join(fitting)}; which are meant?")
        nearest = max(self._states.values(), key=lambda state: len(own.keys() & _bare(state).keys()))
        raise Unfit(f"{self.path.name} does not fit the watched {kind}: {_apart(_renamed(nearest, own) or _bare(nearest), own)}")


def _read(path: Path) -> Any:
    import torch

    if path.is_dir():
        raise Unfit(f"{path.name} is a directory, not a file that torch.load reads")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise Unfit(f"{path.name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # truncated, foreign, or with objects in it: torch knows many ways to say so
        text = str(error)
        if found := re.search(r"GLOBAL ([\w.]+)", text):
            name = found[1]
            raise Unfit(
                f"{path.name} holds an object of {name} beside its weights, which is not unpickled: save tensors and plain values alone, "
                f"or have the script call torch.serialization.add_safe_globals([{name}]) before run.watch"
            ) from error
        raise Unfit(f"{path.name} is no file that torch.load reads ({type(error).__name__})") from error


def _states(content: object, place: str, depth: int) -> Iterator[tuple[str, State]]:
    """Every part of a file that has the form of a `state_dict`, by its place."""
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        return
    if _is_state(content):
        yield place, content
    elif depth:
        for name, part in content.items():
            yield from _states(part, f"{place}.{name}" if place else name, depth - 1)


def _is_state(part: Mapping[str, Any]) -> bool:
    import torch

    return any(isinstance(value, torch.Tensor) for value in part.values()) and all(
        isinstance(value, torch.Tensor) or name.endswith("_extra_state") for name, value in part.items()
    )


def _renamed(state: State, own: State) -> dict[str, Any] | None:
    """The state by the model's own names, whatever wrappers stood around either when they were made; None where the names differ."""
    for wanted in (_bare(own), _without_first(_bare(own), _PARALLEL)):
        given: dict[str, Any] | None = _bare(state)
        while given is not None and wanted is not None:
            if given.keys() == wanted.keys():
                original = dict(zip(wanted, own, strict=True))
                return {original[name]: value for name, value in given.items()}
            given = _without_first(given)
    return None


def _bare(state: State) -> dict[str, Any]:
    return {".".join(part for part in name.split(".") if part != _COMPILED): value for name, value in state.items()}


def _without_first(state: dict[str, Any], only: str = "") -> dict[str, Any] | None:
    """The names without a first part that all of them share (a wrapper's name); None where they share none, or another than `only`."""
    firsts = {name.partition(".")[0] for name in state}
    if len(firsts) != 1 or not all("." in name for name in state) or (only and firsts != {only}):
        return None
    return {name.partition(".")[2]: value for name, value in state.items()}


def _wrong_shapes(state: State, own: State) -> list[str]:
    return [name for name, value in state.items() if name in own and getattr(value, "shape", None) != getattr(own[name], "shape", None)]


def _apart(state: State, own: State) -> str:
    """In what a state and the model's differ, with counts and names."""
    bare = _bare(own)
    differences = [
        (f"of its {len(bare)} tensors missing", [name for name in bare if name not in state]),
        ("it does not know", [name for name in state if name not in bare]),
        ("of another shape", [f"{name} {_shape(state[name])} for {_shape(bare[name])}" for name in _wrong_shapes(state, bare)]),
    ]
    return "; ".join(f"{len(names)} {what} ({_listed(names)})" for what, names in differences if names)


def _shape(value: Any) -> str:
    return "×".join(map(str, value.shape)) or "of one number" if hasattr(value, "shape") else type(value).__name__


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])])


def _count(value: Any) -> int | None:
    """A whole number at least 0, also as a tensor of one number."""
    if hasattr(value, "numel") and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value >= 0 and value == int(value) else None
