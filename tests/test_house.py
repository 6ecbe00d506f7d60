"""Who loads what at run time, and which words no file of ours may contain. Who may import whom stands in the contracts of pyproject."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = ("agent", "protocol", "tui")
PROTOCOL = sorted(
    ".".join(path.relative_to(ROOT / "protocol").with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "protocol").rglob("*.py")
)
SOURCES = sorted(path for home in HOMES for path in (ROOT / home).rglob("*.py"))


def loaded_by(code: str, environment: dict[str, str] | None = None) -> set[str]:
    """The top-level modules a fresh interpreter has loaded after `code`."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\nimport sys\nprint(*sorted(sys.modules), file=sys.stderr)"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / home) for home in HOMES)} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    modules = set(ran.stderr.splitlines()[-1].split())
    return modules | {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import bedside", {"torch", "textual", "zmq", "psutil", "plotext", "sklearn", "bedside_tui"}),
        ("\n".join(f"import {name}" for name in PROTOCOL), {"torch", "textual", "zmq", "psutil", "plotext", "bedside", "bedside_tui"}),
        ("import bedside_tui.store.store, bedside_tui.clock", {"textual", "rich", "zmq", "torch", "bedside"}),
        (
            "import bedside_tui.draw.chart, bedside_tui.draw.sparkline, bedside_tui.draw.image",
            {"textual", "rich", "zmq", "torch", "bedside"},
        ),
        (
            "import bedside_tui.sources.live, bedside_tui.sources.remote, bedside_tui.remote.proxy, bedside_tui.library\n"
            "import bedside_tui.launch",
            {"textual", "rich", "torch", "bedside"},
        ),
        ("import bedside.hub.service", {"torch", "textual", "plotext", "bedside_tui"}),
    ],
    ids=["agent", "protocol", "store", "draw", "sources", "hub"],
)
def test_importing_a_room_does_not_load_what_it_must_not_know(code: str, never: set[str]) -> None:
    assert loaded_by(code) & never == set()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["runs"],
        ["runs", "--json"],
        ["status"],
        ["check", "--json"],
        ["watch"],
        ["wait", "--until", "step>=1"],
        ["ctl", "x", "stop"],
        ["rm", "x"],
        ["export", "x", "--csv", "-"],
        ["import", "x"],
        ["clip", "x", "--at", "1", "--out", "y"],
        ["probe", "x", "--checkpoints", "y"],
        ["attach"],
        ["attach", "--ssh", "false", "host:run"],
        ["replay"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_verb_that_shows_no_screen_loads_no_terminal_library(words: list[str], tmp_path: Path) -> None:
    code = f"from bedside_tui.cli import main\ntry: main({words!r})\nexcept SystemExit: pass"
    assert loaded_by(code, {"BEDSIDE_DIR": str(tmp_path)}) & {"textual", "rich", "plotext", "torch", "bedside"} == set()


def test_a_training_that_watches_nothing_loads_no_torch(tmp_path: Path) -> None:
    code = "import bedside\nwith bedside.init(quiet=True) as run:\n    run.log({'loss': 1.0})"
    loaded = loaded_by(code, {"BEDSIDE_DIR": str(tmp_path), "BEDSIDE_RUNTIME_DIR": str(tmp_path / "rt")})
    assert loaded & {"torch", "textual", "plotext", "bedside_tui"} == set()


# --- words that no file may contain: nothing is unpickled, evaluated or loaded as a checkpoint, by anyone

MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {("torch", "load"), ("numpy", "load"), ("np", "load"), ("os", "system"), ("os", "popen")}
ATTRIBUTES = {"recv_pyobj", "send_pyobj", "allow_pickle", "unsafe_load"}


def forbidden_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if found := MODULES & {alias.name.partition(".")[0] for alias in names}:
                yield node.lineno, f"import {found}"
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in MODULES:
                yield node.lineno, f"from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield node.lineno, f"{name}()"
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in METHODS:
                yield node.lineno, f"{owner}.{name}"
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) if name in ATTRIBUTES or name == "shell":
                yield node.lineno, name


LOADS_WEIGHTS = ROOT / "agent" / "bedside" / "checkpoint_file.py"


# A case is somebody's training: it may read its own checkpoint again.
@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name != "cases"], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_evaluated_or_loaded_as_a_checkpoint(path: Path) -> None:
    found = [what for _, what in forbidden_in(ast.parse(path.read_text()))]
    assert found == (["torch.load"] if path == LOADS_WEIGHTS else [])


def test_the_one_file_that_loads_checkpoints_loads_nothing_but_weights() -> None:
    """It runs in the training process alone, and only where somebody asks for a checkpoint to be measured."""
    calls = [node for node in ast.walk(ast.parse(LOADS_WEIGHTS.read_text())) if isinstance(node, ast.Call)]
    (load,) = (call for call in calls if isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "torch.load")
    assert "weights_only=True" in [ast.unparse(keyword) for keyword in load.keywords]


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from marshal import loads", "eval(x)", "torch.load(p)", "socket.recv_pyobj()", "np.load(p)", "run(c, shell=True)"],
)
def test_the_search_finds_what_it_is_for(line: str) -> None:
    assert len(list(forbidden_in(ast.parse(line)))) == 1


def test_each_top_level_folder_holds_exactly_one_import_package() -> None:
    for home in HOMES:
        assert [entry.name for entry in (ROOT / home).iterdir() if entry.is_dir() and entry.name != "__pycache__"] == [
            {"agent": "bedside", "protocol": "bedside_protocol", "tui": "bedside_tui"}[home]
        ]


@pytest.mark.parametrize("package", ["agent/bedside", "protocol/bedside_protocol", "tui/bedside_tui"])
def test_each_package_tells_type_checkers_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_no_file_of_the_agent_has_the_name_of_a_public_function() -> None:
    """Loading a file `bedside/steps.py` would put the module where the function `bedside.steps` was."""
    home = ROOT / "agent" / "bedside"
    functions = {node.name for node in ast.parse((home / "__init__.py").read_text()).body if isinstance(node, ast.FunctionDef)}
    assert {"init", "steps"} <= functions
    assert functions & {path.stem for path in home.iterdir()} == set()
