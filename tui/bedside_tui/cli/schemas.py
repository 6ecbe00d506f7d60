"""What the verbs' JSON objects hold, as JSON Schema. The page of commands and the schema files are made of this, and what the verbs print
is tested against it.

Fields may be added in later versions; none is taken away or given another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from bedside_protocol.alerts.rules import Horizon
from bedside_protocol.alerts.verdict import EXIT_CODES
from bedside_protocol.columns import Axis
from bedside_protocol.records import CommandState, Direction, Lifecycle, Severity, Verb
from bedside_tui.cli import wait
from bedside_tui.cli.schema_words import Schema
from bedside_tui.cli.schema_words import by_name as _by_name
from bedside_tui.cli.schema_words import count as _count
from bedside_tui.cli.schema_words import flag as _flag
from bedside_tui.cli.schema_words import list_of as _list
from bedside_tui.cli.schema_words import maybe as _maybe
from bedside_tui.cli.schema_words import number as _number
from bedside_tui.cli.schema_words import object_of as _object
from bedside_tui.cli.schema_words import one_of as _one_of
from bedside_tui.cli.schema_words import said as _said
from bedside_tui.cli.schema_words import text as _text
from bedside_tui.compare.configuration import Section
from bedside_tui.record_schema import RECORD

LIFECYCLES: Final = get_args(Lifecycle)


def _lifecycle(description: str) -> Schema:
    return {"title": "lifecycle", **_one_of(LIFECYCLES, description)}


_VALUES: Final = _by_name(_maybe(_number()), "the newest value of each metric; null for what is no finite number")
_ALARM: Final[Mapping[str, Schema]] = MappingProxyType({
    "rule": _text("the rule's name"),
    "severity": _one_of(get_args(Severity)),
    "target": _text("the metric or probe it is about, or `run`"),
    "first_step": _count("the first step of the evidence"),
    "step": _count("the step at which it fired"),
    "value": _maybe(_number("the value that was judged")),
    "message": _text("what a person reads"),
    "runbook": _text("the name of the page that says what to do"),
})  # fmt: skip
_BEST: Final[Mapping[str, Schema]] = MappingProxyType({
    "metric": _text(),
    "value": _number(),
    "step": _count("the first at which it was reached"),
    "direction": _one_of(get_args(Direction), "which way is better"),
})  # fmt: skip
_NOTE: Final = _object({
    "text": _text(),
    "author": _text(),
    "step": _count("the step it is pinned to"),
    "time": _number("and its seconds since the run began"),
    "written": _number("when it was written, in seconds since the epoch"),
})  # fmt: skip
_BOOK: Final[Mapping[str, Schema]] = MappingProxyType({
    "verdict": _text("the person's; empty where none was given"),
    "by": _text("who gave it"),
    "tags": _list(_text(), "in the order of their coming"),
    "notes": _list(_NOTE, "the newest 200, the oldest of them first"),
    "note_count": _count("how many there are in all"),
})  # fmt: skip
_RUN: Final[Mapping[str, Schema]] = MappingProxyType({
    "id": _text("the name of the run's directory"),
    "name": _text(),
    "project": _text(),
    "lifecycle": _lifecycle("how the run is, or how it ended"),
    "reason": _text("why, in words; may be empty"),
    "step": _count("the newest step"),
    "metrics": _VALUES,
    "started": _number("seconds since the epoch"),
    "dir": _text("the run's directory"),
    "verdict": _one_of(EXIT_CODES, "the worst that ever fired, by the rules that judged it live"),
    "alerts": _object({"amber": _count(), "red": _count()}, "how many have fired"),
    "best": _list(_object(_BEST), "of metrics whose better side is known; what the script gave a direction first, then the main loss"),
    "book": _object(_BOOK, "what people said of it"),
    "damaged": _count("places of the recording that cannot be read; what is whole is told"),
})  # fmt: skip
_STATUS: Final = _object({
    **_RUN,
    "ranks": _list(_object({
        "rank": _count(),
        "step": _count(),
        "host": _text(),
        "state": _text("how it was when it was last seen; empty for a run of one process"),
        "silent": _maybe(_number("seconds since it was last heard")),
    }), "the processes of the run that are watched here"),
    "firing": _list(_object(_ALARM), "what fires now"),
})  # fmt: skip
_CHECK: Final = _object({
    "verdict": _one_of(EXIT_CODES, "what the exit code says"),
    "rules": _text("whose rules judged"),
    "steps": _count("the highest step"),
    "ended": _lifecycle("how it ended"),
    "alerts": _list(
        _object({**_ALARM, "horizon": _one_of(get_args(Horizon), "how soon it matters")}), "each alarm that fired, at its worst"
    ),
    "checkpoints": _list(
        _object({"step": _count(), "path": _text(), "suspect_of": _maybe(_text("what it may hold; null for a good one"))}),
        "in the order they were saved",
    ),
    "review": _list(
        _object({"name": _text(), "target": _text(), "text": _text(), "numbers": _by_name(_number(), "what the text says, as numbers")}),
        "remarks, no part of the verdict",
    ),
    "not_checked": _list(_object({"rule": _text(), "why": _text()}), "rules that could not judge"),
})  # fmt: skip
_NUMBERS: Final = _maybe(_number())
_QUANTITIES: Final = _list(
    _object(
        {
            "name": _text(),
            "probe": _text("empty for a metric"),
            "scalar": _text(),
            "direction": _maybe(_one_of(get_args(Direction))),
            "best": _list(_count(), "the rows in which it is best, from 0; several where they tie"),
        }
    ),
    "what was measured",
)
_COMPARE: Final = _object({
    "runs": _list(
        _object({
            "letter": _text("by which the run is known below"),
            **{name: _RUN[name] for name in ("id", "name", "project", "lifecycle", "reason", "step")},
            "seconds": _number("how long it took, or so far"),
            "verdict": _RUN["verdict"],
        }),
        "in the order they were named",
    ),
    "by": _one_of(get_args(Axis), "what `at` of the curves is: steps, or seconds since each run began"),
    "metrics": _list(
        _object({
            "name": _text(),
            "direction": _maybe(_one_of(get_args(Direction), "which way is better; null where nobody knows")),
            "last": _by_name(_NUMBERS, "the newest value, by the run's letter; null for what is no finite number"),
            "best": _by_name(_NUMBERS, "the best value so far, by letter"),
            "best_step": _by_name(_count(), "its step, by letter"),
            "best_last": _list(_text(), "the runs whose newest value is the best; none where all are equal"),
            "best_of_all": _list(_text(), "the runs that have had the best; none where all have"),
        }),
        "all that were logged, those that more runs have first",
    ),
    "curves": _list(
        _object({
            "metric": _text(),
            "run": _text("its letter"),
            "at": _list(_number(), "where each stretch of steps or of time begins"),
            "mean": _list(_NUMBERS, "the mean in each"),
        }),
        "of the metrics of `--metric`, or of the first that runs have in common",
    ),
    "configuration": _object({
        "differences": _list(
            _object({
                "section": _one_of(get_args(Section)),
                "key": _text(),
                "values": _by_name(
                    {"type": ["string", "number", "boolean", "null"]}, "by letter; a run that has no such key is not there"
                ),
            }),
            "what not all runs agree on",
        ),
        "same": _count("keys that all runs agree on"),
    }),
    "checkpoints": _object({
        "quantities": _QUANTITIES,
        "rows": _list(
            _object({
                "run": _text("its letter"),
                "step": _count(),
                "path": _text("of the checkpoint; empty for a run that saved none, as it was known last"),
                "suspect_of": _maybe(_text("what it may hold; null for a good one")),
                "values": _by_name(_NUMBERS, "the newest at or before the step, by the quantity's name"),
            }),
            "the checkpoints, run by run",
        ),
    }),
    "alerts": _list(
        _object({
            "rule": _text(),
            "target": _text(),
            "title": _text(),
            "runs": _by_name(
                _object({
                    "severity": _one_of(get_args(Severity), "the worst it became"),
                    "step": _count("at which it fired first"),
                    "stands": _flag("whether it needs somebody"),
                    "episodes": _count("how often it fired"),
                }),
                "by letter; a run in which it never fired is not there",
            ),
        }),
        "each rule that fired in one of the runs",
    ),
})  # fmt: skip
_WAIT: Final = _object({
    "outcome": _one_of(wait.EXIT_CODES, "what the exit code says"),
    "until": _text("the expression, as it was read"),
    "held": _list(_text(), "its terms that held at that moment"),
    "step": _count("the step of the moment at which it held, or of the newest record"),
    "time": _number("and its seconds since the run began"),
    "lifecycle": _lifecycle("how the run was then"),
    "alert": _maybe(_one_of(get_args(Severity), "the worst that fired then; null where nothing did")),
    "metrics": _said(_VALUES, "the values then of the metrics in the expression; null for what is no finite number"),
})  # fmt: skip
_THREAD: Final = _object({
    "name": _text(),
    "frames": _list(_object({
        "file": _text("shortened"),
        "line": _count("0 where it is not known"),
        "function": _text(),
        "source": _text("the text of the line, empty where it could not be read"),
    }), "its calls, the innermost first"),
    "kernel": _text("what the operating system says of it; may be empty"),
    "left_out": _count("outer calls that were not recorded"),
})  # fmt: skip
_CTL: Final = _object({
    "id": _text("of the command, as the log has it"),
    "verb": _one_of(get_args(Verb)),
    "state": _one_of(get_args(CommandState), "the last that the run said of it"),
    "step": _count("where it was applied; -1 before"),
    "detail": _text("why, in words; may be empty"),
    "threads": _list(_THREAD, "where each thread is, the one that trains first, of several ranks by rank; only of a stack"),
})  # fmt: skip
_IMPORT: Final = _object({
    "id": _text("the name of the directory that was made"),
    "log": _text("the recording"),
    "form": _text("what the file was taken for"),
    "verdict": _one_of(EXIT_CODES, "the worst that fired, by the built-in rules"),
    "records": _count("records read, where whole records were"),
    "values": _count("values read, where numbers were"),
    "metrics": _count("of how many metrics"),
    "first_step": _count(),
    "last_step": _count(),
    "notes": _list(_text(), "what a reader of the numbers must know"),
    "left_out": _by_name(_count(), "what was not read, and how often; 0 where that is not counted"),
})  # fmt: skip

_PROBE: Final = _object({
    "checkpoints": _list(
        _object({
            "checkpoint": _text("the file, as it was named"),
            "step": _maybe(_count("how long it had been trained; null where nothing tells")),
            "told_by": _text("what tells it: `step`, `global_step` or `epoch` in the file, `name`, or `order` where nothing does"),
            "weights": _text("the place of the weights in the file; empty for the whole of it"),
            "steps": _count("made with its weights"),
            "data": _text("a digest of what the model was given first; empty where that was not seen"),
            "log": _maybe(_text("the recording")),
            "why": _maybe(_text("why it was not measured; null where it was")),
            "values": _by_name(_NUMBERS, "by the quantity's name"),
        }),
        "by their steps; those that were not measured last",
    ),
    "quantities": _QUANTITIES,
    "remarks": _list(_text(), "what a reader of the table must know"),
})  # fmt: skip

SCHEMAS: Final[Mapping[str, tuple[str, Schema]]] = MappingProxyType({
    "runs": ("bedside runs --json", _list(_object(_RUN), "the runs of this machine, newest first")),
    "status": ("bedside status [RUN] --json", _STATUS),
    "check": ("bedside check [RUN] --json", _CHECK),
    "compare": ("bedside compare RUN RUN … --json", _COMPARE),
    "probe": ("bedside probe SCRIPT --checkpoints GLOB … --json", _PROBE),
    "wait": ("bedside wait [RUN] --until EXPRESSION --json", _WAIT),
    "book": ("bedside note|verdict|tag RUN --json", _object({"id": _text("the name of the run's directory"), **_BOOK})),
    "ctl": ("bedside ctl RUN ACTION --json", _CTL),
    "import": ("bedside import FILE --json", _IMPORT),
    "watch": ("bedside watch [RUN], a line", RECORD),
})  # fmt: skip
"""(command, schema of what it prints) by the name of the schema's file."""
