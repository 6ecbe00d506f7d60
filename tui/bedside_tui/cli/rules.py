"""`bedside rules`: the rules in words, one with its runbook, the tests of a file, a file made from healthy runs, how one is written.

Exit codes of `rules test`: 0 all tests pass, 1 one fails, 2 the file is refused or tests nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import Any, Final

from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.rule_file import RuleFile, RuleFileError, read_rules
from bedside_protocol.alerts.rule_schema import meant
from bedside_protocol.alerts.rule_trial import failures
from bedside_protocol.alerts.rule_words import condition_words, fires, warming_up, watched, written
from bedside_protocol.alerts.rules import Rule
from bedside_protocol.alerts.runbooks import RUNBOOKS
from bedside_protocol.sanitise import text as safe
from bedside_tui.cli import USAGE_ERROR, Failure, rules_book, rules_reference
from bedside_tui.cli.options import add_json

REFUSED: Final = 2
BUILT_IN: Final = RuleFile("", DEFAULT_RULES, MappingProxyType({}))
"""What judges where no file says otherwise."""
DEFAULT: Final = "default"
"""What `--rules` calls them; a file of that name is `./default`."""

_WIDTH: Final = 80
_ASSURES: Final = {
    "ok": "a run it has judged and is silent about may be called ok",
    "needed": "a run is called ok only if it has judged it",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    listing = what.add_parser("list", help="all rules: what each watches, when it fires, where it is from")
    explained = what.add_parser("explain", help="one rule in full, with its runbook")
    explained.add_argument("NAME", help="the name of a rule")
    for parser in (listing, explained):
        add_rules(parser)
        add_json(parser)
    tested = what.add_parser("test", help="run the tests of a rule file; exit code 0 all pass, 1 one fails, 2 the file is refused")
    tested.add_argument("FILE", type=Path, help="a rule file with [[tests]]")
    add_json(tested)
    rules_reference.arguments(what.add_parser("reference", help="a rule file made from healthy runs, which tells a run that leaves them"))
    what.add_parser("schema", help="how a rule file is written (docs/rules.md)")
    what.add_parser("book", help="all built-in alarms with their runbooks, as one document (docs/alarms.md)")


def add_rules(parser: argparse.ArgumentParser) -> None:
    """`--rules`: a file of rules."""
    parser.add_argument("--rules", metavar="FILE", help=f"rules of your own, in TOML (docs/rules.md); {DEFAULT}: the built-in ones")


def run(options: argparse.Namespace) -> int:
    return _PARTS[options.what](options)


def rules_of(options: argparse.Namespace) -> RuleFile:
    """The rules of `--rules`, else the built-in ones. Raises `Failure`."""
    return BUILT_IN if options.rules in (None, DEFAULT) else rule_file(Path(options.rules))


def rule_file(path: Path, refused: int = USAGE_ERROR) -> RuleFile:
    """A file of rules. Raises `Failure` where it cannot be opened, and with the code `refused` and a line for every slip where it is not
    taken."""
    try:
        return read_rules(path.read_text(encoding="utf-8"), path.name)
    except RuleFileError as error:
        raise Failure(*error.slips, code=refused) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8'}") from None


def _list(options: argparse.Namespace) -> int:
    rules = rules_of(options)
    if options.json:
        print(_json([_to_json(rule, rules) for rule in rules.rules]))
        return 0
    for name, alike in groupby(rules.rules, key=lambda rule: rule.name):
        print(_headed(name, _origin(name, rules)))
        for rule in alike:
            print(_filled(f"{watched(rule.watch)}: {fires(rule)}", "  "))
    for name in [name for name, did in rules.origins.items() if did == "off"]:
        print(_headed(name, f"off in {safe(rules.name)}"))
    return 0


def _explain(options: argparse.Namespace) -> int:
    rules = rules_of(options)
    alike = [rule for rule in rules.rules if rule.name == options.NAME]
    if not alike:
        names = list(dict.fromkeys(rule.name for rule in rules.rules))
        raise Failure(f"no rule is called {options.NAME}{meant(options.NAME, names)}: `bedside rules list` names them all")
    if options.json:
        print(_json([_to_json(rule, rules) for rule in alike]))
        return 0
    print(_headed(f"{alike[0].name} · {safe(alike[0].title)}", _origin(alike[0].name, rules)))
    for rule in alike:
        print("\n".join(_rows(_about(rule))))
    print("\n".join(_rows(_runbook(alike[0].runbook))))
    return 0


def _test(options: argparse.Namespace) -> int:
    rules = rule_file(options.FILE, REFUSED)
    results = [(trial, failures(trial, rules.rules)) for trial in rules.trials]
    if options.json:
        print(_json([{"rule": trial.rule, "target": trial.target, "passed": not found, "failures": found} for trial, found in results]))
    for number, (trial, found) in enumerate(results, 1) if not options.json else ():
        print(f"{'✖' if found else '●'} {number}  {trial.rule} on {safe(trial.target)}")
        for sentence in found:
            print(_filled(sentence, "       "))
    if not results:
        print(f"bedside: {safe(rules.name)} has no [[tests]]", file=sys.stderr)
        return REFUSED
    return int(any(found for _, found in results))


def _schema(options: argparse.Namespace) -> int:
    from bedside_tui.cli.rules_schema import document  # reads sources: only for who asks

    print(document(), end="")
    return 0


def _book(options: argparse.Namespace) -> int:
    print(rules_book.document(), end="")
    return 0


_PARTS: Final = MappingProxyType(
    {"list": _list, "explain": _explain, "test": _test, "reference": rules_reference.run, "schema": _schema, "book": _book}
)


def _origin(name: str, rules: RuleFile) -> str:
    return {"changed": f"built in, changed in {safe(rules.name)}", "added": safe(rules.name)}.get(rules.origins.get(name, ""), "built in")


def _to_json(rule: Rule, rules: RuleFile) -> Mapping[str, Any]:
    """The documented object of `rules --json`: a rule as a file says it, and whose it is."""
    return {"from": rules.origins.get(rule.name, "built in"), **written(rule)}


def _about(rule: Rule) -> Iterator[tuple[str, Sequence[str]]]:
    yield "watches", [watched(rule.watch)]
    yield "when", [condition_words(condition) for condition in rule.conditions]
    yield "fires", [fires(rule)]
    yield "clears", [f"when it is well for {rule.keep_firing_for}" if rule.keep_firing_for.count else "as soon as it is well"]
    if grace := warming_up(rule):
        yield "not before", [grace]
    if rule.quiet_under:
        yield "quiet", [f"while {' or '.join(rule.quiet_under)} tells of the same"]
    if rule.assures in _ASSURES:
        yield "its silence", [_ASSURES[rule.assures]]
    yield "says", [rule.message]


def _runbook(name: str) -> Iterator[tuple[str, Sequence[str]]]:
    book = RUNBOOKS.get(name)
    if book is None:
        yield "runbook", ["none"]
        return
    yield "means", [book.what]
    yield "causes", book.why
    yield "look", [f"{key}  {what}" for key, what in book.look]
    yield "fixed by", book.fixed


def _rows(about: Iterator[tuple[str, Sequence[str]]]) -> Iterator[str]:
    yield ""
    for label, sentences in about:
        for place, sentence in enumerate(sentences):
            yield _filled(safe(sentence, 1000), f"  {label if not place else '':<12}", " " * 16)


def _headed(left: str, right: str) -> str:
    return f"{left}  {right.rjust(_WIDTH - len(left) - 2)}" if len(left) + len(right) + 2 <= _WIDTH else f"{left}\n  {right}"


def _filled(sentence: str, first: str, later: str = "") -> str:
    return "\n".join(wrap(sentence, _WIDTH, initial_indent=first, subsequent_indent=later or f"{first}  "))


def _json(what: Any) -> str:
    return json.dumps(what, indent=2, allow_nan=False)
