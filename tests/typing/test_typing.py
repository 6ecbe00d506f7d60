"""The README's lines and the public face pass a strict type checker, and the README shows exactly the lines that are checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHECKED = ["tests/typing/readme_example.py", "tests/typing/every_call.py"]


@pytest.mark.timeout(240)
def test_what_the_readme_shows_and_the_public_face_are_strictly_typed() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-warn-unused-configs", *CHECKED],  # with what `make types` has found out about all they import
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=230,
        check=False,
    )
    assert checked.stdout == "Success: no issues found in 2 source files\n", checked.stdout + checked.stderr


def test_the_lines_of_the_readme_are_the_lines_that_are_checked() -> None:
    shown = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert shown is not None
    example = (HERE / "readme_example.py").read_text().partition("# the README from here\n")[2]
    assert [line for line in _code(shown.group(1)) if line != "import bedside"] == _code(example)


def _code(text: str) -> list[str]:
    """Lines without comments and indentation of the whole."""
    return [line.split("#")[0].strip() for line in text.splitlines() if line.strip()]
