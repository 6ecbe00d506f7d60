"""The lab book from the command line: a living run's hub writes, after its end the viewer does; the list sorts, filters and is exact."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedside.hub.journal import Journal
from bedside_protocol.alerts.defaults import DEFAULT_RULES
from bedside_protocol.alerts.engine import Engine
from bedside_protocol.places import LOCK_NAME
from bedside_protocol.records import HUB_RANK, CommandChanged, Event, Metrics, Note, Record, TagsChanged, Tick, VerdictGiven
from bedside_protocol.runlog import Chunk, read_log
from bedside_tui.lab_book import NotWritten, write
from bedside_tui.liveness import writer_lives
from bedside_tui.places import RunPlace
from bedside_tui.sources.live import LiveSource
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.source import Source, Update
from bedside_tui.store.store import Store

Start = Callable[..., Any]
Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[..., Metrics]
Read = Callable[[Path], list[Record]]

LOOP = """
import bedside, time
run = bedside.init(project="flow", name="booked")
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.005)
run.finish()
"""


def test_a_page_is_written_by_the_hub_while_the_run_lives_and_into_the_recording_after_its_end(
    start: Start, bedside: Cli, read: Read, wait: Callable[..., Any]
) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    training.wait_points("loss", 50)
    name = training.place.id
    assert bedside("note", name, "it lives", "--step", 20).out == "noted at step 20\n"
    assert bedside("verdict", name, "good").out == "verdict good\n"
    assert bedside("tag", name, "+a", "b").out == "tags +a +b\n"
    asked = [body.detail for body in training.bodies(CommandChanged) if body.verb == "note" and body.state == "applied"]
    assert asked == ["", "verdict good", "tags +a +b"]
    (note,) = training.bodies(Note)
    assert (note.text, note.step) == ("it lives", 20)
    assert note.at is not None
    assert [body.wall for body in (note, *training.bodies(VerdictGiven), *training.bodies(TagsChanged))] == [0.0, 0.0, 0.0]

    training.kill(signal.SIGTERM)
    training.wait_lifecycle("failed", "stopped", "killed", "finished", "died")
    wait(lambda: None if writer_lives(training.place.directory) else True, "the hub to leave")
    ended = training.place.log.read_bytes()
    assert bedside("verdict", name, "broken").out == "verdict broken\n"
    assert bedside("tag", name, "-a", "+c").out == "tags +c -a\n"
    said = bedside("note", "--json", name, "it is over", "--time", "0s")
    assert training.place.log.read_bytes().startswith(ended)
    page = said.json
    assert (page["verdict"], page["tags"], page["note_count"]) == ("broken", ["b", "c"], 2)
    assert [(each["text"], each["step"]) for each in page["notes"]] == [("it lives", 20), ("it is over", 0)]

    records = read(training.place.log)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    own = [record.counter for record in records if record.rank == HUB_RANK]
    assert own == list(range(1, len(own) + 1)), "who writes after the hub goes on counting where it left"
    store = Store()
    store.feed(records)
    texts = [mark.text.partition(": ")[2] for mark in store.marks if mark.kind == "note"]
    assert texts == ["it is over", "it lives", "verdict good", "tags +a +b", "verdict broken", "tags +c -a"]


def test_a_hub_that_took_the_log_over_would_go_on_behind_what_was_written(bedside: Cli, record: Made, losses: Losses) -> None:
    place = record([losses([3.0, 2.0])], "one")
    assert bedside("verdict", "one", "good").code == 0
    journal = Journal(Engine(DEFAULT_RULES))
    with open(place.log, "rb") as file:
        for piece in read_log(file):
            assert isinstance(piece, Chunk)
            journal.replay(piece.records, dict(piece.counters))
    journal.say(9.0, Tick(3))
    with open(place.log, "ab") as file:
        for chunk, *_ in journal.chunks():
            file.write(chunk)
    with open(place.log, "rb") as file:
        pieces = list(read_log(file))
    records = [record for piece in pieces if isinstance(piece, Chunk) for record in piece.records]
    assert all(isinstance(piece, Chunk) for piece in pieces)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert [record.counter for record in records if record.rank == HUB_RANK] == [1, 2]


def test_what_is_asked_without_words_is_printed(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0, 2.0])], "one")
    assert [bedside(verb, "one").out for verb in ("note", "verdict", "tag")] == ["no notes\n", "no verdict\n", "no tags\n"]
    for words in (("note", "one", "look", "--step", 2), ("verdict", "one", "unclear"), ("tag", "one", "x", "y")):
        assert bedside(*words).code == 0
    assert bedside("note", "one").out.endswith(": look\n")
    assert bedside("verdict", "one").out.startswith("unclear  (by ")
    assert bedside("tag", "one").out == "x y\n"
    assert bedside("verdict", "one", "").out == "no verdict\n"
    status = bedside("status", "one").out
    assert "tags     x y" in status
    assert "look" in status


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("note", "one", " "), "a note has at least one word"),
        (("note", "one", "x", "--step", 99), "one has no step 99: it has come to 2"),
        (("note", "one", "x", "--time", "9h"), "one has no moment 9:00:00"),
        (("note", "one", "x", "--time", "soon"), "'soon' is no time of a run: write 1:02:03"),
        (("note", "one", "--step", 1), "a moment without a text"),
        (("verdict", "one", "v" * 81), "a verdict has at most 80 characters"),
        (("tag", "one", "a,b"), "'a,b' is no tag"),
        (("tag", "one", "--json", "a"), "--json comes before the run: bedside tag --json"),
        (("verdict", "two", "good"), "no run called 'two'"),
        (("runs", "--sort", "speed"), "cannot sort by 'speed'"),
        (("runs", "--filter", "stat=over"), "cannot filter by 'stat'"),
    ],
)
def test_what_cannot_be_written_or_asked_is_one_line_with_exit_code_3(
    words: tuple[object, ...], why: str, bedside: Cli, record: Made, losses: Losses
) -> None:
    place = record([losses([3.0, 2.0])], "one")
    before = place.log.read_bytes()
    said = bedside(*words)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith(f"bedside: {why}")
    assert said.err.count("\n") == 1
    assert place.log.read_bytes() == before


def test_where_one_may_not_write_it_is_one_line_with_exit_code_1(bedside: Cli, record: Made, losses: Losses) -> None:
    place = record([losses([3.0, 2.0])], "one")
    before = place.log.read_bytes()
    (place.directory / LOCK_NAME).mkdir()
    said = bedside("verdict", "one", "good")
    assert (said.code, said.out) == (1, "")
    why = f"cannot write into {place.log}: Is a directory: copy the recording to where you may write, and write there"
    assert said.err == f"bedside: {why}\n"
    assert place.log.read_bytes() == before


def test_a_copy_of_a_living_run_s_recording_is_not_taken_for_its_own(start: Start, home: Path) -> None:
    training = start(LOOP)
    training.wait_points("loss", 20)
    copy = home / "copies" / training.place.id / "run.bedside"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(training.place.log.read_bytes())
    with pytest.raises(NotWritten, match="no hub of it can be asked from here"):
        write(RunPlace(copy.parent.name, copy), {"text": "x"})
    assert training.bodies(Note) == []


def test_the_list_is_sorted_filtered_and_printed_in_three_forms(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0, 2.0]), VerdictGiven("good", "ann"), TagsChanged(("vq",), (), "ann")], "first", wall_start=1000.0)
    record([losses([0.5, 0.7, 0.9]), Event("x", 1)], "second", wall_start=2000.0)
    record([losses([1.0])], "third", ended="failed", wall_start=3000.0)
    order = lambda *words: [run["id"] for run in bedside("runs", "--json", *words).json]  # noqa: E731
    assert order() == ["third", "second", "first"]
    assert order("--sort", "best") == ["second", "third", "first"]
    assert order("--sort=-step,name") == ["second", "first", "third"]
    assert order("--filter", "tag=vq") == order("--filter", "verdict=good") == ["first"]
    assert order("--filter", "state=failed") == ["third"]
    table = bedside("runs", "--sort", "name").out.split("\n")
    assert table[0].split() == ["run", "name", "when", "state", "steps", "best", "health", "verdict", "tags"]
    assert table[1].split()[-2:] == ["good", "vq"]
    markdown = bedside("runs", "--md", "--filter", "first").out.split("\n")
    assert markdown[0].startswith("| run | name | when |")
    assert len(markdown) == 4
    assert markdown[2].count("|") == markdown[0].count("|")
    assert "| good | vq |" in markdown[2]
    assert bedside("runs", "--filter", "nobody").out == "none of 3 runs fits 'nobody'\n"


def test_one_line_says_what_was_read_and_what_was_not(bedside: Cli, record: Made, losses: Losses, home: Path) -> None:
    torn = record([losses([3.0, 2.0])], "torn")
    torn.log.write_bytes(torn.log.read_bytes() + b"\x89BEDSIDE and no more")
    record([losses([1.0])], "whole")
    for number in range(5):
        foreign = home / "runs" / f"foreign{number}"
        foreign.mkdir()
        (foreign / "run.bedside").write_bytes(b"step,loss\n1,2\n")
    (home / "runs" / "no run at all").mkdir()
    (home / "runs" / "a file").write_bytes(b"x")
    said = bedside("runs", "--json")
    assert {run["id"]: run["damaged"] for run in said.json} == {"torn": 1, "whole": 0}
    assert said.err.count("\n") == 1
    assert said.err.startswith("bedside: 2 recordings read; 5 not: ")
    assert said.err.endswith("; and 2 more; 1 damaged, of which what is whole is told: torn\n")
    assert bedside("runs", "--json").err == said.err


def test_long_reading_is_said_once_where_nobody_watches(
    bedside: Cli, record: Made, losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        record([losses([1.0])], f"run{number}")
    monkeypatch.setattr("bedside_tui.cli.reading.SILENT", 0.0)
    said = bedside("runs")
    assert said.err == "bedside: reading 3 recordings that are new, 0 done: the next time they are known\n"
    assert bedside("runs").err == "", "they are"


@pytest.mark.parametrize("torn", [b"", b"\x89BEDSIDE and no more"])
@pytest.mark.parametrize("kind", [LiveSource, lambda place: ReplaySource(place.log)], ids=["live", "replay"])
def test_who_looks_at_a_run_that_is_over_hears_what_is_written_about_it(
    kind: Callable[[RunPlace], Source], torn: bytes, record: Made, losses: Losses, wait: Callable[..., Any]
) -> None:
    place = record([losses([3.0, 2.0])], "one")
    place.log.write_bytes(place.log.read_bytes() + torn)
    heard: list[Record] = []
    ended: list[bool] = []

    def deliver(update: Update) -> None:
        heard.extend(update.records)
        ended.append(update.status.state == "ended")

    source = kind(place)
    source.start(deliver)
    try:
        wait(lambda: True if ended and ended[-1] else None, "the end")
        for text in ("first", "second"):
            write(place, {"text": text})
            wait(lambda text=text: True if any(isinstance(each.body, Note) and each.body.text == text for each in heard) else None, text)
    finally:
        source.close()
    places = [each.seq for each in heard if each.seq]
    assert places == list(range(1, len(places) + 1))
