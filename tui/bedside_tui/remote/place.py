"""`host:run`: a run on another machine, and the words that start `ssh` to it. Nothing is started here."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import Final

from bedside_tui.places import NoSuchRun

SSH: Final = ("ssh",)
BEDSIDE: Final = ("bedside",)
_WRITTEN: Final = re.compile(r"(\[[^\]]+\]|[^/:]+):(.*)", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*|\[[0-9A-Fa-f:.]*[0-9A-Fa-f](%\w+)?\]")


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A run as it is called on `host`; an empty `run` means the list of that machine."""

    host: str
    run: str

    @property
    def word(self) -> str:
        """What to type to mean it, ready for a shell."""
        return shlex.quote(f"{self.host}:{self.run}")


@dataclass(frozen=True, slots=True)
class Reach:
    """How other machines are reached. `ssh`: the words of that program here; `bedside`: those of bedside there."""

    ssh: tuple[str, ...] = SSH
    bedside: tuple[str, ...] = BEDSIDE

    def argv(self, place: RemotePlace, *, read_only: bool, may_ask: bool) -> list[str]:
        """The command that starts the proxy of a run. `may_ask`: a person sits at the terminal and may be asked for a password."""
        options = ["-T", "-o", f"BatchMode={'no' if may_ask else 'yes'}"]
        if not may_ask:
            options += ["-o", "ConnectTimeout=10"]
        words = ["proxy", *["--read-only"] * read_only, *(["--", place.run] if place.run else [])]
        there = " ".join([*map(_for_shell, self.bedside), *map(shlex.quote, words)])  # ssh hands one line to a shell in any case
        return [*self.ssh, *options, "--", place.host, there]


def remote_place(word: str | None) -> RemotePlace | None:
    """The run of another machine that a word means, as `scp` reads it; None for one of this machine. Raises `NoSuchRun`.

    A colon behind a slash belongs to a path, and so does one in the name of a file that is here.
    """
    if word is None or not (found := _WRITTEN.fullmatch(word)) or os.path.lexists(word):
        return None
    host, run = found.groups()
    if not _HOST.fullmatch(host):
        raise NoSuchRun(f"{host!r} is no name of a machine: write host:run, or user@host:run")
    return RemotePlace(host.removeprefix("[").removesuffix("]"), run)


def _for_shell(word: str) -> str:
    """A word as the other machine's shell gives it back; `~/` is left for it to read."""
    return f"~/{shlex.quote(word[2:])}" if word.startswith("~/") and len(word) > 2 else shlex.quote(word)
