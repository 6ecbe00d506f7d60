"""Versions meet: every verb refuses a recording of a later major in one line and reads one of an earlier version or a later minor, and hub,
agent and viewer of different versions of the conversation refuse each other in one line, at the cost of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from golden import versions
from later import later_major, later_minor
from real_training import Training, until

from bedside_protocol.messages import VERSION
from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import CommandChanged
from bedside_tui.places import RunPlace, door_of
from bedside_tui.sources import conversation
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.source import Update
from bedside_tui.sources.way import knock

Cli = Callable[..., Any]
UPGRADE = "this recording has format 2; this bedside reads up to 1: upgrade bedside"
THEIRS = "this is version {} of the conversation, the other end speaks {}: use the bedside of the run"
COUNTING = """
import bedside, sys, threading
{before}
run = bedside.init(name="versions")
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
number = 0
for number in run.steps(range(10**9)):
    run.log({{"number": float(number)}})
    if told.wait(0.01):
        break
run.finish()
"""
OF_THE_HUB = """
import sys
if any(word.endswith("hub/__main__.py") for word in sys.orig_argv):
    import bedside_protocol.messages
    bedside_protocol.messages.VERSION = 2
"""


def put(home: Path, name: str, data: bytes) -> Path:
    """A recording among this home's runs."""
    log = home / "runs" / name / LOG_NAME
    log.parent.mkdir(parents=True)
    log.write_bytes(data)
    return log


@pytest.fixture(params=versions(), ids=lambda path: str(path.name))
def golden(request: pytest.FixtureRequest) -> Path:
    """The real recording of a version."""
    return Path(request.param / "training.bedside")


VERBS = [
    ["attach", "RUN"], ["replay", "RUN"], ["status", "RUN"], ["status", "RUN", "--json"], ["once", "RUN"], ["check", "RUN"],
    ["check", "RUN", "--json"], ["compare", "RUN", "GOLDEN"], ["watch", "RUN"], ["wait", "RUN", "--until", "step>=1"], ["note", "RUN", "x"],
    ["tag", "RUN", "x"], ["verdict", "RUN", "x"], ["clip", "RUN", "--at", "1", "--out", "OUT"], ["export", "RUN", "--csv", "-"],
    ["export", "RUN", "--jsonl", "OUT"], ["export", "RUN", "--svg", "OUT"], ["export", "RUN", "--tensorboard", "OUT"],
    ["export", "RUN", "--parquet", "OUT"], ["ctl", "RUN", "pause"],
]  # fmt: skip


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_refuses_a_later_major_in_one_line(words: list[str], bedside: Cli, golden: Path, home: Path) -> None:
    log = put(home, "later", later_major(golden.read_bytes()))
    before = log.read_bytes()
    out = home / "out"
    said = bedside(*({"RUN": log, "OUT": out, "GOLDEN": golden}.get(word, word) for word in words))
    assert (said.code in (1, 3), said.out, said.err.count("\n")) == (True, "", 1), said
    assert UPGRADE in said.err
    assert log.read_bytes() == before
    assert not out.exists()


def test_the_list_of_runs_shows_a_later_major_as_such_beside_those_it_can_read(bedside: Cli, golden: Path, home: Path) -> None:
    put(home, "now", golden.read_bytes())
    put(home, "later", later_major(golden.read_bytes()))
    said = bedside("runs", "--json")
    assert [row["id"] for row in said.json] == ["now"]
    assert (said.code, said.err.count("\n")) == (0, 1)
    assert UPGRADE in said.err


def test_a_recording_is_nothing_to_import_and_the_sentence_says_that_it_is_one(bedside: Cli, golden: Path, home: Path) -> None:
    for name, data in (("now", golden.read_bytes()), ("later", later_major(golden.read_bytes()))):
        said = bedside("import", put(home, name, data), "--out", home / "imported")
        assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
        assert not (home / "imported").exists()


def test_every_verb_reads_what_an_earlier_version_wrote_and_a_later_minor_the_same(bedside: Cli, golden: Path, home: Path) -> None:
    told = []
    for name, data in (("then", golden.read_bytes()), ("minor", later_minor(golden.read_bytes()))):
        log = put(home, name, data)
        status, judged = bedside("status", log, "--json"), bedside("check", log, "--json")
        rows = bedside("export", log, "--csv", "-", "--metrics", "loss")
        assert (status.code, judged.code, rows.code) == (0, 2, 0)
        assert status.json["lifecycle"] == "finished"
        assert status.json["step"] == 60
        assert [alert["rule"] for alert in judged.json["alerts"] if alert["severity"] == "red"] == ["nonfinite"]
        assert rows.out.count("\n") == 61
        told.append((judged.json, rows.out, bedside("once", log, "--text", "--size", "100x30").code))
        assert bedside("clip", log, "--at", "30", "--out", home / f"{name}.clip").code == 0
    assert told[0] == told[1]
    assert bedside("compare", home / "runs" / "then", home / "runs" / "minor").code == 0
    assert bedside("note", home / "runs" / "minor", "read again").code == 0
    assert bedside("runs", "--json").json[0]["name"] == "golden"


