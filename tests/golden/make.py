"""`python tests/golden/make.py`: write the golden files of this version, once, when it is released. They are never changed afterwards.

`frames.jsonl`: a frame of every wire message and record kind, and what it says. `every.bedside`: a recording of every record kind.
`training.bedside`: a real training of a second, in which a loss becomes NaN. Beside each recording stands what it says, as the lines of
`bedside export --jsonl` of this version. `plan.json` is what an agent tells the hub it starts, `keys.json` what it leaves for viewers,
`left.bin` what it leaves for a hub to come, `link.bin` what a proxy says. `SHA256SUMS` tells whether anything was changed.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from golden import FRAMES, HERE, HOW, SUMS, examples, plain, sums

from bedside.left_over import leave_frames
from bedside.runtime import Keys, write_keys
from bedside.spawn import HubPlan
from bedside_protocol.codec import encode_message, encode_record
from bedside_protocol.framing import framed, greeting
from bedside_protocol.places import KEYS_NAME, left_name
from bedside_protocol.records import Body, Record, RunStarted
from bedside_protocol.runlog import encode_chunk, read_records
from bedside_tui.record_json import json_line

TRAINING: Final = """
import socket, time
socket.gethostname = lambda: "golden"
import torch, bedside
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
run = bedside.init(project="golden", name="golden", config={"lr": 0.05, "layers": 2, "secret_token": "never kept"})
run.watch(model, optimizer)
codes = run.probe(bedside.Codebook("vq", size=16, every=10))
inputs = torch.randn(64, 4)
for step in run.steps(range(1, 61)):
    optimizer.zero_grad()
    loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
    loss.backward()
    optimizer.step()
    codes.observe(torch.randint(0, 4 if step > 30 else 16, (64,)))
    if step == 30:
        run.event("reinit", codes=3)
    run.log({"loss": loss.item() if step < 55 else float("nan"), "lr": 0.05})
    time.sleep(0.05)
run.finish()
"""


def main() -> int:
    directory = HERE / metadata.version("bedside")
    if directory.exists():
        print(f"{directory.name} has its golden files, and they never change. {HOW}.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bs-") as home:
        recordings = {"every": _every(), "training": _training(Path(home))}
    files = {"frames.jsonl": "".join(line + "\n" for line in _frames()).encode(), **_around_a_hub()}
    for name, data in recordings.items():
        lines = "".join(json_line(record) + "\n" for record in read_records(io.BytesIO(data)))
        files |= {f"{name}.bedside": data, f"{name}.jsonl": lines.encode()}
    directory.mkdir()
    for name, data in files.items():
        (directory / name).write_bytes(data)
    (directory / SUMS).write_text("".join(f"{told}  {name}\n" for name, told in sorted(sums(directory).items())))
    print(f"{directory.name}: {', '.join(f'{name} {len(data):,}' for name, data in files.items())}")
    return 0


def _frames() -> list[str]:
    lines = []
    for place, (what, kind, value) in enumerate(examples(), 1):
        frame = encode_record(Record(place / 8, value, place % 3 - 1, place)) if what == "record" else encode_message(value)
        head = {"time": place / 8, "rank": place % 3 - 1, "counter": place} if what == "record" else {}
        lines.append(json.dumps({"what": what, "kind": kind, "frame": frame.hex(), **head, "says": plain(value)}, ensure_ascii=False))
    return lines


def _around_a_hub() -> dict[str, bytes]:
    """What an agent tells the hub it starts, what it leaves for viewers and for a hub to come, what a proxy says; the keys open nothing."""
    keys = Keys(*(character * 40 for character in "01234567"))
    plan = HubPlan("golden-1", "/runs/golden-1", "/runtime/golden-1", 7, 8, 1.7e9, 9.5, 1 << 30, keys, "[rules.x]", "x.toml")
    with tempfile.TemporaryDirectory() as directory:
        write_keys(Path(directory), plan.run, Path(plan.directory), keys)
        leave_frames(Path(directory), FRAMES)
        found = {"keys.json": KEYS_NAME, "left.bin": left_name(0)}
        files = {name: (Path(directory) / at).read_bytes() for name, at in found.items()}
    return files | {"plan.json": plan.to_json(["/packages"]).encode(), "link.bin": greeting() + b"".join(map(framed, FRAMES))}


def _every() -> bytes:
    """A recording of a record of every kind, in chunks of eight."""
    first: list[Body] = [RunStarted("every", "every", "golden", 1.7e9, "golden", config={"lr": 0.1})]
    said = {kind: value for what, kind, value in reversed(list(examples())) if what == "record" and kind != "run"}
    bodies: Sequence[Body] = [*first, *reversed(said.values())]
    records = [Record(place / 4, body, 0, place + 1) for place, body in enumerate(bodies)]
    groups = (records[start : start + 8] for start in range(0, len(records), 8))
    return b"".join(encode_chunk(group, group[0].counter, {0: group[-1].counter}) for group in groups)


def _training(home: Path) -> bytes:
    (home / "train.py").write_text(TRAINING)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # no path of this machine in the command line
    own = {"BEDSIDE_DIR": str(home / "runs"), "BEDSIDE_RUNTIME_DIR": str(home / "rt"), "OMP_NUM_THREADS": "1", "PATH": path}
    for command in (["python", "train.py"], ["bedside", "wait", "--until", "state=over"]):
        subprocess.run(command, cwd=home, env={**os.environ, **own}, check=True, stdout=subprocess.DEVNULL)
    (log,) = (home / "runs").glob("*/run.bedside")
    return log.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
