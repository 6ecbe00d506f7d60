"""The server of the page: textual-serve's routes below the secret, the gate in front of them, and an end that leaves no viewer behind."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server, to_int

from bedside_tui.web.gate import LOOPBACK, Asked, Gate
from bedside_tui.web.page import HEADERS, page
from bedside_tui.web.tab import GRACE, Tab

_MOST_MESSAGE: Final = 1 << 20
"""Bytes of the longest message taken from a page: keys, and what is pasted."""
_HEARTBEAT: Final = 15.0
"""Seconds between two questions whether a page is still there."""


def listening(port: int) -> tuple[socket.socket, bool]:
    """A socket that listens on loopback alone, and whether it has the port that was asked for; 0 asks for any."""
    try:
        return socket.create_server((LOOPBACK, port)), True
    except OSError:
        return socket.create_server((LOOPBACK, 0)), False


class PageServer(Server):
    """Serves one page; every tab that opens it runs `command` as a process of its own."""

    def __init__(self, command: Sequence[str], port: int, title: str, gate: Gate) -> None:
        super().__init__(shlex.join(command), LOOPBACK, port, title)
        self._gate = gate
        self._tabs: set[Tab] = set()

    @property
    def address(self) -> str:
        """What a person opens. Whoever has it may look."""
        return f"{self.public_url}/{self._gate.secret}/"

    async def serve_until_told(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        """Serve until ctrl-c, a hang-up or a request to end; `ready` is called once the page can be opened."""
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=GRACE)  # a log would hold the secret
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            told = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, told.set)
            ready()
            await told.wait()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        guarded = web.Application(middlewares=[_guarding(self._gate)])
        guarded.on_response_prepare.append(_seal)
        guarded.add_subapp(f"/{self._gate.secret}", await super()._make_app())
        return guarded

    async def on_startup(self, app: web.Application) -> None:
        """Who started it says where it is."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Every viewer leaves; the pages say so."""
        await asyncio.gather(*(tab.stop() for tab in self._tabs))

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page. Its WebSocket has the name and the port by which the page was asked for, which are another's at the end of a tunnel."""
        return web.Response(text=page(self.title, f"ws://{request.host}/{self._gate.secret}/ws"), content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One tab: a viewer that lives as long as this connection."""
        connection = web.WebSocketResponse(timeout=GRACE, heartbeat=_HEARTBEAT, max_msg_size=_MOST_MESSAGE)
        await connection.prepare(request)
        tab = Tab(self.command, connection, self.download_manager)
        self._tabs.add(tab)
        try:
            await tab.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            with contextlib.suppress(ValueError, TypeError, LookupError, AssertionError):  # a message that the page does not send
                await self._process_messages(connection, tab)
        finally:
            await tab.stop()
            self._tabs.discard(tab)
        return connection


def _guarding(gate: Gate) -> Middleware:
    """Whatever is asked for passes the gate first."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = Asked(request.path, request.headers.get("host", ""), request.headers.get("origin"), "upgrade" in request.headers)
        why = gate.refusal(asked)
        return web.Response(status=403, text=why + "\n") if why else await handler(request)

    return guard


async def _seal(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
