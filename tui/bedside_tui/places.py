"""Where this machine keeps runs, and which of them a person means: by id, name, directory or file. Opens no recording."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from bedside_protocol.places import KEYS_NAME, LOG_NAME, run_root, runtime_candidates, runtime_name


class NoSuchRun(LookupError):
    """There is no run by that word; the text says what to do."""


class Unreadable(Exception):
    """A recording cannot be read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A recording on this machine's disks. `id` is its directory's name."""

    id: str
    log: Path

    @property
    def directory(self) -> Path:
        return self.log.parent


@dataclass(frozen=True, slots=True)
class Door:
    """The way to a live hub: where it listens and the keys to use."""

    endpoint: str
    server_public: str
    public: str
    secret: str

    def __repr__(self) -> str:
        return f"<Door {self.endpoint}>"  # keys never show


def roots(directory: Path | None = None) -> list[Path]:
    """The directories that hold runs: the one given, else the user's own and the one used where that could not be written, which lies where
    somebody else may have put another of its name: then it holds none of ours."""
    if directory is not None:
        return [Path(os.path.expanduser(directory))]
    state = Path(platformdirs.user_state_dir("bedside", appauthor=False))
    try:
        own = run_root(os.environ, state)
    except RuntimeError as error:  # `~somebody` who has no home
        raise NoSuchRun(f"BEDSIDE_DIR={os.environ['BEDSIDE_DIR']!r} names no directory: {error}") from error
    emergency = Path(tempfile.gettempdir()) / f"bedside-runs-{os.getuid()}"
    return [own] if os.path.lexists(emergency) and not _is_private(emergency, os.getuid()) else [own, emergency]


def runs_in(directories: Sequence[Path]) -> list[RunPlace]:
    """Every recording in these directories, the newest first. Directories that are not there hold none."""
    places = []
    for directory in directories:
        try:
            places += [RunPlace(entry.name, Path(entry.path) / LOG_NAME) for entry in os.scandir(directory) if entry.is_dir()]
        except OSError:
            continue
    return sorted((place for place in places if os.path.isfile(place.log)), key=_age, reverse=True)


def find_run(word: str | None, directories: Sequence[Path]) -> RunPlace:
    """The run meant by `word`: an id, a file, a directory of one run or holding one, or the beginning of an id (the newest such run).

    Without a word, the newest. Raises `NoSuchRun`.
    """
    runs = runs_in(directories)
    if word is None:
        if not runs:
            raise NoSuchRun(f"no runs in {directories[0]}: start one with `bedside demo`, or add bedside.init() to a script")
        return runs[0]
    exact = next((place for place in runs if place.id == word), None)
    if exact is not None:
        return exact
    path = Path(os.path.expanduser(word))
    beginning = None if os.sep in word or not word else next((place for place in runs if place.id.startswith(word)), None)
    try:
        return _run_at(path)
    except NoSuchRun:
        if beginning is not None:  # a directory of the user's that happens to have the run's name
            return beginning
        if os.sep in word or path.exists():
            raise
    raise NoSuchRun(f"no run called {word!r} in {directories[0]}: `bedside runs` lists them")


def door_of(run_id: str, *, may_command: bool) -> Door | None:
    """The way to the hub of this run, None where it has none on this machine. Keys are taken only from this user's own private files."""
    keys = keys_of(run_id)
    try:
        return None if keys is None else door_with(keys, None, may_command=may_command)[1]
    except Unreadable:
        return None


def keys_of(run_id: str) -> Path | None:
    """The file that holds the keys of this run's hub, beside its socket; None where there is none that can be used."""
    uid = os.getuid()
    for base in runtime_candidates(os.environ, uid, Path(tempfile.gettempdir())):
        directory = base / runtime_name(run_id)
        try:
            if _is_private(directory, uid) and door_with(directory / KEYS_NAME, None, may_command=False)[0] == run_id:
                return directory / KEYS_NAME
        except (OSError, Unreadable):
            continue
    return None


def door_with(keys: Path, socket: Path | None, *, may_command: bool) -> tuple[str, Door]:
    """The run that a file of keys is of, and the way to its hub: over `socket`, or the one beside the keys. Raises `Unreadable`."""
    try:
        if not _is_private(keys, os.getuid()):
            raise Unreadable(f"the keys in {keys} are not used: others can read them, or they are not yours (chmod 600 where they are)")
        said = json.loads(keys.read_text())
        role = "operator" if may_command else "viewer"
        endpoint = f"ipc://{keys.parent / said['socket'] if socket is None else socket.absolute()}"
        texts = (said["run"], endpoint, said["server_public"], said[f"{role}_public"], said[f"{role}_secret"])
    except OSError as error:
        raise Unreadable(f"cannot read {keys}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{keys} is no file of keys") from error
    if not all(isinstance(text, str) for text in texts):
        raise Unreadable(f"{keys} is no file of keys")
    return texts[0], Door(*texts[1:])


def _run_at(path: Path) -> RunPlace:
    if os.path.isfile(path):
        return RunPlace(path.absolute().parent.name, path.absolute())
    if os.path.isfile(path / LOG_NAME):
        return RunPlace(path.absolute().name, path.absolute() / LOG_NAME)
    held = runs_in([path.absolute()])
    if len(held) == 1:
        return held[0]
    if held:
        raise NoSuchRun(f"{path} holds {len(held)} runs: name one of them, such as {held[0].directory}")
    raise NoSuchRun(f"{path} is no recording and holds none" if os.path.lexists(path) else f"there is no {path}")


def _age(place: RunPlace) -> float:
    try:
        return place.directory.stat().st_mtime if not place.log.exists() else place.log.stat().st_mtime
    except OSError:
        return 0.0


def _is_private(path: Path, uid: int) -> bool:
    found = path.lstat()
    return found.st_uid == uid and not stat.S_ISLNK(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
