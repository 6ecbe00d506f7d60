"""Where a run comes from: host, process, command line, versions, commit.

Gathered once, at `init`, without importing or starting anything.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from importlib import metadata
from pathlib import Path

from bedside_protocol.records import RunStarted, Scalar
from bedside_protocol.redact import redacted_argv


def describe(run_id: str, name: str, project: str, config: dict[str, Scalar], wall_start: float) -> RunStarted:
    """The first record of a run of this process."""
    return RunStarted(
        id=run_id,
        name=name,
        project=project,
        wall_start=wall_start,
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=os.getpid(),
        pid_start=process_start(os.getpid()),
        argv=redacted_argv(list(getattr(sys, "orig_argv", sys.argv))),
        config=config,
        python=platform.python_version(),
        torch=str(getattr(sys.modules.get("torch"), "__version__", "")),
        bedside=_own_version(),
        git_commit=git_commit(),
    )


def boot_id() -> str:
    """Names this boot of this machine, empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> int:
    """Start time of a process in clock ticks since boot, 0 where unknown. With the pid it names the process, not just a number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def git_commit(directory: Path | None = None) -> str:
    """The commit checked out where the script runs, empty where there is none. Read from the files: no process is started."""
    try:
        directory = directory or Path.cwd()  # which may have been removed
        for parent in (directory, *directory.parents):
            git = parent / ".git"
            if git.is_file():
                git = (parent / git.read_text().partition(":")[2].strip()).resolve()
            if git.is_dir():
                return _head(git)
    except (OSError, ValueError):
        pass
    return ""


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head[:40]
    name = head[5:]
    common = git / "commondir"
    roots = [git, (git / common.read_text().strip()).resolve()] if common.exists() else [git]
    for root in roots:
        if (root / name).exists():
            return (root / name).read_text().strip()[:40]
        if (root / "packed-refs").exists():
            for line in (root / "packed-refs").read_text().splitlines():
                if line.endswith(f" {name}"):
                    return line[:40]
    return ""


def _own_version() -> str:
    try:
        return metadata.version("bedside")
    except metadata.PackageNotFoundError:
        return ""
