"""Where things are: names of files and sockets, and the directories to try, as values.

Nothing here looks at the disk or the environment; both are passed in. Who opens a path also tests it: an `XDG_RUNTIME_DIR` that is set but
absent is common on compute nodes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOG_NAME: Final = "run.bedside"
HUB_LOG_NAME: Final = "hub.log"
LOCK_NAME: Final = "writer.lock"
LEFT_NAME: Final = "left.frames"
"""What a training could not hand to its hub before it left; the hub takes it into the recording."""
SOCKET_NAME: Final = "hub"
KEYS_NAME: Final = "keys.json"

MAX_SOCKET_PATH: Final = 107
"""Bytes of a Unix socket's path on Linux; one more and `bind` fails after deleting what was there."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


FAULT_FILES: Final = "fault-*.txt"


def fault_name(pid: int) -> str:
    """The file beside the recording into which a native fault of process `pid` writes its stack; empty until then."""
    return f"fault-{pid}.txt"


def run_root(environment: Mapping[str, str], state_directory: Path) -> Path:
    """The directory that holds runs: `BEDSIDE_DIR`, else the user's state directory (which the caller knows)."""
    override = environment.get("BEDSIDE_DIR", "")
    return Path(override).expanduser() if override else state_directory


def runtime_candidates(environment: Mapping[str, str], uid: int, temporary: Path) -> tuple[Path, ...]:
    """Directories that may hold sockets and keys, best first. Each must be made or found 0700 and owned before it is used."""
    candidates = []
    if override := environment.get("BEDSIDE_RUNTIME_DIR", ""):
        candidates.append(Path(override))
    if runtime := environment.get("XDG_RUNTIME_DIR", ""):
        candidates.append(Path(runtime) / "bedside")
    for name in ("SLURM_TMPDIR", "TMPDIR"):
        if directory := environment.get(name, ""):
            candidates.append(Path(directory) / f"bedside-{uid}")
    candidates.append(temporary / f"bedside-{uid}")
    return tuple(dict.fromkeys(candidates))


def left_name(rank: int) -> str:
    """`LEFT_NAME` of a rank other than 0: `left.2.frames`."""
    return LEFT_NAME if rank == 0 else LEFT_NAME.replace(".", f".{rank}.")


def runtime_name(run_id: str) -> str:
    """The short name of a run's directory among the runtime directories: eight hex digits, so that socket paths stay short."""
    return hashlib.blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def socket_fits(directory: Path) -> bool:
    """Whether a run's socket below this runtime directory has a path the system can bind."""
    return len(str(directory / "01234567" / SOCKET_NAME).encode("utf-8", "surrogateescape")) <= MAX_SOCKET_PATH


def run_id(name: str, stamp: str, nonce: str) -> str:
    """A directory name for a run: what the user called it, when it began, and something to tell twins apart."""
    ascii_name = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode()
    safe = _UNSAFE.sub("-", ascii_name).strip("-._")[:40]
    return f"{safe or 'run'}-{stamp}-{nonce}"
