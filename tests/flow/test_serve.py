"""The served page: in a real browser it is the same viewer; without its address it is nothing; it commands only where that was wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from math import nan
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pyte
import pytest
from aiohttp import web
from chromium import Chromium, Page, found_chromium

from bedside_protocol.records import AlertChanged, CommandChanged, Event, Metrics
from bedside_tui.places import RunPlace

Start = Callable[..., Any]
Wait = Callable[..., Any]
Cli = Callable[..., Any]

LOOP = """
import bedside, time
run = bedside.init(project="flow", name="watched")
for number in run.steps(range(10**9)):
    run.log({"loss": 1.0})
    time.sleep(0.005)
run.finish()
"""
FIRING = AlertChanged("nonfinite", "loss", "firing", "red", 3, 3, nan, "NaN since step 3", "nonfinite", 1)


class Served:
    """`bedside serve` as a process."""

    def __init__(self, words: tuple[object, ...], environment: dict[str, str], cwd: Path) -> None:
        command = [sys.executable, "-m", "bedside_tui", "serve", *map(str, words)]
        self.process = subprocess.Popen(command, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address, self.mode, self.tunnel = (self.process.stdout.readline().rstrip("\n") for _ in range(3))
        self.host = self.address.removeprefix("http://").partition("/")[0]
        self.socket = f"ws{self.address.removeprefix('http')}ws"

    def viewers(self) -> list[psutil.Process]:
        """The processes behind the open tabs."""
        return [child for child in psutil.Process(self.process.pid).children(recursive=True) if child.is_running()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def serve(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., Served]]:
    """`serve("digits", "--control")`: a page of this home's runs."""
    begun: list[Served] = []

    def begin(*words: object) -> Served:
        begun.append(Served(words, environment, home))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def digits(record: Callable[..., RunPlace], losses: Callable[..., Metrics]) -> RunPlace:
    return record([losses([2.0, 1.0, nan]), Event("epoch", 2, {"number": 1}), FIRING], "digits", project="flow")


