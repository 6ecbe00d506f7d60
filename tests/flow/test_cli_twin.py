"""What scripts see of a run: its records as JSON, and the end of a wait."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bedside_protocol.codec import BODIES
from bedside_protocol.places import LOCK_NAME
from bedside_protocol.records import Array, Event, Metrics, Note, Record, Snapshot
from bedside_protocol.runlog import encode_chunk
from bedside_tui.places import RunPlace
from bedside_tui.record_json import KINDS, record_to_json

Start = Callable[..., Any]
Cli = Callable[..., Any]
Made = Callable[..., RunPlace]
Losses = Callable[..., Metrics]

TOLD = """
import bedside, sys
run = bedside.init(project="flow", name="told")
for line in sys.stdin:
    if line.startswith("event"):
        run.event(line.strip())
    elif line.startswith("raise"):
        raise ValueError(line.strip())
    else:
        run.log({"loss": float(line), "val/acc": 0.5})
        run.step()
run.finish()
"""
"""Logs a step for each number it is told."""


def _obey_interrupts() -> None:
    """As in a shell, also where the tests themselves run in the background of one, which is inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Command:
    """A command of `bedside` in a process of its own."""

    def __init__(self, words: Sequence[object], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bedside_tui", *map(str, words)],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_obey_interrupts,
        )  # fmt: skip

    def line(self) -> Any:
        """The next line of its output, as JSON."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> tuple[int, str, str]:
        """Wait until it ends by itself: exit code, the rest of its output, stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(60), out, err


@pytest.fixture
def command(environment: dict[str, str]) -> Iterator[Callable[..., Command]]:
    """`command("watch", run)`: start a command."""
    begun: list[Command] = []

    def begin(*words: object) -> Command:
        begun.append(Command(words, environment))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def tell(training: Any, *lines: object) -> None:
    for line in lines:
        training.say(str(line))


# --- all of them


def test_no_byte_of_a_run_is_obeyed_by_who_reads_a_still_or_a_record(bedside: Cli, record: Made, losses: Losses) -> None:
    hostile = "\x1b]52;c;QUFBQQ==\x07 \x1b[2J \x9b2J [/x] \u202eevil \ud800"
    record([losses([1.0], f"loss {hostile}"), Event(hostile, 1, {hostile: hostile}), Note(hostile, hostile, 1)], name=hostile)
    for words in (["once"], ["once", "--screen", "log"], ["watch"], ["wait", "--until", f"'{hostile}'<1 or step>=9"]):
        said = bedside(*words)
        assert said.out
        assert (said.out + said.err).replace("\n", "").isprintable()


BARE = (
    "import sys; sys.modules.update(textual=None, rich=None, plotext=None); from bedside_tui.cli import main; sys.exit(main(sys.argv[1:]))"
)


