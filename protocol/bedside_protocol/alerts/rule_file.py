"""Rules that a person wrote in a file: the built-in ones as the file changes them, and the file's own. Text in, values out.

A table `[rules.NAME]` changes the built-in rule of that name, or is a new one. It decides what may be said together and refuses the rest,
all of it at once, each with its line. It opens no file, and how single values are written is the schema's business.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_type_hints

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rule_message import default_message, why_unfillable
from bedside_protocol.alerts.rule_schema import WRITTEN, Reader, Slips, conditions_for, meant, shown, word
from bedside_protocol.alerts.rule_trial import Trial, objections, trial_of
from bedside_protocol.alerts.rules import OnMetric, Rule
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.alerts.toml_lines import Lines, Path, complaint

Origin: TypeAlias = Literal["changed", "added", "off"]

KEYS: Final = (*(WRITTEN.get(field.name, field.name) for field in fields(Rule) if field.name != "name"), "off")
"""What may be said of a rule."""

LONGEST: Final = 64 << 10
"""Characters of a file: a recording keeps it, as one record."""
_WIDEST: Final = 4000
"""Characters of a line. The lists of an envelope have half of it; a key of ten thousand tables would be read for a minute."""
_TOO_DEEP: Final = "there are too many tables or lists in each other"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_HINTS: Final = {name: hint for name, hint in get_type_hints(Rule).items() if name not in ("name", "watch", "conditions")}


class RuleFileError(ValueError):
    """What is wrong in a file: `slips` are sentences with file and line, by line."""

    def __init__(self, slips: Sequence[str]) -> None:
        super().__init__("\n".join(slips))
        self.slips = tuple(slips)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What a file says."""

    name: str
    rules: tuple[Rule, ...]
    """All rules to judge by: the built-in ones as changed, then the file's own."""
    origins: Mapping[str, Origin]
    """What the file did to the rules it names."""
    trials: tuple[Trial, ...] = ()


def read_rules(text: str, name: str = "rules.toml", builtin: Sequence[Rule] = DEFAULT_RULES) -> RuleFile:
    """Reads the text of a file called `name`. Raises `RuleFileError`."""
    said = _said(text, name)
    reader = Reader()
    book = _Book(builtin, reader)
    for key in said.keys() - {"rules", "tests"}:
        reader.refuse((key,), f"there is no {key} here: a file has [rules.NAME] and [[tests]]")
    rules, tests = said.get("rules", {}), said.get("tests", [])
    if isinstance(rules, dict):
        book.take(rules)
    else:
        reader.refuse(("rules",), "write [rules.NAME]")
    if not isinstance(tests, list):
        reader.refuse(("tests",), "write [[tests]]")
        tests = []
    trials = [trial_of(each, reader, ("tests", at)) for at, each in enumerate(tests)]
    for at, trial in enumerate(trials):
        if isinstance(trial, Trial):
            for key, why in objections(trial, book.all, book.known):
                reader.refuse(("tests", at, key), why)
    if reader.slips:
        raise RuleFileError(_located(reader.slips, text, name))
    return RuleFile(name, book.all, MappingProxyType(book.origins), tuple(trials))


def _said(text: str, name: str) -> dict[str, Any]:
    """What the text says as TOML. A recording may hold any text, so that it is refused also where reading it would not end well."""
    if len(text) > LONGEST or max(map(len, text.split("\n"))) > _WIDEST:
        raise RuleFileError([f"{name}:1: longer than {LONGEST:,} characters, or than {_WIDEST:,} in a line"])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, why = complaint(error, text)
        raise RuleFileError([f"{name}:{line}: {why}"]) from None
    except RecursionError:
        raise RuleFileError([f"{name}:1: {_TOO_DEEP}"]) from None
    except ValueError as error:  # a number of thousands of digits
        raise RuleFileError([f"{name}:1: {error}"]) from None


