"""Bytes in both directions after a protocol was upgraded, e.g. to WebSocket (RFC 9110 section 7.8)."""

import asyncio
from typing import Any

from aiohttp import StreamReader
from aiohttp.http import StreamWriter

READ_BUFFER_BYTES = 64 * 1024
"""From twice as many waiting bytes, no more are read from a side."""


class TunnelEnd:
    """One of two connections: what arrives on it can be read, and what is written is sent on it.

    To aiohttp it is the parser of the connection's new protocol.
    """

    def __init__(self, protocol: Any) -> None:
        loop = asyncio.get_running_loop()
        self._reader = StreamReader(protocol, READ_BUFFER_BYTES, loop=loop)
        self._writer = StreamWriter(protocol, loop)
        self._protocol = protocol

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what has arrived; the protocol never ends before the connection."""
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        """Note that the connection has ended."""
        self._reader.feed_eof()

    def set_exception(self, error: BaseException, *_: Any) -> None:
        """Note that the connection has failed."""
        self._reader.set_exception(error)

    async def copy_to(self, other: "TunnelEnd") -> None:
        """Send what arrives here to the other side, until this one ends."""
        while chunk := await self._reader.readany():
            await other._writer.write(chunk)
            await other._writer.drain()


async def tunnel(client: Any, api: Any) -> None:
    """Connect two upgraded connections (aiohttp's protocols) until one of them ends."""
    client_end, api_end = TunnelEnd(client), TunnelEnd(api)
    client.set_parser(client_end)
    api.set_parser(api_end, api_end)
    copies = [
        asyncio.ensure_future(client_end.copy_to(api_end)),
        asyncio.ensure_future(api_end.copy_to(client_end)),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
