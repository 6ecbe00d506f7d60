"""What a rule asks for is asked for also where the hub dies between the alarm and the deed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bedside_protocol.places import LOG_NAME
from bedside_protocol.records import AlertChanged, CommandChanged
from bedside_protocol.runlog import Chunk, read_log

RULES = """
[rules.too-high]
watch = {metric = "high"}
when = {beyond = {red_above = 5}}
on_red = ["notify"]
"""
LOOP = """
import bedside, time
run = bedside.init(project="flow", name="acting", rules="mine.toml")
for number in run.steps(range(10**9)):
    run.log({"high": 9.0 if number > 40 else 1.0})
    time.sleep(0.005)
"""


def cut_behind_the_alarm(recording: Path) -> None:
    """Leave of a recording what was written when its hub had found the alarm and asked for nothing yet."""
    with open(recording, "r+b") as file:
        chunks = [piece for piece in read_log(file) if isinstance(piece, Chunk)]
        found = (chunk for chunk in chunks if any(isinstance(record.body, AlertChanged) for record in chunk.records if is_red(record.body)))
        end = next(found).head.end
        assert not any(isinstance(record.body, CommandChanged) for chunk in chunks if chunk.head.end <= end for record in chunk.records)
        file.truncate(end)


def is_red(body: object) -> bool:
    return isinstance(body, AlertChanged) and (body.rule, body.state) == ("too-high", "firing")


def test_a_hub_asks_for_what_the_one_before_it_did_not_live_to_ask_for(start: Callable[..., Any], home: Path) -> None:
    (home / "mine.toml").write_text(RULES)
    script = home / "tell"
    script.write_text('#!/bin/sh\ncat >> "$0.told"\n')
    script.chmod(0o700)
    training = start(LOOP, {"BEDSIDE_NOTIFY": f"exec:{script}"})
    training.wait_for(is_red)
    training.kill(signal.SIGSTOP)  # nobody starts another hub meanwhile
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.wait_hub_gone()
    cut_behind_the_alarm(training.place.directory / LOG_NAME)
    training.kill(signal.SIGCONT)
    training.hub_pid(started=2)
    training.wait_for(lambda body: isinstance(body, CommandChanged) and (body.verb, body.state) == ("notify", "applied"))
    assert [body.state for body in training.bodies(CommandChanged)] == ["requested", "applied"]
    assert [body.state for body in training.bodies(AlertChanged) if is_red(body)] == ["firing"]