class _Book:
    """The rules as they become while a file is read."""

    def __init__(self, builtin: Sequence[Rule], reader: Reader) -> None:
        self._reader = reader
        self._builtin = tuple(builtin)
        self._standing: dict[int, Rule] = dict(enumerate(builtin))
        self.known = {rule.name for rule in builtin}
        """The names of all rules, also of those that were refused."""
        self.added: list[Rule] = []
        self.origins: dict[str, Origin] = {}

    def __repr__(self) -> str:
        return f"<_Book {len(self._standing)} built in, {len(self.added)} added>"

    @property
    def all(self) -> tuple[Rule, ...]:
        return (*self._standing.values(), *self.added)

    def take(self, tables: Mapping[str, Any]) -> None:
        self.known |= tables.keys()
        for name, table in tables.items():
            path: Path = ("rules", name)
            places = [place for place, rule in enumerate(self._builtin) if rule.name == name]
            if not isinstance(table, dict):
                self._reader.refuse(path, f"write [rules.{name}]")
            elif "off" in table and self._is_off(table, path, known=bool(places)):
                self.origins[name] = "off"
                for place in places:
                    del self._standing[place]
            elif places:
                self._change(name, places, table, path)
            else:
                self._add(name, table, path)

    def _is_off(self, table: Mapping[str, Any], path: Path, *, known: bool) -> bool:
        off = self._reader.value(bool, table["off"], (*path, "off"))
        if off is True and not known:
            self._reader.refuse(path, f"no built-in rule is called {path[-1]}{self._near(path[-1])}")
        if off is True and len(table) > 1:
            self._reader.refuse((*path, "off"), "a rule that is off needs nothing else")
        return off is True

    def _change(self, name: str, places: Sequence[int], table: Mapping[str, Any], path: Path) -> None:
        whole = [key for key in ("watch", "when") if key in table]
        if whole and len(places) > 1:
            self._reader.refuse((*path, whole[0]), f"{name} is {len(places)} rules in one: switch it off and write your own instead")
            return
        self.origins[name] = "changed"
        given = self._given(table, path, type(self._builtin[places[0]].watch))
        for place in places:
            rule = self._standing[place] = replace(self._builtin[place], **given)
            self._prove(rule, path)

    def _add(self, name: str, table: Mapping[str, Any], path: Path) -> None:
        if not _NAME.fullmatch(name):
            self._reader.refuse(path, f"{shown(name)} is no name: small letters, digits, - _ . and at most 40")
        missing = [key for key in ("watch", "when") if key not in table]
        if len(missing) == 2:
            self._reader.refuse(path, f"no rule is called {name}{self._near(name)}; a new one needs watch and when")
        elif missing:
            self._reader.refuse(path, f"a new rule needs {missing[0]}")
        given = self._given(table, path, OnMetric)
        if "watch" in given and "conditions" in given:
            self.origins[name] = "added"
            said = {"title": name.replace("-", " "), "message": default_message(given["conditions"]), "runbook": "", **given}
            self.added.append(Rule(name=name, **said))
            self._prove(self.added[-1], path)

    def _given(self, table: Mapping[str, Any], path: Path, watched: type) -> dict[str, Any]:
        """The fields a table gives that could be read, by their names in a rule."""
        reader = self._reader
        for key in table.keys() - set(KEYS):
            reader.refuse((*path, key), f"a rule has no {key}{meant(key, KEYS)}: it has {', '.join(KEYS)}")
        given = reader.entries(_HINTS, {key: table[key] for key in table if key in _HINTS}, path)
        if "watch" in table and reader.is_good(watch := reader.watch(table["watch"], (*path, "watch"))):
            given["watch"], watched = watch, type(watch)
        if "when" in table and ("watch" not in table or "watch" in given):  # else what it would be judged by is not known
            conditions = reader.several(table["when"], (*path, "when"), lambda raw, at: reader.condition(watched, raw, at))
            given |= {"conditions": conditions} if reader.is_good(conditions) else {}
        for name in given.get("quiet_under", ()):
            if name not in self.known:
                reader.refuse((*path, "quiet_under"), f"no rule is called {name}{meant(name, self.known)}")
        if (book := given.get("runbook")) and book not in RUNBOOKS:
            reader.refuse((*path, "runbook"), f"no runbook is called {book}{meant(book, RUNBOOKS)}: there are {', '.join(RUNBOOKS)}")
        return given

    def _prove(self, rule: Rule, path: Path) -> None:
        """Refuses what does not fit together in a rule."""
        before, refuse = len(self._reader.slips), self._reader.refuse
        able = conditions_for(type(rule.watch)).values()
        for condition in rule.conditions:
            if type(condition) not in able:
                refuse((*path, "watch"), f"{word(type(condition))} cannot be judged there")
        if not rule.conditions:
            refuse((*path, "when"), "when is empty: it would never fire")
        if isinstance(rule.watch, OnMetric) and len(rule.conditions) > 1:
            refuse((*path, "when"), "a metric is judged by one condition: write a rule for each")
        if len(self._reader.slips) == before and (why := why_unfillable(rule, self._builtin)):
            refuse((*path, "message"), why)

    def _near(self, name: str | int) -> str:
        return meant(str(name), [rule.name for rule in self._builtin])


def _located(slips: Slips, text: str, name: str) -> list[str]:
    try:
        lines = Lines(text)
    except RecursionError:
        return [f"{name}:1: {_TOO_DEEP}"]
    placed = sorted((lines.line(path), ".".join(key for key in path if isinstance(key, str)), why) for path, why in slips)
    return list(dict.fromkeys(f"{name}:{line}: {where}: {why}" for line, where, why in placed))
