"""What every verb that prints text says of a run in which every text and number is bad: nothing in it is obeyed, and JSON is JSON."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_input import OBEYED, spoiled_run

from bedside_protocol.places import LOG_NAME
from bedside_tui.cli import main
from bedside_tui.log_writer import LogWriter

TEXTS = [
    "runs", "runs --md", "runs --json", "status RUN", "status RUN --json", "check RUN", "check RUN --json", "compare RUN OTHER",
    "compare RUN OTHER --json", "once RUN --text", "once RUN --size 200x50 --screen alerts", "once RUN --screen log", "once RUN --svg",
    "once RUN --screen model --ascii", "export RUN --csv -", "export RUN --csv - --wide", "export RUN --jsonl -", "watch RUN --jsonl",
    "wait RUN --until step>=1", "wait RUN --until alert>=red", "attach RUN", "replay RUN", "ctl RUN pause", "rules list",
]  # fmt: skip
AS_DATA = {"export RUN --csv -", "export RUN --csv - --wide"}
"""Names in a table are data for other programs: they are written as the run said them, in quotes."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bs-") as directory:
        for name in ("RUN", "OTHER"):
            path = Path(directory) / "runs" / name / LOG_NAME
            path.parent.mkdir(parents=True)
            with open(path, "wb") as file:
                log = LogWriter(file)
                for one in spoiled_run():
                    log.append(one)
                log.flush()
        yield Path(directory)


@pytest.mark.parametrize("words", TEXTS)
def test_no_text_a_verb_prints_is_obeyed(
    words: str, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BEDSIDE_DIR", str(home / "runs"))
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", str(home / "rt"))
    monkeypatch.setattr("tempfile.tempdir", str(home))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(words.split()) in (0, 1, 2, 3)
    out, err = capfd.readouterr()
    assert out + err
    said = err + ("" if words in AS_DATA else out)
    assert OBEYED.findall(said) == []
    assert sorted({hex(ord(char)) for char in said if unicodedata.category(char)[0] == "C" and char != "\n"}) == []
    if words.endswith("--json"):
        json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    if words.endswith(("--jsonl", "--jsonl -")):
        assert all(json.loads(line) for line in out.splitlines())