class Screen:
    """A tab without a browser: what the socket brings, in a terminal of 80 × 24."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    async def sees(self, text: str) -> None:
        """Wait until a text stands on the screen."""
        deadline = time.monotonic() + 60
        while text not in (shown := "\n".join(self._screen.display)):
            assert time.monotonic() < deadline, f"waited for {text!r}\n{shown}"
            message = await self.socket.receive(timeout=60)
            assert message.type == aiohttp.WSMsgType.BINARY, f"{message}\n{shown}"
            self._stream.feed(message.data)

    async def press(self, keys: str) -> None:
        await self.socket.send_json(["stdin", keys])


async def opened(session: aiohttp.ClientSession, served: Served) -> Screen:
    return Screen(await session.ws_connect(f"{served.socket}?width=80&height=24", origin=f"http://{served.host}"))


# --- in a browser


@pytest.fixture
async def page(home: Path, session: aiohttp.ClientSession) -> AsyncIterator[Page]:
    if not found_chromium():
        pytest.skip("no Chromium on this machine: `make browser` says why")
    browser = Chromium(home)
    try:
        yield await browser.page(session)
    finally:
        browser.close()


@pytest.fixture
async def elsewhere(session: aiohttp.ClientSession) -> AsyncIterator[str]:
    """The address of another page on this machine, which says nothing."""

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(text="<p>elsewhere</p>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", nothing)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_the_page_shows_the_vitals_obeys_keys_and_says_when_the_viewer_has_left(
    digits: RunPlace, serve: Callable[..., Served], page: Page, wait: Wait
) -> None:
    served = serve(digits.id)
    await page.open(served.address)
    shown = await page.sees("finished")
    assert "flow/digits" in shown
    assert "✖ RED" in shown
    assert "NaN since step 3" in shown
    assert "● loss" in shown or "✖ loss" in shown
    await page.press("l")
    shown = await page.sees("0:00:00")
    assert "◆ epoch" in shown
    assert "─ metrics ─" not in shown
    await page.press("?")
    await page.sees("keys and symbols")
    await page.press("v")
    await page.sees("─ metrics ─")
    await page.press("q")
    await page.until(lambda: page.run("document.body.innerText.includes('The viewer has left')"), "the page to say so")
    wait(lambda: True if not served.viewers() else None, "the viewer to be gone")


async def test_no_other_page_opens_the_socket_even_one_that_knows_the_address(
    digits: RunPlace, serve: Callable[..., Served], page: Page, elsewhere: str
) -> None:
    served = serve(digits.id)
    tried = f"""new Promise(done => {{
        const socket = new WebSocket("{served.socket}");
        socket.onopen = () => done("open");
        socket.onerror = () => done("refused");
    }})"""
    assert await page.open(elsewhere) == "elsewhere"
    assert await page.run(tried) == "refused"
    read = f"fetch('{served.address}').then(answer => answer.text()).catch(() => 'refused')"
    assert await page.run(read) == "refused"
    rebound = served.address.replace("127.0.0.1", "rebound.example")
    assert "served on loopback only" in await page.open(rebound)
    assert served.viewers() == []
    await page.open(served.address)
    await page.sees("flow/digits")


# --- without the address


async def test_without_the_address_nothing_is_served_and_no_socket_opens(
    digits: RunPlace, serve: Callable[..., Served], session: aiohttp.ClientSession
) -> None:
    served = serve(digits.id)
    base, secret = f"http://{served.host}", served.address.rstrip("/").rpartition("/")[2]
    for path in ("/", "/ws", "/static/js/textual.js", f"/{secret[:-1]}/", f"/{secret.swapcase()}/", "/download/x"):
        async with session.get(base + path) as answer:
            assert (answer.status, secret in await answer.text()) == (403, False), path
    own = {"origin": base}
    for path, said in {
        "/ws": own,
        f"/{secret[:-1]}/ws": own,
        f"/{secret}/ws": {},
        f"/{secret}/ws?": {"origin": "http://127.0.0.1:1"},
    }.items():
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(base + path, headers=said)
    assert served.viewers() == []
    async with session.get(served.address) as answer:
        assert (answer.status, answer.headers["Referrer-Policy"]) == (200, "no-referrer")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "https://" not in await answer.text()


def test_another_machine_is_told_how_to_come_here(bedside: Cli, digits: RunPlace) -> None:
    said = bedside("serve", "digits", "--host", "0.0.0.0", "--port", "8000")
    assert (said.code, said.out) == (3, "")
    assert said.err == "bedside: 127.0.0.1 is served and no other: from another machine, ssh -L 8000:127.0.0.1:8000 to this one\n"
    assert bedside("serve", "digits", "--port", "70000").err == "bedside: 70000 is no port: 0 to 65535\n"
    assert bedside("serve", "none").code == 3


def test_a_port_that_is_taken_is_another_one_and_that_is_said(digits: RunPlace, serve: Callable[..., Served]) -> None:
    first = serve(digits.id)
    port = int(first.host.partition(":")[2])
    second = serve(digits.id, "--port", port)
    assert second.host != first.host
    second.process.send_signal(signal.SIGINT)
    said = second.process.communicate(timeout=60)[1]
    assert said == f"bedside: port {port} cannot be had: {second.host.partition(':')[2]} is used\n"


# --- control


async def test_a_page_commands_nothing_unless_that_was_asked_for(
    start: Start, serve: Callable[..., Served], session: aiohttp.ClientSession
) -> None:
    training = start(LOOP)
    training.wait_lifecycle("running")
    looking = serve(training.place.id)
    assert looking.mode == "look only: keys neither command a run nor write notes (--control lets them)"
    screen = await opened(session, looking)
    await screen.sees("● running")
    await screen.press("P")
    await screen.press("?")
    await screen.sees("keys and symbols")
    commanding = serve(training.place.id, "--control")
    screen = await opened(session, commanding)
    await screen.sees("● running")
    await screen.press("P")
    await screen.sees("paused")
    training.wait_lifecycle("paused")
    assert len({body.id for body in training.bodies(CommandChanged)}) == 1


# --- the end


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_the_end_of_the_server_leaves_no_viewer_and_says_so_to_the_page(
    ending: signal.Signals, digits: RunPlace, serve: Callable[..., Served], session: aiohttp.ClientSession
) -> None:
    served = serve(digits.id)
    screen = await opened(session, served)
    await screen.sees("flow/digits")
    viewers = served.viewers()
    assert len(viewers) == 1
    served.process.send_signal(ending)
    while not screen.socket.closed:
        await screen.socket.receive(timeout=60)
    assert served.process.communicate(timeout=60) == ("", "")
    assert served.process.returncode == 0
    assert not any(viewer.is_running() for viewer in viewers)


async def test_a_closed_tab_and_a_killed_server_leave_no_viewer(
    digits: RunPlace, serve: Callable[..., Served], session: aiohttp.ClientSession, wait: Wait
) -> None:
    served = serve(digits.id)
    closed = await opened(session, served)
    await closed.sees("flow/digits")
    (viewer,) = served.viewers()
    await closed.socket.close()
    wait(lambda: True if not viewer.is_running() else None, "the viewer of the closed tab to leave")
    await (await opened(session, served)).sees("flow/digits")
    (viewer,) = served.viewers()
    os.kill(served.process.pid, signal.SIGKILL)
    wait(lambda: True if not viewer.is_running() else None, "the viewer of the killed server to leave")
