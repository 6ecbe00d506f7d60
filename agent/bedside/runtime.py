"""The private directory of a run: its socket and its keys. Tested, not trusted.

`XDG_RUNTIME_DIR` is often set but absent on compute nodes, and a directory in `/tmp` may have been put there by somebody else: each
candidate must be a real directory of this user with mode 0700, made here if it is not there.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq

from bedside_protocol.places import KEYS_NAME, SOCKET_NAME, runtime_candidates, runtime_name, socket_fits


class NoRuntimeDirectory(OSError):
    """No candidate can hold the run's socket; the text names each and why."""


@dataclass(frozen=True, slots=True)
class Keys:
    """CURVE key pairs of a run (Z85 text). Viewer and operator are two: looking is not commanding."""

    server_public: str
    server_secret: str
    agent_public: str
    agent_secret: str
    operator_public: str
    operator_secret: str
    viewer_public: str
    viewer_secret: str

    def __repr__(self) -> str:
        return "<Keys of a run>"  # never in a log or a traceback


def make_keys() -> Keys:
    """Fresh keys for one run."""
    return Keys(*(part.decode() for _ in range(4) for part in zmq.curve_keypair()))


def open_runtime(run_id: str) -> Path:
    """A new 0700 directory for this run's socket. Raises `NoRuntimeDirectory`."""
    uid = os.getuid()
    reasons = []
    for candidate in runtime_candidates(os.environ, uid, Path(tempfile.gettempdir())):
        base = candidate.absolute()  # the hub has another working directory
        try:
            own_directory(base, uid)
            if not socket_fits(base):
                raise OSError("its path is too long for a socket")
            directory = base / runtime_name(run_id)
            directory.mkdir(mode=0o700)
            directory.chmod(0o700)  # the umask may have taken our own rights away
            return directory
        except OSError as error:
            reasons.append(f"{base}: {error.strerror or error}")
    raise NoRuntimeDirectory("; ".join(reasons))


def own_directory(path: Path, uid: int) -> None:
    """Make `path` (its parent must exist) or check that it is this user's real directory and nobody else's. Raises `OSError`.

    The parent may be anybody's only where nobody but the owner can rename what lies in it: with the sticky bit, as `/tmp` has it.
    """
    above = path.parent.stat()
    if above.st_uid not in (uid, 0) or (above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX):
        raise OSError("lies where somebody else could put another in its place")
    try:
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError("is not a directory")
    if found.st_uid != uid:
        raise OSError(f"belongs to user {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise OSError(f"is open to others (mode {stat.S_IMODE(found.st_mode):o})")


def write_keys(directory: Path, run_id: str, run_directory: Path, keys: Keys) -> None:
    """Leave the viewers' keys beside the socket, readable by this user alone. The agent's and the server's secrets stay in memory."""
    shown = {name: value for name, value in asdict(keys).items() if name not in ("server_secret", "agent_secret", "agent_public")}
    content = json.dumps({"run": run_id, "directory": str(run_directory), "socket": SOCKET_NAME, **shown})
    part = directory / f".{secrets.token_hex(4)}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, content.encode())
    finally:
        os.close(handle)
    os.replace(part, directory / KEYS_NAME)


def endpoint(directory: Path) -> str:
    """Where the hub of this runtime directory listens."""
    return f"ipc://{directory / SOCKET_NAME}"


def remove_runtime(directory: Path) -> None:
    """Take the run's runtime directory away; what is already gone is gone."""
    shutil.rmtree(directory, ignore_errors=True)
