"""docs/rules.md: how a file of rules is written, made from the types of the rules, their docstrings and examples that are tested.

It reads the sources of the types, because Python keeps no docstring of a field.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from functools import lru_cache
from itertools import pairwise
from textwrap import dedent
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from bedside_protocol.alerts.rule_schema import METRIC_FIELD, WATCHES, WRITTEN, conditions_for, subject
from bedside_protocol.alerts.rule_trial import Trial
from bedside_protocol.alerts.rules import Grace, Rule, Span

EXAMPLES: Final = (
    (
        "A threshold on a metric",
        """
        [rules.loss-too-high]
        watch = {metric = "loss"}
        when = {beyond = {amber_above = 5.0, red_above = 10.0}}
        for_red = "20 points"

        [[tests]]
        rule = "loss-too-high"
        target = "loss"
        series = "1x29 12x29"
        every = 10
        expect = {290 = "ok", 300 = "amber", 490 = "red"}
        """,
    ),
    (
        "A number that a probe measures",
        """
        [rules.free-running-dead]
        watch = {probe = "rollout"}
        when = {beyond = {field = "collapse", amber_above = 0.2, red_above = 0.5}}
        for_red = "2 points"
        message = "{collapse:.0%} of the codes gone after one step"

        [[tests]]
        rule = "free-running-dead"
        target = "dream"
        series = {collapse = "0.1x2 0.6x2"}
        every = 100
        expect = {200 = "ok", 300 = "amber", 400 = "red"}
        """,
    ),
    (
        "A built-in rule with other numbers",
        """
        [rules.codebook-collapse]
        when = [
          {beyond = {field = "usage", amber_below = 0.6, red_below = 0.2}},
          {beyond = {field = "dead", per = "size", red_above = 0.9}},
        ]
        grace = {step = 5000}
        """,
    ),
    (
        "A built-in rule for some metrics only, and one that is off",
        """
        [rules.loss-level]
        watch = {metric = "train/*", kinds = ["loss"], trained_on = true}
        keep_firing_for = "500 steps"

        [rules.never-learns]
        off = true
        """,
    ),
    (
        'What is expected of a metric (a script says the same with `run.expect("val/accuracy > 0.9 by 2000")`)',
        """
        [rules.good-in-time]
        watch = {metric = "val/accuracy"}
        when = {expects = {above = 0.9, by = 2000}}
        worst = "amber"

        [[tests]]
        rule = "good-in-time"
        target = "val/accuracy"
        series = "0.5+0.1x5"
        every = 500
        expect = {1500 = "not checked", 2000 = "amber", 2500 = "cleared"}
        """,
    ),
    (
        "Where healthy runs were (`bedside rules reference RUN RUN RUN` writes such a rule)",
        """
        [rules.reference-loss]
        watch = {metric = "loss"}
        worst = "amber"
        for_amber = "20 points"

        [rules.reference-loss.when.leaves]
        window = 5
        steps = [50, 100, 200]
        low = [0.8, 0.4, 0.4]
        high = [1.5, 0.9, 0.9]

        [[tests]]
        rule = "reference-loss"
        target = "loss"
        series = "1x99 0.2x99"
        expect = {90 = "ok", 110 = "pending", 130 = "amber"}
        """,
    ),
)

_HEAD: Final = """\
# Rules of your own

A file of rules is TOML. Each table `[rules.NAME]` changes the built-in rule of that name (only the keys it gives), switches it off
(`off = true`), or is a new rule. `bedside rules list` names the built-in ones, `bedside rules explain NAME` tells all of one.

```
bedside rules test mine.toml         # runs the [[tests]] of the file: 0 all pass, 1 one fails, 2 the file is refused
bedside rules list --rules mine.toml # what results
bedside check RUN --rules mine.toml  # judges a recording by it
```

`bedside.init(rules="mine.toml")` has a run judged by the file while it trains; `check` judges its recording by the built-in rules unless
told otherwise.

