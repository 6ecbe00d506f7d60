"""Notifications: real programs and a real web service are told, nobody waits for them, and no address is ever said."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.hub import messenger, notify
from bedside.hub.notify import NOBODY, Notifier, words_of
from bedside_protocol.records import Body, CommandChanged, Problem

ALARM = CommandChanged(
    "rule-1",
    "notify",
    "requested",
    "rule high on loss",
    arguments={"rule": "high", "target": "loss", "severity": "red", "alarm_step": 60, "message": "loss is 7"},
)
SCRIPT = """#!/bin/sh
{ echo "$1"; cat; } > "$0.told"
exit %d
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """A program that writes down what it is told, and ends with this code."""

    def make(code: int = 0, name: str = "tell", text: str = SCRIPT) -> Path:
        path = tmp_path / name
        path.write_text(text % code if "%d" in text else text)
        path.chmod(0o700)
        return path

    return make


@pytest.fixture
def service() -> Iterator[tuple[str, list[Any]]]:
    """A web service that takes JSON: its apprise address, and what it was told."""
    told: list[Any] = []

    class Take(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Take) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_port}/secret-token", told
        server.shutdown()


def outcome(notifier: Notifier, command: CommandChanged = ALARM, seconds: float = 60.0) -> list[Body]:
    """What is said of a notification until nothing more will be."""
    notifier.send(command)
    said: list[Body] = []
    deadline = time.monotonic() + seconds
    while notifier.is_busy and time.monotonic() < deadline:
        said += notifier.look(time.monotonic())
    assert not notifier.is_busy
    return said


def failure(said: list[Body]) -> str:
    """Why a notification failed, said of the command and as a problem."""
    failed, problem = said
    assert isinstance(failed, CommandChanged)
    assert isinstance(problem, Problem)
    assert (failed.id, failed.state) == ("rule-1", "failed")
    assert problem.text == f"a notification asked for by rule high on loss failed: {failed.detail}"
    return failed.detail


def test_a_program_gets_the_title_as_its_argument_and_the_text_on_standard_input(
    program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program()
    monkeypatch.setenv("BEDSIDE_NOTIFY", f"exec:{path}")
    assert outcome(Notifier("digits-1", has_addresses=True)) == [
        CommandChanged("rule-1", "notify", "applied", "rule high on loss", arguments=ALARM.arguments)
    ]
    assert Path(f"{path}.told").read_text() == "bedside: RED high on loss\ndigits-1: loss is 7 (step 60)"


def test_every_address_is_told_and_one_that_fails_is_counted_not_named(
    program: Callable[..., Path], service: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = program(), program(3, "refuse")
    url, told = service
    monkeypatch.setenv("BEDSIDE_NOTIFY", f"exec:{bad} {url}\n exec:{good} what://is-this exec:/not/there")
    why = failure(outcome(Notifier("digits-1", has_addresses=True)))
    assert why == (
        "address 1 of 5: the program ended with code 3; address 4 of 5: apprise does not know this kind of address; "
        "address 5 of 5: the program cannot be run: No such file or directory"
    )
    assert [(each["title"], each["message"]) for each in told] == [("bedside: RED high on loss", "digits-1: loss is 7 (step 60)")]
    assert Path(f"{good}.told").exists()


def test_a_service_that_is_not_there_fails_without_a_word_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDSIDE_NOTIFY", "json://127.0.0.1:9/secret-token")
    assert failure(outcome(Notifier("digits-1", has_addresses=True))) == "address 1 of 1: the service did not take it"


def test_without_addresses_it_is_said_at_once_that_there_is_nobody_to_tell() -> None:
    notifier = Notifier("digits-1", has_addresses=False)
    notifier.send(ALARM)
    assert failure(notifier.look(0.0)) == NOBODY
    assert not notifier.is_busy


def test_without_apprise_a_url_is_refused_with_what_to_install_and_a_program_is_told_all_the_same(
    program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program()
    monkeypatch.setitem(sys.modules, "apprise", None)
    troubles = list(messenger.troubles(["json://127.0.0.1/x", f"exec:{path}"], "title", "text"))
    assert troubles == [f"address 1 of 2: {messenger.NO_APPRISE}"]
    assert Path(f"{path}.told").read_text() == "title\ntext"


def test_a_program_that_does_not_end_is_not_waited_for(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger, "PATIENCE", 0.2)
    hanging = program(name="hang", text="#!/bin/sh\nexec sleep 100\n")
    assert list(messenger.troubles([f"exec:{hanging}"], "t", "x")) == ["address 1 of 1: the program did not end within 0.2 s"]


def test_a_messenger_that_hangs_holds_nobody_and_is_ended_in_time(program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = program(name="hang", text="#!/bin/sh\nexec sleep 100\n")
    monkeypatch.setenv("BEDSIDE_NOTIFY", f"exec:{hanging}")
    notifier = Notifier("digits-1", has_addresses=True)
    notifier.send(ALARM)
    assert notifier.look(100.0) == []
    assert notifier.look(100.0 + notify.PATIENCE) == []
    assert notifier.is_busy
    assert failure(notifier.look(100.1 + notify.PATIENCE)) == "it took more than 30 s"
    assert not notifier.is_busy


def test_more_than_a_few_waiting_are_refused() -> None:
    notifier = Notifier("digits-1", has_addresses=True)
    for _ in range(17):
        notifier.send(ALARM)
    assert repr(notifier) == "<Notifier 16 waiting>"


def test_one_that_an_earlier_hub_left_unfinished_is_not_sent_again() -> None:
    notifier = Notifier("digits-1", has_addresses=True)
    notifier.recover(ALARM)
    assert failure(notifier.look(0.0)) == notify.UNKNOWN


def test_what_a_run_says_of_itself_reaches_nobody_as_control_characters() -> None:
    told = {**ALARM.arguments, "target": "loss\x1b[2J", "message": "line\nbreak"}
    title, text = words_of(CommandChanged("x", "notify", "requested", arguments=told), "digits-1")
    assert title.isprintable()
    assert text.isprintable()


def test_a_person_may_ask_for_one_too() -> None:
    asked = CommandChanged("x", "notify", "requested", "me@laptop")
    assert words_of(asked, "digits-1") == ("bedside: digits-1", "a notification asked for by me@laptop")
