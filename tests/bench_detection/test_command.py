"""The command of the benchmark, as a process: what it prints, writes and refuses, and that it says what it left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from detection.table import ALL, SUMMARY, begin, end

from bedside_protocol.records import Metrics, Record, RunStarted
from bedside_protocol.runlog import encode_chunk

COMMAND = Path(__file__).parents[1] / "bench" / "detection"


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, COMMAND, *words], capture_output=True, text=True, check=False, timeout=120)


def recorded(folder: Path, *names: str) -> Path:
    """Recordings of 300 steps in which a loss falls, is flat, and is NaN at the end where the name says that the form is broken."""
    for name in names:
        steps = np.arange(1, 301)
        losses = np.maximum(0.5, 2.0 - steps / 100)
        losses[299] = np.nan if "broken" in name else 0.5
        block = Metrics(("loss",), steps, steps / 100, losses.reshape(1, -1))
        (folder / name).mkdir(parents=True)
        (folder / name / "run.bedside").write_bytes(encode_chunk([Record(0.0, RunStarted("x", "x", "p", 0.0)), Record(3.0, block)], 1, {}))
    return folder


def test_recordings_become_tables_values_and_a_part_of_a_document(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "runs", "late-nan-broken-0", "gan-healthy-0")
    document, page = tmp_path / "README.md", tmp_path / "page.md"
    document.write_text(f"before\n{begin(SUMMARY)}\n{end(SUMMARY)}\nafter\n")
    page.write_text(f"{begin(ALL)}\n{end(ALL)}\nafter\n")
    ran = run("--recordings", folder, "--write", document, page)
    assert ran.returncode == 0, ran.stderr
    assert "2 recordings of" in ran.stdout
    assert "Public curves: left out" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 140
    assert "| late-nan | 1 | 1/1 (21–100) |" in page.read_text()
    assert page.read_text().endswith(f"{end(ALL)}\nafter\n")
    assert "| bedside | 1/1 | 0/1 |" in document.read_text()
    assert document.read_text().endswith(f"{end(SUMMARY)}\nafter\n")
    values = json.loads((folder / "results.json").read_text())
    assert [one["run"] for one in values["Twins"]["NaN only"]] == ["late-nan-broken-0", "gan-healthy-0"]


def test_nothing_to_judge_is_said_in_one_line(tmp_path: Path) -> None:
    ran = run("--recordings", tmp_path)
    assert ran.returncode == 3
    assert "nothing to judge" in ran.stderr


def test_a_document_without_a_place_for_tables_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "runs", "gan-healthy-0")
    document = tmp_path / "README.md"
    document.write_text("nothing here")
    ran = run("--recordings", folder, "--write", document)
    assert ran.returncode == 2
    assert begin(ALL) in ran.stderr
    assert ran.stdout == ""


def test_a_folder_without_labels_is_no_corpus(tmp_path: Path) -> None:
    ran = run("--recordings", tmp_path, "--corpus", tmp_path)
    assert ran.returncode == 2
    assert "labels.json" in ran.stderr
