"""`relay.py FAR NEAR [SECONDS]`: passes bytes between whoever connects to the socket NEAR and the socket FAR, as a forwarded Unix socket
does; SECONDS later each way, as one over a long line does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def main(far: str, near: str, seconds: float) -> None:
    later = asyncio.get_running_loop().call_later

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                later(seconds, writer.write, data)
        later(seconds, writer.close)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(far)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_unix_server(meet, near)
    print("stands", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float([*sys.argv, "0"][3])))
