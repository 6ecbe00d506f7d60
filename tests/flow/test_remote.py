"""A run on another machine that is watched, asked and left, over a link and over a tunnel: a real sshd on loopback, a real ssh to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from elsewhere import COUNTING, Viewer, machine, seen_from_elsewhere, ssh_below
from real_sshd import CHATTY, HOST, Sshd, found_sshd
from real_terminal import Terminal
from real_training import Training, environment_in, until

from bedside_protocol.messages import Ask, Bytes, Here, Read
from bedside_protocol.places import KEYS_NAME, SOCKET_NAME
from bedside_protocol.records import CheckpointSaved, CommandChanged, LifecycleChanged, Metrics
from bedside_tui.places import RunPlace, door_with
from bedside_tui.remote.link import Link, LinkLost
from bedside_tui.remote.place import Reach, RemotePlace
from bedside_tui.sources.remote import RemoteSource
from bedside_tui.sources.tunnel import TunnelSource

pytestmark = pytest.mark.skipif(not found_sshd(), reason="no sshd here: `make system` gets one where it can")
UNLINK = ("-o", "StreamLocalBindUnlink=yes")


@dataclass(frozen=True)
class Far:
    """Another machine on which a training counts, for as long as the tests of this file last."""

    sshd: Sshd
    training: Training

    @property
    def run(self) -> str:
        return self.training.place.id

    @property
    def runtime(self) -> Path:
        """Where the run's socket and keys are."""
        return next(self.training.home.glob(f"rt/*/{KEYS_NAME}")).parent

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of a viewer that has runs of its own in `home`, and knows the way to this machine."""
        return environment_in(home) | {"BEDSIDE_SSH": " ".join(self.sshd.ssh), "BEDSIDE_REMOTE": " ".join(self.sshd.bedside)}


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    home = Path(tempfile.mkdtemp(prefix="bs-"))
    sshd = machine(home / "s", environment_in(home))
    training = Training(home, COUNTING.format(steps=10**6, pace=0.005), {}, reaped_at_once=False, flags=())
    try:
        training.wait_points("number", 50)
        yield Far(sshd, training)
    finally:
        training.close()
        sshd.stop()
        for _ in range(3):
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def bare(home: Path) -> Iterator[Callable[[str], Sshd]]:
    """`bare(extra)`: a machine with nothing running on it, and these lines in its sshd's configuration."""
    begun: list[Sshd] = []

    def begin(extra: str = "") -> Sshd:
        begun.append(machine(home / "s", environment_in(home), extra))
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()


Bare = Callable[..., Sshd]
Bedside = Callable[..., Any]


# --- commands


def test_commands_go_through_their_life_comes_back_and_no_key_crosses_the_link(far: Far, home: Path) -> None:
    tee = home / "tee.sh"
    tee.write_text(f'#!/bin/sh\ntee {home}/up | {" ".join(far.sshd.ssh)} "$@" | tee {home}/down\n')
    tee.chmod(0o700)
    viewer = Viewer(RemoteSource(RemotePlace(HOST, far.run), Reach((str(tee),), far.sshd.bedside)))
    try:
        viewer.more(until)
        for verb in ("pause", "checkpoint", "resume"):
            asked = viewer.ask(verb)
            until(lambda asked=asked: viewer.life(asked)[-1:] == ["applied"] or None, verb)  # type: ignore[misc]
        assert [each.body.step for each in viewer.records if isinstance(each.body, CheckpointSaved)] != []
        commands = " ".join(" ".join(process.cmdline()) for process in far.sshd.sessions())
    finally:
        viewer.source.close()
    keys = json.loads((far.runtime / KEYS_NAME).read_text())
    secrets = [value for name, value in keys.items() if "public" in name or "secret" in name]
    crossed = (home / "up").read_bytes() + (home / "down").read_bytes()
    assert (len(secrets), len(crossed) > 1000, f"proxy -- {far.run}" in commands) == (5, True, True)
    assert [secret for secret in secrets if secret.encode() in crossed or secret in commands] == []


def test_a_command_that_lay_in_a_link_for_too_long_is_expired_where_it_arrives(far: Far) -> None:
    link = Link(Reach(far.sshd.ssh, far.sshd.bedside).argv(RemotePlace(HOST, far.run), read_only=False, may_ask=False), HOST, asks=False)
    try:
        here = until(lambda: next((each for each in link.hear(50) if isinstance(each, Here)), None), "the greeting")

        def hub_answers() -> Bytes | None:
            link.send(Read(0, 1000))
            return next((each for each in link.hear(50) if isinstance(each, Bytes)), None)

        until(hub_answers, "the hub")
        link.send(Ask(here.run, "too-late", "pause", "somebody", boot=here.boot, asked=here.clock - 100))
        told = far.training.wait_for(lambda body: isinstance(body, CommandChanged) and body.id == "too-late" and body.state != "requested")
    finally:
        link.close()
    assert isinstance(told.body, CommandChanged)
    assert told.body.state == "expired"


