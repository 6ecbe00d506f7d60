"""Trainings without their start: a process that has imported what they all need, and forks for each.

Importing torch and scikit-learn takes longer than most of these trainings. A fork ends like any process, by its own exit code and with its
own traceback: nothing runs after it in this file.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy

MODULE: Final = "-m"
"""As a command's first word: what follows is a module; else it is a file."""


class Nursery:
    """One such process. One training at a time; several are several processes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__], env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __repr__(self) -> str:
        return f"<Nursery {self._process.pid}>"

    def run(self, words: Sequence[str], output: Path, limit: float) -> int | None:
        """The exit code of `python WORDS` (`-m MODULE …` or `FILE …`), minus the signal that ended it; None where it took longer than
        `limit` seconds and was killed, with all it had started. What it prints goes into the file `output`."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([list(words), str(output), limit]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the nursery died: {self._process.wait()}")
        found: int | None = json.loads(answer)
        return found

    def close(self) -> None:
        """It ends when nothing more can be asked; a training that still runs is killed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> list[str]:
    """Forks for each line of stdin and answers its exit code. Returns only in a fork: the words it is to run."""
    for line in sys.stdin:
        words, output, limit = json.loads(line)
        pid = os.fork()
        if not pid:
            os.setsid()
            numpy.random.seed()
            for stream, path in ((0, os.devnull), (1, output), (2, output)):
                opened = os.open(path, os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(opened, stream)
            return [str(word) for word in words]
        print(json.dumps(_outcome(pid, limit)), flush=True)
    sys.exit(0)


def _outcome(pid: int, limit: float) -> int | None:
    """The exit code of a fork, None where it was killed for taking longer than `limit` seconds, or because nobody waits for it any more."""
    handle = os.pidfd_open(pid)
    in_time = handle in select.select([handle, sys.stdin], [], [], limit)[0]  # before the answer there is nothing to read but its end
    os.close(handle)
    if not in_time:
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if in_time else None


def become(words: Sequence[str]) -> None:
    """Run `python WORDS` in this process."""
    if words[0] == MODULE:
        sys.argv = list(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    import sklearn.datasets
    import torch
    import torch._dynamo  # an optimizer loads it

    torch.set_num_threads(1)
    assert sklearn.datasets
    become(serve())