def test_without_the_terminal_library_only_the_still_is_missing(record: Made, losses: Losses, environment: dict[str, str]) -> None:
    record([losses([1.0])])

    def bare(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", BARE, *words], env=environment, capture_output=True, text=True, check=False)

    said = bare("once")
    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr.startswith('bedside: the screens need the extra "tui": pip install ')
    assert len(bare("watch").stdout.splitlines()) == 4
    assert bare("wait", "--until", "loss<2").stdout == "met at step 1, 1 ms into the run: loss<2\n"


# --- watch


def codebook(step: int) -> Snapshot:
    usage = Array("histogram", np.arange(64.0))
    return Snapshot("vq", "codebook", step, {"size": 64.0, "used": 60.0, "usage": 0.9, "dead": 4.0, "perplexity": 40.0}, {"usage": usage})


def test_every_record_is_one_line_of_json_in_the_order_of_the_log(
    bedside: Cli, record: Made, losses: Losses, read: Callable[[Path], list[Record]]
) -> None:
    place = record([losses([1.0, nan, inf, -inf]), codebook(3), Note("½ \x1b", "ann", 3)], config={"lr": nan, "layers": 3, "name": None})
    said = bedside("watch", "--jsonl")
    assert (said.code, said.err) == (0, "")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert lines == [record_to_json(record) for record in read(place.log)]
    assert [line["kind"] for line in lines] == ["run", "lifecycle", "metrics", "snapshot", "note", "lifecycle"]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[0]["body"]["config"] == {"lr": "NaN", "layers": 3, "name": None}
    assert lines[2]["body"] == {
        "steps": [1, 2, 3, 4],
        "times": [0.001, 0.002, 0.003, 0.004],
        "values": {"loss": [1.0, "NaN", "Infinity", "-Infinity"]},
    }
    assert lines[3]["body"]["arrays"]["usage"]["values"] == list(range(64))
    assert lines[4]["body"] == {"text": "½ \x1b", "author": "ann", "step": 3, "at": None, "wall": 0.0}
    chosen = bedside("watch", "--kinds", "note,metrics", "--no-follow").out.splitlines()
    assert [json.loads(line) for line in chosen] == [line for line in lines if line["kind"] in ("note", "metrics")]


def test_every_kind_of_record_has_its_name() -> None:
    assert {kind: body for body, kind in KINDS.items()} == BODIES


def test_records_of_a_live_run_come_as_they_are_written_and_end_with_it(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    tell(training, 3.0)
    watching = command("watch", training.place.id, "--kinds", "run,metrics,event,ended,lifecycle")
    assert watching.line()["body"]["name"] == "told"
    seen = []
    for value in (2.0, 1.0):
        tell(training, value, f"event {value:g}")
        while (line := watching.line())["kind"] != "event":
            seen += line["body"].get("values", {}).get("loss", [])
        assert line["body"]["name"] == f"event {value:g}"
    training.process.stdin.close()
    code, rest, err = watching.end()
    assert (code, err) == (0, "")
    assert seen == [3.0, 2.0, 1.0]
    assert json.loads(rest.splitlines()[-1])["body"]["state"] == "finished"


def test_no_record_is_lost_or_said_twice_when_the_hub_is_killed(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    tell(training, 3.0)
    watching = command("watch", training.place.id)
    assert watching.line()["seq"] == 1
    training.wait_points("loss", 0)
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.hub_pid(started=2)
    tell(training, 2.0)
    training.wait_points("loss", 1)
    training.process.stdin.close()
    code, rest, _ = watching.end()
    lines = [json.loads(line) for line in rest.splitlines()]
    assert code == 0
    assert [line["seq"] for line in lines] == list(range(2, len(lines) + 2))
    assert [loss for line in lines if line["kind"] == "metrics" for loss in line["body"]["values"].get("loss", [])] == [3.0, 2.0]


def test_a_run_that_nobody_can_be_asked_about_is_told_once(record: Made, losses: Losses, command: Callable[..., Command]) -> None:
    place = record([losses([3.0])], ended=None)
    with open(place.directory / LOCK_NAME, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its writer lives, and writes nothing
        code, out, err = command("wait", place.id, "--until", "loss<1", "--timeout", "4s").end()
    assert (code, out) == (124, "not within 4.0 s: running at step 1; loss is 3.00\n")
    assert err == "bedside: the hub does not answer; looking again\n"


def test_from_now_says_nothing_of_before(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    tell(training, 1.0, "event before")
    training.wait_for(lambda body: isinstance(body, Event))
    watching = command("watch", training.place.id, "--from", "now", "--kinds", "event,tick")
    assert watching.line()["kind"] == "tick"
    tell(training, "event after")
    while (line := watching.line())["kind"] == "tick":
        pass
    assert line["body"]["name"] == "event after"


def test_a_watch_whose_reader_has_left_leaves_too_and_says_nothing(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    watching = command("watch", training.place.id, "--kinds", "run,note")
    assert watching.line()["kind"] == "run"
    watching.process.stdout.close()  # type: ignore[union-attr]
    assert watching.process.wait(60) == 141
    assert watching.process.stderr.read() == ""  # type: ignore[union-attr]
    assert training.process.poll() is None


@pytest.mark.parametrize("words", [["watch"], ["wait", "--until", "step>=5000"]])
def test_ctrl_c_is_met_with_silence_and_touches_no_training(
    start: Start, command: Callable[..., Command], wait: Callable[..., Any], words: list[str]
) -> None:
    training = start(TOLD)
    tell(training, 1.0)
    training.wait_points("loss", 0)
    watching = command(*words)
    tasks = Path(f"/proc/{watching.process.pid}/task")
    wait(lambda: True if len(list(tasks.iterdir())) >= 4 else None, "the threads of a source and its socket")
    watching.process.send_signal(signal.SIGINT)
    code, _, err = watching.end()
    assert (code, err) == (130, "")
    tell(training, 2.0)
    training.wait_points("loss", 1)


def test_closed_streams_are_no_tracebacks(record: Made, losses: Losses, environment: dict[str, str]) -> None:
    record([losses([1.0])])
    for words in ("watch", "once", "wait --until 'loss<2'"):
        said = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m bedside_tui {words} >&-"], env=environment, capture_output=True, text=True, check=False
        )
        assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--kinds", "metrics,loss"], "there are no records of kind loss; there are run, rules, expectation, metrics"),
        (["--from", "now", "--no-follow"], "--from now --no-follow asks for nothing: leave one out"),
    ],
)
def test_a_watch_that_makes_no_sense_is_a_sentence(bedside: Cli, record: Made, losses: Losses, words: list[str], why: str) -> None:
    record([losses([1.0])])
    said = bedside("watch", *words)
    assert (said.code, said.out) == (3, "")
    assert why in said.err


# --- wait


def test_a_wait_ends_when_the_alarm_fires(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    waiting = command("wait", training.place.id, "--until", "alert>=red or step>=5000")
    tell(training, *[1.0] * 30, *[nan] * 20)
    code, out, err = waiting.end()
    assert (code, err) == (0, "")
    assert out.startswith("met at step ")
    assert "alert>=red (red: nonfinite on loss: " in out
    assert out.count("\n") == 1
    assert training.process.poll() is None


def test_a_wait_for_a_step_and_a_value_ends_while_the_run_goes_on(start: Start, bedside: Cli) -> None:
    training = start(TOLD)
    tell(training, 3.0, 2.0, 1.0, 3.0)
    assert training.place
    said = bedside("wait", "--until", "loss<=2 and 'val/acc'>=0.5", "--timeout", "60s", "--json")
    assert said.code == 0
    found = said.json
    assert (found["outcome"], found["step"], found["metrics"]) == ("met", 2, {"loss": 2.0, "val/acc": 0.5})
    assert (found["until"], found["held"]) == ("loss<=2 and val/acc>=0.5", ["loss<=2", "val/acc>=0.5"])
    assert bedside("wait", "--until", "step>=4").out.startswith("met at step 4, ")
    assert training.process.poll() is None


def test_a_wait_for_a_state_hears_how_the_run_ended(start: Start, bedside: Cli) -> None:
    training = start(TOLD)
    tell(training, 1.0)
    training.wait_points("loss", 0)
    training.kill()
    said = bedside("wait", "--until", "state=killed", "--timeout", "30s")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("met at step 1, ")
    assert said.out.endswith("into the run: state=killed\n")


def test_a_run_that_ends_without_it_is_told_with_what_is_known(start: Start, command: Callable[..., Command]) -> None:
    training = start(TOLD)
    waiting = command("wait", training.place.id, "--until", "loss<0.1 or 'val loss'<0.1 or step>=5000")
    tell(training, 0.5, "raise it went wrong")
    code, out, err = waiting.end()
    assert (code, err) == (1, "")
    assert out == "over without it: failed at step 1; loss is 0.5000; no metric val loss was logged\n"


def test_the_time_is_up_before_it_holds(start: Start, bedside: Cli) -> None:
    training = start(TOLD)
    tell(training, 0.5)
    training.wait_points("loss", 0)
    training.wait_lifecycle("running")
    said = bedside("wait", "--until", "loss<0.1", "--timeout", "1.5s")
    assert (said.code, said.err) == (124, "")
    assert said.out == "not within 1.5 s: running at step 1; loss is 0.5000\n"
    said = bedside("wait", "--until", "loss<0.1", "--timeout", "0.5s", "--json")
    assert (said.code, said.json["outcome"], said.json["held"]) == (124, "timeout", [])


def test_a_recording_is_judged_at_the_first_moment_that_met(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0, 2.0, 0.9, 2.0])])
    said = bedside("wait", "--until", "loss<1")
    assert (said.code, said.out) == (0, "met at step 3, 3 ms into the run: loss<1\n")
    said = bedside("wait", "--until", "loss<0.5")
    assert (said.code, said.out) == (1, "over without it: finished at step 4; loss is 2.00\n")


def test_a_file_that_grows_without_a_hub_is_followed_to_its_end(record: Made, losses: Losses, command: Callable[..., Command]) -> None:
    place = record([losses([3.0])], ended=None)
    with open(place.directory / LOCK_NAME, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its writer lives
        watching = command("watch", place.id, "--kinds", "metrics,note")
        waiting = command("wait", place.id, "--until", "loss<1")
        assert watching.line()["body"]["values"] == {"loss": [3.0]}
        with open(place.log, "ab") as log:
            log.write(encode_chunk([Record(1.0, losses([0.5]), 0, 4), Record(1.1, Note("end", "ann", 1), 0, 5)], 4, {0: 5}))
        assert watching.line()["body"]["values"] == {"loss": [0.5]}
        assert watching.line()["body"]["text"] == "end"
        assert waiting.end()[:2] == (0, "met at step 1, 1 ms into the run: loss<1\n")
    assert watching.end()[:2] == (0, "")


def test_a_slip_is_shown_where_it_is(bedside: Cli, record: Made, losses: Losses) -> None:
    record([losses([3.0])])
    said = bedside("wait", "--until", "alert>=red or step>=5,000")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "bedside: a whole number is expected here\nbedside:   alert>=red or step>=5,000\nbedside:                       ^\n"
    )


@pytest.mark.parametrize("verb", [["once"], ["watch"], ["wait", "--until", "step>=1"]])
def test_what_is_no_recording_is_a_sentence(bedside: Cli, home: Path, verb: list[str]) -> None:
    said = bedside(verb[0], home / "nowhere", *verb[1:])
    assert (said.code, said.out, said.err) == (3, "", f"bedside: there is no {home}/nowhere\n")
    for name, content in (("empty", b""), ("photo", b"\xff\xd8\xff" * 1000)):
        (home / name).write_bytes(content)
        said = bedside(verb[0], home / name, *verb[1:])
        assert (said.code, said.out) == (3, "")
        assert said.err == f"bedside: {home}/{name} holds no records: is it a recording?\n"
