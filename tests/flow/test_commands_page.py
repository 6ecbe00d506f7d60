"""The page of commands and the schemas are what the verbs print."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from bedside_protocol.records import (
    AlertChanged,
    Array,
    CheckpointSaved,
    CommandChanged,
    Ended,
    Event,
    MetricDefined,
    Metrics,
    Note,
    ProbeDeclared,
    Snapshot,
)
from bedside_tui.cli.commands_page import pages
from bedside_tui.cli.schemas import SCHEMAS
from bedside_tui.places import RunPlace
from bedside_tui.record_schema import RECORD

Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[..., Metrics]

DOCS = Path(__file__).parents[2] / "docs"
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def misfits(value: Any, schema: Any, where: str = "$") -> list[str]:
    """Where a value is not as the schema says, or holds what the schema does not mention."""
    if "anyOf" in schema:
        each = [misfits(value, alternative, where) for alternative in schema["anyOf"]]
        return min(each, key=len)
    if "not" in schema:
        return [] if misfits(value, schema["not"]) else [f"{where} is {value!r}"]
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{where} is {value!r}"]
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", list(TYPES))
    if not any(isinstance(value, TYPES[kind]) and (kind in ("boolean",) or not isinstance(value, bool)) for kind in kinds):
        return [f"{where} is {value!r}, no {kinds}"]
    if isinstance(value, list):
        return [found for place, item in enumerate(value) for found in misfits(item, schema.get("items", {}), f"{where}[{place}]")]
    if not isinstance(value, dict):
        return []
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    missing = [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    unknown = [f"{where}.{name} is in no schema" for name in value if name not in named and others is None]
    inner = [found for name, item in value.items() for found in misfits(item, named.get(name, others if others else {}), f"{where}.{name}")]
    return missing + unknown + inner


def test_the_files_in_docs_are_made_of_what_the_verbs_declare() -> None:
    """After a change of what a verb prints: `python -m bedside_tui.cli.commands_page docs`."""
    assert {path: (DOCS / path).read_text() for path in pages()} == pages()


def test_a_value_that_is_not_as_a_schema_says_is_found() -> None:
    _, schema = SCHEMAS["runs"]
    assert misfits([{"id": 3, "colour": "red"}], schema)[-2:] == ["$[0].colour is in no schema", "$[0].id is 3, no ['string']"]
    assert misfits({"kind": "tick", "seq": 1, "time": "soon", "rank": 0, "counter": 1, "body": {"step": 1}}, RECORD) == [
        "$.time is 'soon', no ['number']"
    ]


def eventful(record: Made, losses: Losses) -> RunPlace:
    fired = AlertChanged("nonfinite", "loss", "firing", "red", 31, 31, nan, "NaN since step 31", "nonfinite", 1)
    usage = {"usage": Array("histogram", np.array([[1.0, nan], [2.0, 3.0]]), ("a", "b"))}
    return record([
        MetricDefined("loss", "loss", None, "down"), ProbeDeclared("vq", "codebook", 50, {"size": 64, "ema": True, "note": None}),
        CheckpointSaved("/ckpt/1.pt", 9, 1), losses([1.0] * 30 + [nan] * 20), fired, CheckpointSaved("/ckpt/2.pt", 9, 50),
        Snapshot("vq", "codebook", 50, {"used": 5.0, "dead": nan}, usage, {"layers": ("a", "b")}), Note("look", "ann", 50),
        CommandChanged("c1", "pause", "applied", "ann", "", 40, {"checkpoint": True}), Event("epoch", 50, {"n": 1, "lr": 0.1}),
        Ended("failed", 50, "ValueError", "no", ("line 1", "line 2")),
    ], ended="failed")  # fmt: skip


def test_what_is_printed_of_a_recording_is_as_the_schemas_say(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    place = eventful(record, losses)
    other = record([losses([nan, 2.0]), Snapshot("vq", "codebook", 1, {"usage": 0.5})], "other", config={"lr": nan})
    for name, words in (
        ("compare", ["compare", place.id, other.id]),
        ("runs", ["runs"]),
        ("status", ["status", place.id]),
        ("check", ["check", place.id]),
        ("wait", ["wait", place.id, "--until", "alert>=red and loss<9"]),
        ("wait", ["wait", place.id, "--until", "alert>=red"]),
    ):
        assert misfits(bedside(*words, "--json").json, SCHEMAS[name][1]) == []
    lines = bedside("watch", place.id).out.splitlines()
    assert len(lines) == 14
    for line in lines:
        assert misfits(json.loads(line), RECORD) == []
    (home / "log.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    assert misfits(bedside("import", home / "log.csv", "--json").json, SCHEMAS["import"][1]) == []


def test_what_a_live_run_answers_is_as_the_schemas_say(start: Callable[..., Any], bedside: Cli) -> None:
    training = start(
        """
        import bedside, sys
        run = bedside.init(project="flow", name="asked")
        run.log({"loss": 1.0})
        for line in sys.stdin:
            pass
        """
    )
    training.wait_points("loss", 0)
    for words in (["checkpoint"], ["acknowledge"]):
        assert misfits(bedside("ctl", training.place.id, *words, "--json").json, SCHEMAS["ctl"][1]) == []
    assert misfits(bedside("status", "--json").json, SCHEMAS["status"][1]) == []