A key that does not exist, a value that is impossible, limits that contradict each other, a rule to change that there is not: all of it is
said at once, each with its line, and the file is refused. A rule that finds nothing to look at in a run (no metric is called so, there is
no such probe, its `targets` and `but` leave nothing) is told by `check` among what was not checked. Made by `bedside rules schema`.
"""
_CONDITIONS: Final = f"""\
A condition with nothing to say is a bare word: `when = "non_finite"`. Of a metric, `field` is `{METRIC_FIELD}` and is left out.
"""
_TESTS: Final = """\
A series is a line: `3` a value, `_` none, `1+2x3` counts up (1, 3, 5, 7), `5x3` is 5 and the same three times more, `nan` and `inf` are
values. The rule is judged alone. Lists of names (`names_persist`) cannot be written in a test.
"""
_SCALARS: Final = {float: "a number", int: "a whole number", bool: "`true` or `false`", str: "a text", type(None): ""}


def document() -> str:
    """The whole of docs/rules.md."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Examples\n"
    for title, example in EXAMPLES:
        yield f"{title}:\n\n```toml\n{dedent(example).strip()}\n```\n"
    yield "## A rule\n"
    yield from _table(Rule, leave_out=("name",), extra=[("off", "`true` or `false`", "`false`", "Switches a built-in rule off.")])
    yield f"Lengths of time are {_way(Span)}. A rule whose `when` is a list is as bad as the worst of it; a metric has one condition.\n"
    yield "## What it watches\n"
    for name, kind in WATCHES.items():
        main = subject(kind)
        yield f"### `{f'{{{name} = …}}' if main else name}`\n\n{_about(kind)}\n"
        yield from _table(kind, renamed={main.name: name} if main else {})
        yield f"Judged by {', '.join(f'`{condition}`' for condition in conditions_for(kind))}.\n"
    yield "## When it is bad\n"
    yield _CONDITIONS
    for name, kind in {name: kind for watch in WATCHES.values() for name, kind in conditions_for(watch).items()}.items():
        yield f"### `{name}`\n\n{_about(kind)}\n"
        yield from _table(kind)
    yield f"## Grace\n\n{_about(Grace)}\n"
    yield from _table(Grace)
    yield "## Tests\n"
    yield from _table(Trial)
    yield _TESTS


def _table(
    kind: type, renamed: dict[str, str] | None = None, leave_out: Sequence[str] = (), extra: Sequence[tuple[str, str, str, str]] = ()
) -> Iterator[str]:
    """The fields of a dataclass as a table; nothing where it has none."""
    hints, said = get_type_hints(kind), _docstrings(kind)
    rows = [
        (
            WRITTEN.get(field.name, (renamed or {}).get(field.name, field.name)),
            _way(hints[field.name]),
            _default(kind, field),
            said.get(field.name, ""),
        )
        for field in fields(kind)
        if field.name not in leave_out
    ]
    if rows or extra:
        yield "| key | written as | default | meaning |\n|---|---|---|---|"
        for key, way, default, meaning in (*rows, *extra):
            yield f"| `{key}` | {way} | {default} | {meaning.replace('|', '/')} |"
        yield ""


def _way(hint: Any) -> str:
    """How a value of a type is written."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Span:
        return '`"20 points"`, `"200 steps"` or `"30 s"`'
    if hint is Grace:
        return "a table, see Grace"
    if origin is Literal:
        return " or ".join(f'`"{word}"`' for word in inside)
    if origin is tuple:
        return f"a list: {_way(inside[0])}"
    if origin in (Union, UnionType):
        kinds = [kind for kind in inside if kind is not type(None)]
        if len(kinds) == 1:
            return _way(kinds[0])
        return "a watch" if set(kinds) == set(WATCHES.values()) else "a condition"
    if hint in _SCALARS:
        return _SCALARS[hint]
    return f"a table: {_way(inside[1])}"


def _default(kind: type, field: Any) -> str:
    if kind is Rule and field.name in ("title", "message", "runbook"):
        return {"title": "the name", "message": "the value and since when", "runbook": "none"}[field.name]
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if value is MISSING:
        return "needed"
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, Span):
        return "at once"
    if isinstance(value, Grace):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _about(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


@lru_cache
def _docstrings(kind: type) -> dict[str, str]:
    """The docstring after each field of a class."""
    (tree,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    said: dict[str, str] = {}
    for field, after in pairwise(tree.body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(sentence))):
                said[name] = " ".join(sentence.split())
    return said