def test_who_only_looks_has_no_control_and_a_proxy_without_the_key_to_it(far: Far) -> None:
    viewer = Viewer(seen_from_elsewhere(far.sshd, far.run, read_only=True))
    try:
        viewer.more(until)
        assert viewer.source.control is None
        assert [process.cmdline()[4] for process in far.sshd.proxies()] == ["--read-only"]
    finally:
        viewer.source.close()


# --- the way there


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (("no-bedside-here",), "bedside is not on the path of elsewhere's shell"),
        ((sys.executable, "-m", "no_bedside_here"), "bedside is not on the path of elsewhere's shell"),
        (("printf", r"\0\0bedside proxy 9\n"), "speaks version 9, this one reads up to 1: upgrade bedside here"),
        (("yes",), "no greeting of bedside among them"),
        (("sh", "-c", "echo 'bedside: there is no verb proxy' >&2; exit 3"), "is too old to be attached from elsewhere"),
    ],
    ids=["no bedside", "no module", "later version", "noise without end", "earlier version"],
)  # fmt: skip
def test_what_is_wrong_with_the_bedside_there_is_one_sentence(there: tuple[str, ...], said: str, far: Far) -> None:
    assert said in _lost(RemoteSource(RemotePlace(HOST, "run"), Reach(far.sshd.ssh, there)))


@pytest.mark.parametrize(
    ("ssh", "said"),
    [
        (("no-ssh-here",), "no-ssh-here cannot be started (No such file or directory): install OpenSSH's client"),
        (("ssh", "-F", "none", "-p", "1", "-o", "HostName=127.0.0.1"), "elsewhere cannot be reached (ssh said: "),
        (("ssh", "-F", "none", "-o", "HostName=no.such.host.invalid"), "no machine is known as elsewhere"),
    ],
    ids=["no ssh", "no server", "no such host"],
)
def test_what_keeps_one_from_getting_there_is_one_sentence(ssh: tuple[str, ...], said: str) -> None:
    assert said in _lost(RemoteSource(RemotePlace(HOST, "run"), Reach(ssh)))


def test_a_stranger_a_changed_machine_and_a_run_that_is_not_there_are_told_apart(bare: Bare) -> None:
    there = bare()
    assert "no run called 'run'" in _lost(seen_from_elsewhere(there, "run"))
    (there.home / "authorized_keys").write_text("")
    assert "lets nobody in with these keys" in _lost(seen_from_elsewhere(there, "run"))
    (there.home / "known_hosts").write_text(f"[127.0.0.1]:{there.port} {(there.home / 'user_key.pub').read_text()}")
    assert f"see whether `ssh {HOST}` trusts it" in _lost(seen_from_elsewhere(there, "run"))


def _lost(source: RemoteSource) -> str:
    with pytest.raises(LinkLost) as lost:
        source.connect(may_ask=False)
    source.close()
    assert "\n" not in str(lost.value)
    return str(lost.value)


# --- the commands


