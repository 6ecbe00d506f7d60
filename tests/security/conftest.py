"""A training as somebody starts it who has chosen nothing: where a default install puts its files, its socket and its keys."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_training import Training, until

from bedside_tui.places import RunPlace

NOTHING_CHOSEN = dict.fromkeys(("BEDSIDE_DIR", "BEDSIDE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR"), "")
SCRIPT = """
import bedside, os, select, sys
os.umask(0)  # the worst a shell can have set
run = bedside.init(project="security", name="default", config={"api_key": "seeded-secret-1", "db": "postgres://me:seeded-secret-2@host/x"})
@run.on_checkpoint
def save(path):
    with open(path, "w") as file:
        file.write("weights")
for _ in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    if select.select([sys.stdin], [], [], 0.005)[0]:
        break
raise RuntimeError("cannot log in with password=seeded-secret-3")
"""


class DefaultInstall:
    """That training, its hub, and the places that belong to them. It fails once a line is said to it."""

    def __init__(self, home: Path) -> None:
        chosen = NOTHING_CHOSEN | {"HOME": str(home), "HUGGING_FACE_HUB_TOKEN": "hf_seededsecret4seededsecret4"}
        self.environment = chosen
        self.home = home
        self.training = Training(home, SCRIPT, chosen, reaped_at_once=False, flags=("-X", "hf_token=hf_seededsecret5seededsecret5"))
        self.training.runs = home / ".local" / "state" / "bedside"
        self.hub = self.training.hub_pid()
        self.training.wait_lifecycle("running")

    @property
    def place(self) -> RunPlace:
        return self.training.place

    @property
    def runtime(self) -> Path:
        """The directory with the run's socket and keys, from the hub's own open files."""
        return until(lambda: next(iter(Path(path).parent for path in self.sockets(self.hub)), None), "the hub's socket")

    def sockets(self, pid: int) -> list[str]:
        """The names of all sockets that a process listens at: paths, names without a file (`@…`) and addresses (`tcp …`)."""
        held = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink() and os.path.lexists(link)}
        names = []
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
            parts = line.split()
            if f"socket:[{parts[6]}]" in held and int(parts[3], 16) & 0x10000 and len(parts) > 7:  # it accepts connections
                names.append(parts[7])
        for kind in ("tcp", "tcp6", "udp", "udp6"):
            table = Path(f"/proc/net/{kind}")
            for line in table.read_text().splitlines()[1:] if table.exists() else ():
                parts = line.split()
                if f"socket:[{parts[9]}]" in held:
                    names.append(f"{kind} {parts[1]}")
        return names


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Somebody's home on a shared machine, which others may look into. Its path is short: a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="bs-"))
    path.chmod(0o755)
    yield path
    for _ in range(3):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def install(home: Path) -> Iterator[DefaultInstall]:
    """A training in a default install; this process, as a viewer, has nothing chosen either."""
    with pytest.MonkeyPatch.context() as here:
        for name in [name for name in os.environ if name.startswith(("BEDSIDE", "XDG_", "SLURM_", "TMPDIR"))]:
            here.delenv(name)
        here.setenv("HOME", str(home))
        one = DefaultInstall(home)
        runtime = one.runtime
        yield one
        one.training.close()
        shutil.rmtree(runtime, ignore_errors=True)