# --- greetings of other versions, in bytes


def asked_by(place: RunPlace, *, key: str, frame: bytes) -> list[Any]:
    """What the hub of this run answers to these bytes, as msgpack."""
    door = door_of(place.id, may_command=key == "operator")
    assert door is not None
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        caller = context.socket(zmq.DEALER)
        knock(caller, door)
        caller.setsockopt(zmq.IMMEDIATE, 0)
        caller.send(frame)
        assert caller.poll(20_000), "the hub says nothing"
        return list(msgpack.unpackb(caller.recv()))
    finally:
        context.destroy(linger=0)


def greeting(**fields: Any) -> bytes:
    return bytes(msgpack.packb(["read", fields]))


def test_a_hub_refuses_a_viewer_of_another_version_in_one_line_and_serves_the_others(start: Callable[..., Training]) -> None:
    training = start(COUNTING.format(before=""))
    training.wait_points("number", 3)
    for key in ("viewer", "operator"):
        for fields in ({"offset": 0, "limit": 100}, {"of": "a form that nobody knows"}):
            told = asked_by(training.place, key=key, frame=greeting(version=VERSION + 1, **fields))
            assert told == ["refusal", {"why": THEIRS.format(VERSION + 1, VERSION)}]
    for fields in ({"offset": 0, "limit": 100}, {"offset": 0, "limit": 100, "version": VERSION, "later": {"x": 1}}):
        kind, said = asked_by(training.place, key="viewer", frame=greeting(**fields))
        assert (kind, said["data"]) == ("bytes", training.place.log.read_bytes()[:100])
    training.say("end")
    assert training.end() == 0
    assert training.wait_lifecycle("finished").reason == ""


class Watched:
    """What a viewer has been told."""

    def __init__(self, source: LiveSource) -> None:
        self.updates: list[Update] = []
        self.source = source
        source.start(self.updates.append)

    @property
    def details(self) -> set[str]:
        return {update.status.detail for update in self.updates}

    @property
    def bodies(self) -> list[Any]:
        return [record.body for update in self.updates for record in update.records]


@pytest.fixture
def watched() -> Iterator[Callable[[LiveSource], Watched]]:
    opened: list[LiveSource] = []

    def watch(source: LiveSource) -> Watched:
        opened.append(source)
        return Watched(source)

    yield watch
    for source in opened:
        source.close()


def test_a_viewer_that_is_refused_reads_the_file_and_says_why_it_commands_nothing(
    start: Callable[..., Training], watched: Callable[[LiveSource], Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start(COUNTING.format(before=""))
    training.wait_points("number", 3)
    monkeypatch.setattr(conversation, "VERSION", VERSION + 1)
    source = LiveSource(training.place)
    assert source.control is not None
    viewer = watched(source)
    why = THEIRS.format(VERSION + 1, VERSION)
    until(lambda: viewer.details >= {why} or None, "the refusal")
    name = source.control.send("stop", {})
    refused = until(
        lambda: next((body for body in viewer.bodies if isinstance(body, CommandChanged) and body.id == name), None), "an answer"
    )
    assert (refused.state, refused.detail) == ("refused", why)
    training.say("end")
    assert training.end() == 0
    until(lambda: viewer.updates[-1].status.state == "ended" or None, "the end")
    assert viewer.details <= {why, ""}
    numbers = [value for body in viewer.bodies if getattr(body, "names", ()) == ("number",) for value in body.values[0].tolist()]
    assert numbers == [value for _, value in training.points("number")] == list(map(float, range(len(numbers))))


def test_an_agent_that_is_refused_says_so_in_one_line_and_trains_on(start: Callable[..., Training]) -> None:
    training = start(COUNTING.format(before="import bedside.uplink; bedside.uplink.VERSION = 2"))
    training.wait_stderr(f"the hub refuses this agent: {THEIRS.format(2, VERSION)}")
    training.say("end")
    assert training.end() == 0
    assert training.err.read_text().count("refuses this agent") == 1


def test_a_hub_of_a_later_version_refuses_todays_agent_and_viewer(
    start: Callable[..., Training], home: Path, environment: dict[str, str]
) -> None:
    """As it would after an upgrade under a running training, once its hub has died and been started anew."""
    (home / "hook").mkdir()
    (home / "hook" / "sitecustomize.py").write_text(OF_THE_HUB)
    training = start(COUNTING.format(before=""), {"PYTHONPATH": f"{home / 'hook'}:{environment['PYTHONPATH']}"})
    training.wait_stderr(f"the hub refuses this agent: {THEIRS.format(VERSION, 2)}")
    place = RunPlace(next(iter((home / "runs").iterdir())).name, next(iter((home / "runs").iterdir())) / LOG_NAME)
    for fields in ({"version": VERSION}, {}):
        told = asked_by(place, key="viewer", frame=greeting(offset=0, limit=100, **fields))
        assert told == ["refusal", {"why": THEIRS.format(VERSION, 2)}]
    training.say("end")
    assert training.end() == 0
    assert training.err.read_text().count("refuses this agent") == 1
