"""What a script says of its metrics, once each: what they are, and what it expects of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bedside_protocol.definitions import NOTHING_SAID, BadDefinition, definition
from bedside_protocol.records import Body, ExpectationDeclared

from .notice import Problems


class Declarations:
    """A run's. `say` puts one into the log. Nothing here raises: what cannot be is named once on stderr."""

    def __init__(self, say: Callable[[Body], None], problems: Problems) -> None:
        self._say = say
        self._problems = problems
        self._definitions = NOTHING_SAID
        self._expectations: frozenset[ExpectationDeclared] = frozenset()

    def __repr__(self) -> str:
        return f"<Declarations {self._definitions!r}, {len(self._expectations)} expectations>"

    def define(self, pattern: object, kind: object, unit: object, direction: object) -> None:
        """What the metrics named like `pattern` are; said again, it is news only if something else was said since."""
        try:
            one = definition(pattern, kind, unit, direction)
            if not self._definitions.holds(one):
                self._definitions = self._definitions.with_room_for(one)
                self._say(one)
        except BadDefinition as error:
            self._problems(f"define_metric: {error}")
        except Exception as error:  # whatever was passed, the training goes on
            self._problems(f"define_metric: {type(error).__name__}: {error}")

    def expect(self, text: Any, severity: object) -> None:
        """What is expected of a metric; said again, it is no news."""
        try:
            from bedside_protocol.alerts.expecting import expectation, with_room  # loaded only by those who expect something

            one = expectation(text, severity)
            if one not in self._expectations:
                self._expectations = with_room(self._expectations, one)
                self._say(one)
        except ValueError as error:  # what it is that cannot be expected
            self._problems(f"expect: {error}")
        except Exception as error:  # as in `define`
            self._problems(f"expect: {type(error).__name__}: {error}")
