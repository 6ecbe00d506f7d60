"""A real sshd on loopback with host key, user key, known hosts and configuration in a home of its own: nobody else's are read or changed.

Knows no pytest: the faults' long form starts the same. `python tests/flow/real_sshd.py` ends with 0 where one can be started.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

HOST = "elsewhere"
"""What the machine behind it is called."""
CHATTY = """echo 'Welcome to elsewhere'; echo 'quota: 93 %'; exec sh -c "$SSH_ORIGINAL_COMMAND" """
_PRIVILEGED = Path("/run/sshd")
"""What sshd wants to find where root starts it."""


def found_sshd() -> str:
    """The server of this machine, "" where there is none, or no client to go with it."""
    server = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])) or ""
    return server if server and all(map(shutil.which, ("ssh", "ssh-keygen"))) else ""


class Sshd:
    """The server; sessions see `environment` and nothing of ours. `extra`: lines of its configuration."""

    def __init__(self, home: Path, environment: Mapping[str, str], extra: str = "") -> None:
        self.home = home
        self.port = _free_port()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(home / name)], check=True)
        shutil.copy(home / "user_key.pub", home / "authorized_keys")
        key = (home / "host_key.pub").read_text().strip()
        (home / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}\n")
        seen = " ".join(f'{name}="{value}"' for name, value in environment.items())
        (home / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {home}/host_key\nAuthorizedKeysFile {home}/authorized_keys\n"
            f"PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"AllowStreamLocalForwarding yes\nPrintMotd no\nSetEnv {seen}\n{extra}\n"
        )
        (home / "ssh_config").write_text(
            f"Host {HOST}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n IdentityFile {home}/user_key\n"
            f" IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {home}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
            f" StrictHostKeyChecking yes\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def ssh(self) -> tuple[str, ...]:
        """The client, knowing this server as `elsewhere`."""
        return ("ssh", "-F", str(self.home / "ssh_config"))

    @property
    def bedside(self) -> tuple[str, ...]:
        """bedside, as it is called behind this server."""
        return (sys.executable, "-m", "bedside_tui")

    def start(self) -> None:
        """Listen; also again after `stop`."""
        if os.getuid() == 0:
            _PRIVILEGED.mkdir(mode=0o755, exist_ok=True)
        with open(self.home / "sshd.log", "ab") as log:
            self.process = subprocess.Popen([found_sshd(), "-D", "-e", "-f", str(self.home / "sshd_config")], stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self.process.poll() is None, (self.home / "sshd.log").read_text()
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.02)

    def sessions(self) -> list[psutil.Process]:
        """Everything that runs on behalf of clients: sshd's own processes, shells and proxies."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []

    def proxies(self) -> list[psutil.Process]:
        """The proxies among them."""
        return [each for each in self.sessions() if _words(each)[1:4] == ["-m", "bedside_tui", "proxy"]]

    def stop(self) -> None:
        """Go, with all sessions, as a machine that is switched off."""
        if self.process is None:
            return
        for each in [*self.sessions(), self.process]:
            try:
                each.send_signal(signal.SIGKILL)
            except (psutil.NoSuchProcess, ProcessLookupError):
                continue
        self.process.wait()
        self.process = None

    def _listens(self) -> bool:
        with socket.socket() as end:
            return end.connect_ex(("127.0.0.1", self.port)) == 0


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(0 if found_sshd() else 1)
