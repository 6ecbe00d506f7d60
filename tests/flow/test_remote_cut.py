"""Whatever happens to the way to a run on another machine, a viewer says so and misses nothing. A real sshd on loopback, a real ssh."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from elsewhere import COUNTING, Viewer, machine, seen_from_elsewhere, ssh_below
from real_sshd import HOST, Sshd, found_sshd
from watching import watching

from bedside_protocol.records import CommandChanged, LifecycleChanged, Metrics
from bedside_tui.places import RunPlace
from bedside_tui.sources.source import Source

pytestmark = pytest.mark.skipif(not found_sshd(), reason="no sshd here: `make system` gets one where it can")
Start = Callable[..., Any]
Wait = Callable[..., Any]
Watch = Callable[[Source], Viewer]


@pytest.fixture
def there(home: Path, environment: dict[str, str]) -> Iterator[Sshd]:
    """Another machine that has the runs of this home."""
    begun = machine(home / "s", environment)
    yield begun
    begun.stop()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch a source; it is closed at the end of the test, and then leaves neither thread nor ssh."""
    with watching(Viewer) as watch:
        yield watch
    assert not ssh_below(os.getpid())


def test_however_the_link_is_cut_nothing_is_missed_and_nothing_read_twice(start: Start, there: Sshd, watch: Watch, wait: Wait) -> None:
    training = start(COUNTING.format(steps=10**6, pace=0.003))
    training.wait_points("number", 200)
    viewer = watch(seen_from_elsewhere(there, training.place.id))
    viewer.more(wait)
    os.kill(viewer.ssh, signal.SIGKILL)
    wait(lambda: viewer.state == "unreachable" or None, "being told of a killed ssh")
    assert viewer.said == "ssh was killed (9)"
    viewer.more(wait)
    there.proxies()[0].kill()
    wait(lambda: viewer.state == "unreachable" or None, "being told of a killed proxy")
    viewer.more(wait)
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.hub_pid(started=2)
    viewer.more(wait)
    there.stop()
    wait(lambda: "Connection refused" in viewer.said or None, "being told that there is no sshd")
    assert viewer.said.startswith(f"{HOST} cannot be reached")
    there.start()
    viewer.more(wait)
    training.kill(signal.SIGTERM)
    wait(lambda: viewer.state == "ended" or None, "the end", 60)
    assert viewer.is_whole
    assert viewer.has_read(training.place.log)
    wait(lambda: not there.proxies() or None, "the proxy to leave")


def test_a_link_that_hangs_is_noticed_takes_no_command_and_goes_on_where_it_was(
    start: Start, there: Sshd, watch: Watch, wait: Wait
) -> None:
    training = start(COUNTING.format(steps=10**6, pace=0.003))
    training.wait_points("number", 50)
    viewer = watch(seen_from_elsewhere(there, training.place.id))
    viewer.more(wait)
    ssh = viewer.ssh
    os.kill(ssh, signal.SIGSTOP)
    wait(lambda: viewer.state == "unreachable" or None, "being told that it hangs")
    assert viewer.said == f"no word from {HOST}"
    heard = max(update.status.heard or 0.0 for update in list(viewer.updates))
    asked = viewer.ask("stop")
    wait(lambda: viewer.life(asked) == ["refused"] or None, "the refusal")
    assert viewer.updates[-1].status.heard == heard  # a refusal of our own is no sign of life
    os.kill(ssh, signal.SIGCONT)
    viewer.more(wait)
    assert viewer.ssh == ssh
    os.kill(ssh, signal.SIGSTOP)
    wait(lambda: (viewer.state == "connected" and viewer.ssh != ssh) or None, "another ssh", 60)
    viewer.more(wait)
    assert viewer.is_whole
    assert not psutil.pid_exists(ssh)
    assert training.bodies(CommandChanged) == []


def test_a_run_that_died_with_its_hub_is_lost_from_elsewhere_too_and_its_torn_end_is_told(
    start: Start, there: Sshd, watch: Watch, wait: Wait
) -> None:
    training = start(COUNTING.format(steps=10**6, pace=0.003))
    training.wait_points("number", 50)
    viewer = watch(seen_from_elsewhere(there, training.place.id))
    viewer.more(wait)
    training.kill(signal.SIGSTOP)
    os.kill(training.hub_pid(), signal.SIGKILL)
    training.wait_hub_gone()
    asked = viewer.ask("pause")
    wait(lambda: viewer.life(asked) == ["refused"] or None, "the refusal")
    with open(training.place.log, "ab") as file:
        file.write(b"half a chunk")
    training.kill(signal.SIGKILL)
    training.process.wait()
    wait(lambda: viewer.state == "ended" or None, "the end", 60)
    assert [record.body.state for record in viewer.records if isinstance(record.body, LifecycleChanged)][-1] == "lost"
    assert any("bytes that belong to no chunk" in str(record.body) for record in viewer.records)


def test_a_recording_elsewhere_is_read_without_a_hub(
    there: Sshd, watch: Watch, wait: Wait, record: Callable[..., RunPlace], losses: Callable[..., Metrics]
) -> None:
    place = record([losses([1.0, 2.0, 3.0])])
    os.utime(place.log, (time.time() - 60, time.time() - 60))
    viewer = watch(seen_from_elsewhere(there, "made", replay=True))
    wait(lambda: viewer.state == "ended" or None, "the end", 60)
    assert viewer.has_read(place.log)
    assert (viewer.source.live, viewer.source.control) == (False, None)