def test_the_runs_of_another_machine_are_listed_whatever_its_shell_prints_first(
    bare: Bare, bedside: Bedside, record: Callable[..., RunPlace], losses: Callable[..., Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    record([losses([1.0, 2.0])], id="made")
    there = bare(f"ForceCommand {CHATTY}")
    monkeypatch.setenv("BEDSIDE_SSH", " ".join(there.ssh))
    monkeypatch.setenv("BEDSIDE_REMOTE", " ".join(there.bedside))
    said = bedside("attach", f"{HOST}:")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[:2]] == ["run", "made"]
    assert f"bedside attach {HOST}:RUN" in said.out
    assert "printed before bedside answered, which was passed over: Welcome to elsewhere" in said.err
    still = bedside("once", f"{HOST}:made", "--size", "80x10")
    assert "flow/made" in still.out
    assert "✓ finished" in still.out


def test_a_host_that_looks_like_an_option_is_no_host(bedside: Bedside) -> None:
    said = bedside("once", "--", "-oProxyCommand=touch x:run")
    assert said.code == 3
    assert "is no name of a machine" in said.err


def test_in_a_terminal_the_run_elsewhere_obeys_keys_survives_a_killed_ssh_and_q_leaves_nothing_behind(far: Far, home: Path) -> None:
    viewer = Terminal(["attach", f"{HOST}:{far.run}"], far.environment(home), home)
    try:
        viewer.sees("● running", 60)
        viewer.press("P")
        viewer.sees("‖ paused  step")  # in the first line; the log speaks of other pauses
        viewer.press("P")
        viewer.sees("● running  step")
        (ssh,) = ssh_below(viewer.process.pid)
        ssh.kill()
        viewer.sees("▲ unreachable")
        viewer.sees("● running  step", 60)
        viewer.press("q")
        parting = viewer.left()
        assert viewer.process.returncode == 0
        assert viewer.is_as_it_was()
        assert f"bedside attach {HOST}:{far.run}" in parting
        until(lambda: not far.sshd.proxies() or None, "the proxy to leave")
    finally:
        viewer.close()
    states = [body.state for body in far.training.bodies(LifecycleChanged) if isinstance(body, LifecycleChanged)]
    assert states[-2:] == ["paused", "running"]
    far.training.wait_points("number", len(far.training.points("number")) + 20)


def test_a_viewer_that_is_killed_leaves_neither_ssh_nor_proxy_behind(far: Far, home: Path) -> None:
    viewer = Terminal(["attach", f"{HOST}:{far.run}"], far.environment(home), home)
    try:
        viewer.sees("● running", 60)
        (ssh,) = ssh_below(viewer.process.pid)
        viewer.process.kill()
        until(lambda: (not _lives(ssh) and not far.sshd.proxies()) or None, "ssh and proxy to leave")
    finally:
        viewer.close()


def _lives(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended may wait for whoever collects orphans here."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- a tunnel


def _tunnel(there: Sshd, near: Path, far: Path, *options: str) -> subprocess.Popen[bytes]:
    words = [*there.ssh, "-N", "-o", "ExitOnForwardFailure=yes", *options, "-L", f"{near}:{far}", HOST]
    return subprocess.Popen(words, stderr=subprocess.PIPE)


def _end(tunnel: subprocess.Popen[bytes]) -> None:
    tunnel.kill()
    tunnel.communicate()


def test_a_socket_that_ssh_has_forwarded_is_as_good_as_the_hubs_own(far: Far, home: Path) -> None:
    words = [*far.sshd.ssh, HOST, *far.sshd.bedside, "proxy", "--where", far.run]
    told = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
    where = {name: Path(path) for name, path in (line.split(maxsplit=1) for line in told.splitlines())}
    assert where == {"socket": far.runtime / SOCKET_NAME, "keys": far.runtime / KEYS_NAME}
    near = home / "near"
    tunnel = _tunnel(far.sshd, near, where["socket"])
    viewer = Viewer(TunnelSource(*door_with(where["keys"], near, may_command=True)))
    try:
        viewer.more(until)
        asked = viewer.ask("note", text="through the tunnel")
        until(lambda: viewer.life(asked)[-1:] == ["applied"] or None, "the note")
        _end(tunnel)
        until(lambda: viewer.state == "unreachable" or None, "being told")
        assert "no tunnel at" in viewer.said
        assert "StreamLocalBindUnlink=yes" in viewer.said
        tunnel = _tunnel(far.sshd, near, where["socket"])
        assert tunnel.wait(20) == 255  # the socket's file was left behind
        assert tunnel.stderr is not None
        assert b"ddress already in use" in tunnel.stderr.read()
        _end(tunnel)
        tunnel = _tunnel(far.sshd, near, where["socket"], *UNLINK)
        viewer.more(until)
        assert viewer.is_whole
    finally:
        viewer.source.close()
        _end(tunnel)


@pytest.mark.parametrize("leads", ["to another run", "to nobody"])
def test_a_tunnel_that_leads_elsewhere_gives_nothing_and_takes_no_command(leads: str, far: Far, home: Path) -> None:
    keys = home / KEYS_NAME
    with open(os.open(keys, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:  # of a run that was there before: the key of its hub is another
        json.dump(json.loads((far.runtime / KEYS_NAME).read_text()) | {"run": "earlier", "server_public": "k" * 40}, file)
    tunnel = _tunnel(far.sshd, home / "near", far.runtime / SOCKET_NAME if leads == "to another run" else home / "nobody")
    viewer = Viewer(TunnelSource(*door_with(keys, home / "near", may_command=True)))
    try:
        asked = viewer.ask("stop")
        until(lambda: "leads elsewhere than to earlier" in viewer.said or None, "being told")
        assert viewer.life(asked) == ["refused"]
        assert viewer.numbers == []
    finally:
        viewer.source.close()
        _end(tunnel)


def test_keys_that_others_may_read_open_no_tunnel(home: Path, bedside: Bedside) -> None:
    (home / KEYS_NAME).write_text("{}")
    (home / KEYS_NAME).chmod(0o644)
    said = bedside("attach", "--socket", home / "near", "--keys", home / KEYS_NAME)
    assert said.code == 3
    assert "others can read them" in said.err
