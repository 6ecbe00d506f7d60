"""How records reach a viewer: from a live hub, around a dead one, from a file, and never with a hole, a double or a command too late."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from watching import Watched, watching
from zmq.utils.monitor import recv_monitor_message

from bedside_protocol.codec import decode_message, encode_message
from bedside_protocol.messages import Answer, Ask, Bytes, Message, Read
from bedside_protocol.places import LOCK_NAME
from bedside_protocol.records import Body, CommandChanged, LifecycleChanged, Lost, Metrics, Record, Snapshot
from bedside_protocol.runlog import encode_chunk
from bedside_tui.places import RunPlace, door_of
from bedside_tui.sources.live import LOOK_AGAIN, LiveSource
from bedside_tui.sources.replay import ReplaySource
from bedside_tui.sources.source import Source, SourceState

Start = Callable[..., Any]
Wait = Callable[..., Any]

COUNTING = """
import bedside, itertools, select, sys
run = bedside.init(name="counting")
for number in run.steps(itertools.count()):
    run.log({{"number": float(number)}})
    if select.select([sys.stdin], [], [], {pace})[0]:  # it goes on until it is told to end: who watches may be slow
        break
run.finish()
print(number + 1, flush=True)
"""


def ended(training: Any) -> list[float]:
    """Tell that script to end; every number it has logged."""
    training.say("end")
    return [float(number) for number in range(int(training.hear()))]


class Viewer(Watched):
    """What a source delivered, and how the way to it was."""

    @property
    def states(self) -> list[SourceState]:
        return [update.status.state for update in list(self.updates)]

    @property
    def ended(self) -> bool:
        return bool(self.updates) and self.updates[-1].status.state == "ended"

    def bodies(self, kind: type[Body]) -> list[Any]:
        return [record.body for record in self.records if isinstance(record.body, kind)]


@pytest.fixture
def watch() -> Iterator[Callable[[Source], Viewer]]:
    """Watch a source; it is closed at the end of the test."""
    with watching(Viewer) as watch:
        yield watch


Watch = Callable[[Source], Viewer]


# --- live


def test_who_joins_late_has_the_whole_history_and_what_follows_without_a_hole(start: Start, watch: Watch, wait: Wait) -> None:
    training = start(COUNTING.format(pace=0.002))
    training.wait_points("number", 500)
    viewer = watch(LiveSource(training.place))
    wait(lambda: (viewer.updates and viewer.updates[-1].status.complete) or None, "the history")
    joined_at = len(viewer.numbers)
    assert joined_at > 500
    late = watch(LiveSource(training.place, read_only=True))
    wait(lambda: len(late.numbers) > joined_at or None, "the history once more")
    logged = ended(training)
    wait(lambda: (viewer.ended and late.ended) or None, "the end", 30)
    assert viewer.numbers == late.numbers == logged
    assert [record.seq for record in viewer.records] == list(range(1, len(viewer.records) + 1))
    assert set(viewer.states) == {"connected", "ended"}
    assert viewer.records[-1].body == LifecycleChanged("finished", "", len(logged))


def test_a_killed_hub_leaves_no_hole_and_no_double_in_what_a_viewer_saw(start: Start, watch: Watch, wait: Wait) -> None:
    training = start(COUNTING.format(pace=0.004))
    viewer = watch(LiveSource(training.place))
    for killed in (1, 2):
        reached = len(viewer.numbers)
        wait(lambda reached=reached: len(viewer.numbers) > reached + 100 or None, "rows")
        os.kill(training.hub_pid(started=killed), signal.SIGKILL)
        training.hub_pid(started=killed + 1)
    logged = ended(training)
    wait(lambda: viewer.ended or None, "the end", 40)
    assert viewer.numbers == logged
    assert [record.seq for record in viewer.records] == list(range(1, len(viewer.records) + 1))
    assert not viewer.bodies(Lost)


def test_a_command_while_the_hub_is_away_is_refused_in_words_and_never_delivered_later(start: Start, watch: Watch, wait: Wait) -> None:
    training = start(COUNTING.format(pace=0.002))
    viewer = watch(LiveSource(training.place))
    wait(lambda: len(viewer.numbers) > 50 or None, "rows")
    control = viewer.source.control
    assert control is not None
    training.kill(signal.SIGSTOP)  # or it would start another hub at once
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.wait_hub_gone()
    asked = control.send("stop", {})
    refused = wait(lambda: next(iter(viewer.bodies(CommandChanged)), None), "the refusal")
    assert (refused.id, refused.verb, refused.state, refused.detail) == (asked, "stop", "refused", "the hub cannot be reached")
    wait(lambda: viewer.states[-1] == "unreachable" or None, "being told")
    training.kill(signal.SIGCONT)
    training.hub_pid(started=2)
    reached = len(viewer.numbers)
    wait(lambda: (viewer.states[-1] == "connected" and len(viewer.numbers) > reached + 50) or None, "the new hub", 30)
    assert training.bodies(CommandChanged) == []
    again = control.send("note", {"text": "still there"})
    wait(lambda: any(body.id == again and body.state == "applied" for body in viewer.bodies(CommandChanged)) or None, "the note")
    assert viewer.numbers == [float(number) for number in range(len(viewer.numbers))]


def test_training_and_hub_killed_together_are_lost_and_everything_before_is_intact(
    start: Start, watch: Watch, wait: Wait, bedside: Callable[..., Any]
) -> None:
    training = start(COUNTING.format(pace=0.002))
    viewer = watch(LiveSource(training.place))
    wait(lambda: len(viewer.numbers) > 200 or None, "rows")
    training.kill(signal.SIGSTOP)
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.kill()
    wait(lambda: viewer.ended or None, "the end")
    assert viewer.numbers == [float(number) for number in range(len(viewer.numbers))]
    assert viewer.bodies(LifecycleChanged)[-1].state == "lost"
    assert {"following", "unreachable", "ended"} & set(viewer.states)
    status = bedside("status", training.place.directory, "--json").json
    assert (status["lifecycle"], status["metrics"]["number"]) == ("lost", viewer.numbers[-1])
    replayed = watch(ReplaySource(training.place.log))
    wait(lambda: replayed.ended or None, "the replay")
    assert replayed.numbers == viewer.numbers
    assert replayed.bodies(LifecycleChanged)[-1].state == "lost"
    control = viewer.source.control
    assert control is not None
    asked = control.send("pause", {})
    wait(lambda: any(body.id == asked and body.state == "refused" for body in viewer.bodies(CommandChanged)) or None, "the refusal")


def test_a_snapshot_larger_than_one_answer_arrives_and_what_follows_too(start: Start, watch: Watch, wait: Wait) -> None:
    training = start(
        """
        import bedside, numpy, time
        from bedside.schedule import every
        from bedside_protocol.records import Array, Snapshot
        class Noise(bedside.Probe):
            kind = "noise"
            def measure(self, step):
                noise = numpy.random.default_rng(step).integers(0, 256, 860_000, numpy.uint8)  # does not compress
                return Snapshot(self.name, self.kind, step, {}, {"noise": Array("histogram", noise)})
        run = bedside.init(name="noise")
        run.probe(Noise("noise", every(50)))
        for number in run.steps(range(10**6)):
            run.log({"number": float(number)})
            time.sleep(0.005)
        """
    )
    viewer = watch(LiveSource(training.place))
    wait(lambda: len(viewer.bodies(Snapshot)) > 1 or None, "two snapshots")
    assert viewer.bodies(Snapshot)[0].arrays["noise"].values.size == 860_000
    last = len(viewer.numbers)
    wait(lambda: len(viewer.numbers) > last + 20 or None, "rows after it")
    assert viewer.numbers == [float(number) for number in range(len(viewer.numbers))]
    assert set(viewer.states) == {"connected"}


def test_a_run_of_this_machine_that_cannot_be_reached_is_followed_in_its_file(
    start: Start, watch: Watch, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start(COUNTING.format(pace=0.002))
    training.wait_points("number", 50)
    monkeypatch.setenv("BEDSIDE_RUNTIME_DIR", "/nowhere")  # no keys, as on the login node of a cluster
    viewer = watch(LiveSource(training.place))
    wait(lambda: len(viewer.numbers) > 50 or None, "rows")
    logged = ended(training)
    wait(lambda: viewer.ended or None, "the end", 30)
    assert viewer.numbers == logged
    assert "connected" not in viewer.states
    assert any(update.status.detail == "the hub does not answer: reading the file" for update in viewer.updates)


# --- who may do what


class Peer:
    """A socket of one's own at a hub's door."""

    def __init__(self, place: RunPlace, keys: tuple[str, str] | None = None, *, may_command: bool = False) -> None:
        door = door_of(place.id, may_command=may_command)
        assert door is not None
        public, secret = keys or (door.public, door.secret)
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.curve_serverkey = door.server_public.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public.encode(), secret.encode()
        self.socket.linger = 0
        self.monitor = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH, addr=f"inproc://watched-{id(self)}"
        )
        self.socket.connect(door.endpoint)

    def handshake(self) -> int:
        """How the handshake went."""
        assert self.monitor.poll(60_000)
        return int(recv_monitor_message(self.monitor)["event"])

    def ask(self, message: Message) -> Message:
        self.socket.send(encode_message(message))
        assert self.socket.poll(60_000), "no answer"
        return decode_message(self.socket.recv())

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.context.destroy(linger=0)


def test_the_viewers_key_may_look_and_not_command(start: Start) -> None:
    training = start(COUNTING.format(pace=0.005))
    training.wait_points("number", 10)
    assert LiveSource(training.place, read_only=True).control is None
    peer = Peer(training.place)
    try:
        answer = peer.ask(Ask(training.place.id, "c1", "stop", "somebody"))
        assert answer == Answer("c1", False, "this key may look, not command")
        seen = peer.ask(Read(0, 100))
        assert isinstance(seen, Bytes)
        assert seen.data == training.place.log.read_bytes()[:100]
    finally:
        peer.close()
    reached = len(training.points("number"))
    training.wait_points("number", reached + 20)
    assert training.bodies(CommandChanged) == []


def test_an_unknown_key_gets_nothing(start: Start) -> None:
    training = start(COUNTING.format(pace=0.005))
    training.wait_points("number", 10)
    public, secret = (half.decode() for half in zmq.curve_keypair())
    peer = Peer(training.place, (public, secret))
    try:
        peer.socket.send(encode_message(Read(0, 100)))
        assert peer.handshake() == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        assert not peer.socket.poll(100)
    finally:
        peer.close()


def test_a_command_for_another_run_is_refused_by_the_hub_that_gets_it(start: Start) -> None:
    training = start(COUNTING.format(pace=0.005))
    training.wait_points("number", 10)
    peer = Peer(training.place, may_command=True)
    try:
        answer = peer.ask(Ask("yesterday", "c1", "stop", "somebody"))
        assert answer == Answer("c1", False, f"this is run {training.place.id}, not yesterday")
    finally:
        peer.close()
    assert training.bodies(CommandChanged) == []


# --- recordings


@pytest.fixture
def recording(record: Callable[..., RunPlace], losses: Callable[..., Metrics]) -> RunPlace:
    """Sixty blocks of one value in seven chunks."""
    return record([losses([float(number)], "number") for number in range(60)])


def test_a_recording_is_delivered_whole_and_ends(recording: RunPlace, watch: Watch, wait: Wait) -> None:
    viewer = watch(ReplaySource(recording.log))
    wait(lambda: viewer.ended or None, "the end")
    assert viewer.numbers == [float(number) for number in range(60)]
    assert (viewer.source.live, viewer.source.control) == (False, None)
    assert viewer.updates[-1].status.complete
    assert not viewer.bodies(Lost)


def test_progress_of_a_long_recording_grows_to_the_whole(watch: Watch, wait: Wait, record: Callable[..., RunPlace]) -> None:
    text = os.urandom(150_000).hex()  # chunks of more than a piece
    place = record([Snapshot("text", "text", step, {}, texts={"noise": (text,)}) for step in range(40)])
    viewer = watch(ReplaySource(place.log))
    wait(lambda: viewer.ended or None, "the end")
    progress = [update.status.progress for update in viewer.updates]
    assert len(progress) > 3
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert [update.status.complete for update in viewer.updates] == [*[False] * (len(progress) - 1), True]
    assert len(viewer.bodies(Snapshot)) == 40


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.999])
def test_damage_becomes_a_loss_that_is_told_and_the_rest_is_read(recording: RunPlace, watch: Watch, wait: Wait, where: float) -> None:
    data = bytearray(recording.log.read_bytes())
    data[int(where * len(data))] ^= 0x40
    recording.log.write_bytes(data)
    viewer = watch(ReplaySource(recording.log))
    wait(lambda: viewer.ended or None, "the end")
    (lost,) = viewer.bodies(Lost)
    assert lost.why.startswith("damage in the recording at byte ")
    assert 50 <= len(viewer.numbers) < 60
    assert set(viewer.numbers) < {float(number) for number in range(60)}


def test_a_torn_end_is_told_once_nobody_writes_any_more(recording: RunPlace, watch: Watch, wait: Wait) -> None:
    recording.log.write_bytes(recording.log.read_bytes()[:-40])
    viewer = watch(ReplaySource(recording.log))
    wait(lambda: viewer.ended or None, "the end")
    assert [lost.why.partition(": ")[2] for lost in viewer.bodies(Lost)] == ["a chunk is not whole"]
    assert viewer.bodies(LifecycleChanged)[-1].state == "lost"


def test_while_its_hub_writes_a_torn_end_is_no_damage(recording: RunPlace, watch: Watch, wait: Wait) -> None:
    whole = recording.log.read_bytes()
    recording.log.write_bytes(whole[:-40])
    hub = subprocess.Popen(["flock", recording.directory / LOCK_NAME, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert hub.stdin is not None
    assert hub.stdout is not None
    hub.stdin.write(b"locked\n")
    hub.stdin.flush()
    assert hub.stdout.readline() == b"locked\n"
    try:
        at_once, following = watch(ReplaySource(recording.log)), watch(ReplaySource(recording.log, follow=True))
        wait(lambda: at_once.ended or None, "the end of what there is")
        wait(lambda: (following.updates and following.updates[-1].status.complete) or None, "all there is")
        assert at_once.bodies(Lost) == following.bodies(Lost) == []
        assert at_once.bodies(LifecycleChanged)[-1].state == "running"
        assert following.states[-1] == "following"
        with open(recording.log, "ab") as file:
            file.write(whole[-40:])
        wait(lambda: following.bodies(LifecycleChanged)[-1].state == "finished" or None, "the rest")
    finally:
        hub.communicate()
    wait(lambda: following.ended or None, "the end")
    assert following.numbers == [float(number) for number in range(60)]
    assert following.bodies(Lost) == []


def test_a_file_that_nobody_has_written_to_for_a_while_is_as_old_as_that(recording: RunPlace, watch: Watch, wait: Wait) -> None:
    written = time.time() - 100
    os.utime(recording.log, (written, written))
    viewer = watch(ReplaySource(recording.log, follow=True))
    wait(lambda: viewer.ended or None, "the end")
    heard = viewer.updates[0].status.heard
    assert heard is not None
    assert time.monotonic() - heard > 99


def test_a_file_that_grows_is_no_run_that_cannot_be_reached(
    record: Callable[..., RunPlace], losses: Callable[..., Metrics], watch: Watch, wait: Wait
) -> None:
    place = record([], ended=None, host="another-host")
    viewer = watch(LiveSource(place))
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < 2.5 * LOOK_AGAIN:  # the hub is looked for in vain, twice
        with open(place.log, "ab") as file:
            file.write(encode_chunk([Record(1.0, losses([float(number)], "number"), 0, number + 3)], number + 3, {0: number + 3}))
        number += 1
        wait(lambda number=number: len(viewer.numbers) == number or None, "the record")
    assert set(viewer.states) == {"following"}
    wait(lambda: viewer.states[-1] == "unreachable" or None, "being told that it stands still")


def test_a_newer_format_a_missing_file_and_a_directory_are_one_sentence_each(
    record: Callable[..., RunPlace], home: Path, watch: Watch, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as future:
        future.setattr("bedside_protocol.runlog.FORMAT", 2)
        newer = record([], "newer").log
    sentences = {
        newer: "this recording has format 2; this bedside reads up to 1: upgrade bedside",
        home / "absent": f"cannot read {home}/absent: No such file or directory",
        home: f"cannot read {home}: Is a directory",
    }
    for path, sentence in sentences.items():
        for source in (ReplaySource(path), ReplaySource(path, follow=True)):
            viewer = watch(source)
            wait(lambda viewer=viewer: viewer.updates or None, "a word")
            (update,) = viewer.updates
            assert (update.records, update.status.state, update.status.detail) == ((), "unreachable", sentence)
