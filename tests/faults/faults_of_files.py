"""What becomes of a recording that is damaged, and of a checkpoint whose writer is killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from io import BytesIO

from real_training import environment_in
from stage import Stage

from bedside_protocol.codec import encode_record
from bedside_protocol.runlog import Chunk, Damage, read_log

CHUNKS_LOST = "chunks lost to one flipped bit"
SAVING = """
import os, sys
from pathlib import Path
from bedside.checkpoint import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]))
def save(path):
    with open(path, "wb") as file:
        for _ in range(64):
            file.write(step % 256 * b"x" + bytes([step % 256]) * (65536 - step % 256))
print("stands", flush=True)
step = 0
while True:
    step += 1
    checkpoints.write(save, step % 4)
"""


def recorded(stage: Stage) -> bytes:
    """The bytes of a real recording of some hundred chunks."""
    training = stage.count(before="import random", row=', "noise": random.random()', pace=0.001)
    training.wait_points("number", 1000, 120)
    stage.ends_well(training)
    return training.place.log.read_bytes()


def bits_flipped(stage: Stage, times: int) -> None:
    """F14: one bit of a real recording flipped: at most its chunk is lost, and that is said; what is read is what was written."""
    data = recorded(stage)
    whole = {chunk.head.first_seq: list(map(encode_record, chunk.records)) for chunk in _chunks(data)}
    for _ in range(times):
        place = random.randrange(len(data) * 8)
        harmed = bytearray(data)
        harmed[place // 8] ^= 1 << place % 8
        found = list(read_log(BytesIO(harmed)))
        chunks = {piece.head.first_seq: list(map(encode_record, piece.records)) for piece in found if isinstance(piece, Chunk)}
        stage.tally.tries += 1
        if any(whole.get(seq) != records for seq, records in chunks.items()):
            stage.tally.told_wrongly(f"bit {place} flipped: values that were never written are read")
        lost = len(whole) - len(chunks)
        stage.tally.measure(CHUNKS_LOST, lost)
        if lost > 1 or not any(isinstance(piece, Damage) for piece in found):
            said = [piece for piece in found if isinstance(piece, Damage)]
            stage.tally.misses(lost, f"bit {place} flipped: {lost} chunks lost, and {said} said")


def cut_anywhere(stage: Stage, times: int) -> None:
    """F14: a real recording cut at some byte: every whole chunk before it is read, and nothing else."""
    data = recorded(stage)
    ends = [chunk.head.end for chunk in _chunks(data)]
    for _ in range(times):
        cut = random.randrange(len(data))
        read = [chunk.head.end for chunk in _chunks(data[:cut])]
        stage.tally.tries += 1
        if read != [end for end in ends if end <= cut]:
            stage.tally.misses(1, f"cut at byte {cut}: {len(read)} chunks are read")


def checkpoints_killed(stage: Stage, times: int) -> None:
    """F22: the process killed at any moment while it saves over and over; every checkpoint that stands there is whole."""
    home = stage.home()
    for _ in range(times):
        saving = subprocess.Popen([sys.executable, "-c", SAVING, str(home)], env=environment_in(home), stdout=subprocess.PIPE)
        assert saving.stdout is not None
        assert saving.stdout.readline() == b"stands\n"
        time.sleep(random.uniform(0, 0.3))
        saving.send_signal(signal.SIGKILL)
        saving.communicate()
        stage.tally.tries += 1
        for path in home.glob("step_*"):
            if len(set(path.read_bytes()[-256:])) != 1 or path.stat().st_size != 64 * 65536:
                stage.tally.misses(1, f"{path.name} is broken after a kill")


def _chunks(data: bytes) -> Iterable[Chunk]:
    return [piece for piece in read_log(BytesIO(data)) if isinstance(piece, Chunk)]
