"""The examples of docs/examples: each says its thing in at most eight added lines, runs as it stands, and its probe says something."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedside_protocol.records import Ended, Event, Snapshot

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MOST_LINES = 8
BOILERPLATE = {"import bedside", "run.finish()"}
"""What every script has beside what the example is about; `init`, the loop and `log` are counted."""

SHOWS: dict[str, tuple[str, Callable[[list[Snapshot]], bool]]] = {
    "rollout_collapse": ("rollout", lambda seen: {"collapse/argmax", "collapse/top-k", "collapse/sampled"} <= seen[-1].scalars.keys()),
    "action_effects": ("sensitivity", lambda seen: seen[-1].scalars["effect/keys"] > seen[-1].scalars["effect/camera"] > 0),
    "staged_module": ("contribution", lambda seen: seen[0].scalars["ratio"] == 0 and seen[-1].scalars["ratio"] > 0.01),
    "coarse_and_fine": ("ratio", lambda seen: seen[-1].scalars["avg50"] > 1.15 and seen[-1].scalars["success"] == 1),
    "vq_reinit": ("codebook", lambda seen: seen[-1].scalars["used"] > 20 and seen[-1].scalars["nearest"] > 0),
    "diffusion_forcing": ("distribution", lambda seen: seen[-1].scalars["q05"] < 0.1 and seen[-1].scalars["q95"] > 0.9),
}


def added_lines(source: str) -> list[str]:
    """The lines a script would not have without bedside: those of statements that speak of it, of the run or of a handle."""
    lines = source.splitlines()
    known = {"bedside", "run"}
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
            spoken = [part for head in _head(node) for part in ast.walk(head) if isinstance(part, ast.Name)]
            if isinstance(node, ast.Import | ast.ImportFrom) or not known.intersection(part.id for part in spoken):
                continue
            known |= {target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)}
            found |= {number for head in _head(node) for number in range(head.lineno, (head.end_lineno or head.lineno) + 1)} | {node.lineno}
    return [lines[number - 1].strip() for number in sorted(found) if lines[number - 1].strip() not in BOILERPLATE]


def _head(node: ast.stmt) -> list[Any]:
    """A statement without the block below it."""
    match node:
        case ast.For():
            return [node.iter]
        case ast.If() | ast.While():
            return [node.test]
        case ast.With():
            return [item.context_expr for item in node.items]
    return [node]


def test_every_example_is_checked_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SHOWS.keys()


def test_the_count_of_added_lines_sees_handles_and_loops() -> None:
    source = (
        "import bedside\nrun = bedside.init()\nvq = run.probe(x)\nfor a in run.steps(b):\n    c = a\n    vq.observe(c)\nd = 1\nrun.finish()"
    )
    assert added_lines(source) == ["run = bedside.init()", "vq = run.probe(x)", "for a in run.steps(b):", "vq.observe(c)"]


@pytest.mark.parametrize("name", SHOWS)
def test_an_example_needs_at_most_eight_added_lines(name: str) -> None:
    added = added_lines((EXAMPLES / f"{name}.py").read_text())
    assert 0 < len(added) <= MOST_LINES, "\n".join(added)


def marks_of_vq_reinit(training: Any) -> None:
    """Each re-initialisation is on the timeline."""
    assert [body.step for body in training.bodies(Event) if body.name == "reinit"] == [49, 99, 149, 199]


def series_of_diffusion_forcing(training: Any) -> None:
    """Two lengths of sequence are two series, and nothing is pooled."""
    assert [len(training.points(name)) for name in ("loss [T=8]", "loss [T=32]", "loss")] == [100, 100, 0]


ALSO = {"vq_reinit": marks_of_vq_reinit, "diffusion_forcing": series_of_diffusion_forcing}


@pytest.mark.parametrize("name", SHOWS)
def test_an_example_runs_as_it_stands_and_its_probe_says_something(name: str, start: Callable[..., Any]) -> None:
    training = start((EXAMPLES / f"{name}.py").read_text())
    assert training.end(60) == 0, training.tail()
    training.wait_for(lambda body: isinstance(body, Ended) and body.outcome == "finished")
    kind, shows = SHOWS[name]
    snapshots = [body for body in training.bodies(Snapshot) if body.kind == kind]
    assert snapshots, training.tail()
    assert shows(snapshots), snapshots[-1].scalars
    ALSO.get(name, lambda training: None)(training)
    said = training.err.read_text()
    assert "Traceback" not in said
    assert "probe" not in said, said
