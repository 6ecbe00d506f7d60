"""One tab of the browser: a viewer as a process of its own, which ends with the tab and with the server, however that ends."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from asyncio.subprocess import PIPE, Process
from typing import Final

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

GRACE: Final = 3.0
"""Seconds a viewer is given to leave before it is killed."""


class Tab(AppService):
    """The viewer behind one WebSocket."""

    def __init__(self, command: str, socket: web.WebSocketResponse, downloads: DownloadManager) -> None:
        async def close() -> None:
            await socket.close()

        super().__init__(command, write_bytes=socket.send_bytes, write_str=socket.send_str, close=close, download_manager=downloads)

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        """What the page's terminal can show, whatever the one in which the server was started can."""
        given = super()._build_environment(width, height)
        del given["TEXTUAL_FPS"]  # the viewer's own choice
        return given | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Without a shell, and in a session of its own: ctrl-c in the server's terminal is the server's to answer."""
        environment = self._build_environment(width, height)
        words = shlex.split(self.command)
        process = await asyncio.create_subprocess_exec(
            *words, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def run(self) -> None:
        """Until the viewer has ended; then the page is told."""
        await super().run()
        with contextlib.suppress(ConnectionError):
            await self.remote_close()

    async def stop(self) -> None:
        """Ask the viewer to leave; one that does not is killed. It is gone when this returns."""
        try:
            await asyncio.wait_for(super().stop(), GRACE)
        except TimeoutError:
            self._task = None
        process = self._process
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), GRACE)
        except TimeoutError:
            process.kill()
            await process.wait()
