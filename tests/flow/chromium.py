"""A real Chromium without a window, driven by its own protocol: what the test of the page sees and presses."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--force-color-profile=srgb",
    "--window-size=1000,700", "--remote-debugging-port=0",
)  # fmt: skip
# Where `bedside` serves is loopback; `rebound.example` is a foreign name that its owner has made to mean this machine. There are no others.
RESOLVER = "MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
TERMINAL = "function() { return this.find(each => each && each.terminal && each.websocket_url); }"
LINES = """function() {
    const shown = this.terminal.buffer.active;
    return Array.from({length: this.terminal.rows}, (_, row) => shown.getLine(row).translateToString(true)).join("\\n");
}"""


def found_chromium() -> str:
    """The browser of this machine, "" where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._terminal = ""

    async def call(self, method: str, **arguments: Any) -> Any:
        """One call of the browser's protocol."""
        id = next(self._ids)
        await self._socket.send_json({"id": id, "method": method, "params": arguments})
        while True:
            answer = await self._socket.receive_json(timeout=60)
            if answer.get("id") == id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    async def run(self, script: str) -> Any:
        """What a script comes to in the page."""
        said = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def open(self, address: str) -> str:
        """Go there; the text of what is shown once it has loaded."""
        self._terminal = ""
        await self.call("Page.navigate", url=address)
        await self.until(lambda: self.run("document.readyState == 'complete' && location.href != 'about:blank'"), f"{address} to load")
        return str(await self.run("document.body.innerText"))

    async def text(self) -> str:
        """The lines that the terminal in the page shows."""
        if not self._terminal:
            prototype = await self.call("Runtime.evaluate", expression="Object.prototype")
            every = await self.call("Runtime.queryObjects", prototypeObjectId=prototype["result"]["objectId"])
            found = await self.call("Runtime.callFunctionOn", functionDeclaration=TERMINAL, objectId=every["objects"]["objectId"])
            self._terminal = found["result"]["objectId"]
        lines = await self.call("Runtime.callFunctionOn", functionDeclaration=LINES, objectId=self._terminal, returnByValue=True)
        return str(lines["result"]["value"])

    async def sees(self, text: str) -> str:
        """Wait until a text stands in the terminal; all its lines."""

        async def stands() -> bool:
            self._shown = await self.text()
            return text in self._shown

        await self.until(stands, f"{text!r} to be shown", lambda: self._shown)
        return self._shown

    async def press(self, key: str) -> None:
        """One key of the keyboard."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    async def picture(self, path: Path) -> None:
        """What a person sees, as PNG."""
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))

    async def until(self, look: Callable[[], Any], what: str, why: Callable[[], str] = str, seconds: float = 60.0) -> None:
        """Wait until it is true."""
        deadline = time.monotonic() + seconds
        while not await look():
            assert time.monotonic() < deadline, f"waited for {what}\n{why()}"


class Chromium:
    """The browser, with its own files below `home`."""

    def __init__(self, home: Path) -> None:
        self._files = home / "chromium"
        self.process = subprocess.Popen(
            [found_chromium(), *FLAGS, f"--user-data-dir={self._files}", f"--host-resolver-rules={RESOLVER}", "about:blank"],
            env=os.environ | {"HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    async def page(self, session: aiohttp.ClientSession, seconds: float = 60.0) -> Page:
        """The tab it opens with."""
        deadline = time.monotonic() + seconds
        said = self._files / "DevToolsActivePort"
        while not (said.exists() and said.read_text().strip()):
            assert self.process.poll() is None, f"{found_chromium()} left with {self.process.returncode}"
            assert time.monotonic() < deadline, "Chromium has not begun"
            time.sleep(0.05)
        port = said.read_text().split("\n")[0]
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            (tab,) = (each for each in await answer.json() if each["type"] == "page")
        return Page(await session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=1 << 28))

    def close(self) -> None:
        """End it with all the processes it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


if __name__ == "__main__":
    raise SystemExit(0 if found_chromium() else 1)
