"""What runs were started with, key by key: only what differs.

Secrets were left out before they were recorded and are compared as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bedside_protocol.records import Scalar
from bedside_tui.compare.best import same
from bedside_tui.compare.runs import Run
from bedside_tui.store.view import View

Section = Literal["config", "environment"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that not all runs agree on. `values` by the place of the run; a run that has no such key is not among them."""

    section: Section
    key: str
    values: Mapping[int, Scalar]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What differs, in the order of the first run, and how many keys all runs agree on."""

    differences: tuple[Difference, ...]
    same: int


def configuration(runs: Sequence[Run]) -> Configuration:
    """The configuration of all runs and the environment they ran in."""
    told = [dict(_keys(run.view)) for run in runs]
    keys = dict.fromkeys(key for each in told for key in each)
    ordered = sorted(keys, key=lambda key: key[0] != "config")
    differing = [
        Difference(section, key, {place: each[section, key] for place, each in enumerate(told) if (section, key) in each})
        for section, key in ordered
        if not _agreed([each.get((section, key), _MISSING) for each in told])
    ]
    return Configuration(tuple(differing), len(keys) - len(differing))


_MISSING = object()


def _agreed(values: Sequence[object]) -> bool:
    return all(same(value, values[0]) for value in values[1:])


def _keys(view: View) -> Iterator[tuple[tuple[Section, str], Scalar]]:
    run = view.run
    if run is None:
        return
    for key, value in run.config.items():
        yield ("config", key), value
    surroundings: Mapping[str, Scalar] = {
        "git commit": run.git_commit,
        "python": run.python,
        "torch": run.torch,
        "bedside": run.bedside,
        "host": run.host,
        "processes": run.world_size,
        "continues": run.continues,
        "rules": view.rules.file,
        "command": " ".join(run.argv),
    }
    for key, value in surroundings.items():
        if value != "":
            yield ("environment", key), value


def differing_words(commands: Mapping[int, str]) -> dict[int, str]:
    """Of each command only the words that not all of them have, with the option a word belongs to; `…` for those left out."""
    words = {place: command.split() for place, command in commands.items()}
    everywhere = set.intersection(*(set(each) for each in words.values())) if len(words) > 1 else set()
    return {place: _without(each, everywhere) for place, each in words.items()}


def _without(words: Sequence[str], everywhere: set[str]) -> str:
    kept = [
        word if word not in everywhere or (word.startswith("-") and words[at + 1 : at + 2] and words[at + 1] not in everywhere) else "…"
        for at, word in enumerate(words)
    ]
    return " ".join(word for word, before in zip(kept, ["", *kept], strict=False) if (word, before) != ("…", "…"))
