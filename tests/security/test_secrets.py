"""Keys and secrets: where they are looked for, and not found. Everything that processes show and everything that is written is searched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from real_terminal import Terminal
from real_training import environment_in, until

from bedside.runtime import Keys, make_keys
from bedside.spawn import HubPlan
from bedside_protocol.places import KEYS_NAME, LOG_NAME
from bedside_protocol.records import Ended, RunStarted
from bedside_tui.places import Door

SEEDED = re.compile("seeded.?secret.?[0-9]")
"""What the script of conftest has in its configuration, its command line, its environment and the exception that ends it."""


def shown_by(pid: int) -> bytes:
    """What any process of this user may read of another: its command line and its environment."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


def written_below(*directories: Path) -> Iterator[tuple[Path, bytes]]:
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


def records_of(install: Any) -> bytes:
    """What the recording says, unpacked."""
    return repr(install.training.records()).encode()


def test_keys_are_in_the_keys_file_alone_and_secrets_of_the_script_nowhere(install: Any) -> None:
    keys = json.loads((install.runtime / KEYS_NAME).read_text())
    secrets = [value.encode() for name, value in keys.items() if name.endswith("_secret")]
    assert len(secrets) == 2
    environment = environment_in(install.home) | install.environment
    viewer = Terminal(["attach", install.place.id], environment, install.home)
    try:
        viewer.sees("● running")
        for pid in (install.training.pid, install.hub, viewer.process.pid):
            assert shown_by(pid)
            assert [key for key in secrets if key in shown_by(pid)] == []
        viewer.press("q")
        viewer.left()
    finally:
        viewer.close()
    runtime = install.runtime
    install.training.say("enough")
    assert install.training.end() == 1
    until(lambda: True if install.training.bodies(Ended) else None, "the goodbye")
    written = [*written_below(install.home, runtime), (Path("terminal"), viewer.sent), (Path("records"), records_of(install))]
    assert {LOG_NAME, "hub.log", "stderr.txt"} <= {path.name for path, _ in written}
    assert [path for path, content in written if path.name != KEYS_NAME and any(key in content for key in secrets)] == []
    allowed = {"train.py", "stderr.txt"}  # the script itself, and what Python says of its end
    assert [path for path, content in written if path.name not in allowed and SEEDED.search(content.decode("latin-1"))] == []


def test_what_was_redacted_is_said_to_be(install: Any) -> None:
    (started,) = install.training.bodies(RunStarted)
    assert started.config == {"api_key": "[redacted]", "db": "postgres://me:[redacted]@host/x"}
    assert "hf_token=[redacted]" in started.argv
    (ended,) = install.training.bodies(Ended)
    assert ended.message == "cannot log in with password=[redacted]"


@pytest.mark.parametrize("kind", [Keys, HubPlan, Door], ids=lambda kind: kind.__name__)
def test_nothing_that_holds_keys_shows_them_when_it_is_printed(kind: type) -> None:
    keys = make_keys()
    holders = {
        Keys: keys,
        HubPlan: HubPlan("run", "/runs/run", "/rt", 1, 2, 0.0, 0.0, 3, keys),
        Door: Door("ipc:///rt/hub", keys.server_public, keys.operator_public, keys.operator_secret),
    }
    said = f"{holders[kind]!r} {holders[kind]}"
    assert [field.name for field in fields(Keys) if asdict(keys)[field.name] in said] == []
