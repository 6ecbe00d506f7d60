"""What a day-long run costs a viewer: 10 M points over 200 metrics. Time to the first picture, time to read all, seeks, memory.

Run it by itself: `make bench-day`. The logs are made once (`day_log` says of what) and kept in `build/day`. Every figure comes from a
process of its own: the screen from the real command in a pseudo-terminal, seeks and drawing from the application without a terminal,
the store and the bare numbers (a numpy load of the same arrays) from processes that do nothing else. Seconds are told twice: by the
clock, and of the processor, which a busy machine does not stretch. Compare figures of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import random
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import day_log

BUILD: Final = Path(__file__).resolve().parents[2] / "build" / "day"
BARE: Final = BUILD / "bare.npz"
SIZES: Final = ((80, 24), (200, 50))
SCREENS: Final = ("vitals", "chart", "codebook")
SEEKS: Final = 100
SHOWN: Final = "block.0/loss"
"""A metric whose name on the screen says that there is data."""
RUN: Final = "bench/day-1"
PATIENCE: Final = 300.0
LOOKS: Final = 0.25
"""Seconds between two drawings."""


@dataclass
class Watch:
    """Seconds since the beginning, by the clock and of the processor."""

    clock: float = field(default_factory=time.perf_counter)
    processor: float = field(default_factory=time.process_time)

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.clock, time.process_time() - self.processor


def peak(pid: int | str = "self") -> float:
    """The most memory that a process held so far, in MB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def processor(pid: int) -> float:
    """Seconds of the processor that a process has had."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# --- the children: each prints one line of JSON


def bare(log: Path) -> dict[str, Any]:
    """The same numbers, loaded by numpy."""
    import numpy as np

    before, watch = peak(), Watch()
    with np.load(BARE) as arrays:
        kept = [arrays[name] for name in arrays.files]
    return {"seconds": watch.read(), "memory": peak() - before, "points": int(kept[-1].size)}


def store(log: Path) -> dict[str, Any]:
    """The log read into a store, with a view as often as a screen looks, and then every curve."""
    from bedside_protocol.runlog import Chunk, Decoder
    from bedside_tui.store.store import Store

    before, watch = peak(), Watch()
    read, decoder, looked = Store(), Decoder(), 0.0
    with open(log, "rb") as file:
        while data := file.read(256 << 10):
            for piece in decoder.feed(data):
                if isinstance(piece, Chunk):
                    read.feed(piece.records)
            if (now := watch.read()[1]) > looked + LOOKS:
                read.at()
                looked = now
    points = sum(len(metric.history) for metric in read.at().metrics)
    seconds = watch.read()
    for metric in read.at().metrics:
        metric.history.columns(80)  # summaries are made when somebody looks: here at everything
    return {"seconds": seconds, "memory": peak() - before, "points": points}


def seeks(log: Path, size: tuple[int, int]) -> dict[str, Any]:
    """Seconds of view, frame and drawing at random moments on each screen, of the views alone, until the first data, until all is read."""
    return asyncio.run(_seeks(log, size))


async def _seeks(log: Path, size: tuple[int, int]) -> dict[str, Any]:
    from bedside_tui.app import BedsideApp
    from bedside_tui.sources.replay import ReplaySource

    watch = Watch()
    app = BedsideApp(ReplaySource(log, follow=True))  # stands at the end: what is read is seen
    found: dict[str, Any] = {}
    async with app.run_test(size=size) as pilot:
        while not app.settled.is_set():
            if "first" not in found and app.top is not None and SHOWN in app.top.rows.text:
                found["first"] = watch.read()
            await pilot.pause(0.01)
        found["read"] = watch.read()
        moments = random.Random(0)
        found["the view"] = []
        for screen in SCREENS:
            app.show(screen)
            await pilot.pause()
            taken = []
            for _ in range(SEEKS):
                one, at = Watch(), moments.uniform(*app.viewing.store.span)
                app.viewing.store.at(at)
                found["the view"].append(one.read())
                app.move_to(at)
                taken.append(one.read())
                await pilot.pause(0.001)
            assert app.top is not None
            assert "could not be drawn" not in app.top.rows.text
            found[screen] = taken
    return found | {"memory": peak()}


# --- the screen as a person opens it


def on_screen(verb: str, log: Path, size: tuple[int, int]) -> dict[str, Any]:
    """`bedside VERB LOG` in a pseudo-terminal: seconds until a metric stands there.

    A replay begins before anything was logged: there the run itself must stand there.
    """
    program = Path(sys.executable).with_name("bedside")
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        os.execve(program, ["bedside", verb, str(log)], {**os.environ, "TERM": "xterm-256color"})
    mark = SHOWN if verb == "attach" else RUN
    found: dict[str, Any] = {}
    said = b""
    while not found and time.perf_counter() < began + PATIENCE:
        if select.select([terminal], [], [], 0.05)[0]:
            said = said[-4096:] + os.read(terminal, 1 << 16)
        if mark.encode() in said:
            found["first"] = time.perf_counter() - began, processor(pid)
    os.write(terminal, b"q")
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            if not os.read(terminal, 1 << 16):
                break
        except OSError:  # how Linux says that the other end has gone
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    return found


# --- the report


def child(*words: str) -> Any:
    done = subprocess.run([sys.executable, __file__, "--child", *words], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def said(seconds: tuple[float, float] | None) -> str:
    return f"{seconds[0]:6.2f} s ({seconds[1]:5.2f} s of the processor)" if seconds else "never"


def report(shape: str) -> Iterator[str]:
    """What was measured of one shape of the log, a line at a time."""
    log = BUILD / shape / "run.bedside"
    yield f"{shape}: {log.stat().st_size / 1e6:.0f} MB"
    for verb in ("attach", "replay"):
        one = on_screen(verb, log, SIZES[0])
        yield f"  bedside {verb:7}  first {'data   ' if verb == 'attach' else 'picture'} {said(one.get('first'))}"
    plain, kept = child("bare", str(log)), child("store", str(log))
    for name, one in (("numpy.load", plain), ("store alone", kept)):
        ratios = f"× {one['seconds'][1] / plain['seconds'][1]:5.1f} processor  × {one['memory'] / plain['memory']:4.1f} memory"
        yield f"  {name:14}  {said(one['seconds'])}  {one['memory']:4.0f} MB more than before  {ratios}"
    for width, height in SIZES:
        found = child("seeks", str(log), str(width), str(height))
        opened = f"first data {said(found.get('first'))}   all read {said(found['read'])}"
        yield f"  {width}×{height}, without imports: {opened}   peak {found['memory']:.0f} MB"
        for screen in (*SCREENS, "the view"):
            clock, used = ([1e3 * one for one in sorted(column)] for column in zip(*found[screen], strict=True))
            middle = len(clock) // 2
            yield (
                f"    a seek on {screen:9} median {clock[middle]:5.1f} ms ({used[middle]:5.1f} of the processor)"
                f"   worst {clock[-1]:5.1f} ms ({used[-1]:5.1f})"
            )


def prepare(shapes: tuple[day_log.Shape, ...]) -> None:
    """Make what is missing."""
    for shape in shapes:
        log = BUILD / shape / "run.bedside"
        if not log.exists():
            print(f"making {log} (once, about a minute)", flush=True)
            day_log.write(log, shape)
    if not BARE.exists():
        import numpy as np

        steps = np.arange(1, day_log.ROWS + 1)
        np.savez(BARE, steps=steps, times=steps * day_log.PACE, values=day_log.values())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--shape", choices=("packed", "paced"), help="only this shape of the log")
    options.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.child:
        what, log, *size = chosen.child
        if what == "seeks":
            print(json.dumps(seeks(Path(log), (int(size[0]), int(size[1])))))
        else:
            print(json.dumps({"bare": bare, "store": store}[what](Path(log))))
        return
    shapes: tuple[day_log.Shape, ...] = (chosen.shape,) if chosen.shape else ("packed", "paced")
    prepare(shapes)
    goals = "goals: on screen within 1 s, a seek within 100 ms, within 300 MB"
    print(f"{day_log.ROWS:,} rows × {len(day_log.NAMES)} metrics over 24 h; {goals}", flush=True)
    for shape in shapes:
        for line in report(shape):
            print(line, flush=True)


if __name__ == "__main__":
    main()
