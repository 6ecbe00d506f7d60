"""Names of the series of a group: `log({"loss": x}, group={"T": 64})` is a value of `loss [T=64]`, never of `loss`.

Scripts log the same metrics in the same few groups over and over: names are made once and looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any, Final

from bedside_protocol.metrics import grouped

from .tensors import MAX_NAME

_MOST: Final = 1024
"""Kinds of rows remembered; a script with more makes its names anew now and then."""
_LONGEST: Final = 100
"""Characters of a group, so that the metric's own name has room beside it."""


class BadGroup(ValueError):
    """This is no group; the text says what would be."""


class GroupedNames:
    """Rows with the names of their group."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return f"<GroupedNames of {len(self._known)} kinds of rows>"

    def row(self, values: Mapping[str, Any], group: Mapping[str, object]) -> dict[str, Any]:
        """The row under its group's names. Raises `BadGroup`."""
        if not isinstance(group, Mapping):
            raise BadGroup(f"a group is a mapping of names to numbers or words, not {type(group).__name__}")
        try:
            key = (*group.items(), *values)
            names = self._known.get(key)
        except TypeError as error:  # a tensor or a list has no hash that would find it again
            raise BadGroup("the values of a group are numbers or words") from error
        if names is None:
            names = _names(values, group)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = names
        return dict(zip(names, values.values(), strict=True))


def _names(values: Mapping[str, Any], group: Mapping[str, object]) -> tuple[str, ...]:
    if not all(isinstance(value, (str, Number)) for value in group.values()):
        raise BadGroup("the values of a group are numbers or words")
    suffix = grouped("", group)
    if len(suffix) > _LONGEST:
        raise BadGroup(f"a group of more than {_LONGEST} characters")
    return tuple(f"{name[: MAX_NAME - len(suffix)]}{suffix}" if isinstance(name, str) else name for name in values)
