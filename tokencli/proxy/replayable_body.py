"""The body of a request, of which a copy is made while it is small."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from aiohttp import Payload, StreamReader
from aiohttp.abc import AbstractStreamWriter

MAX_REPLAYED_BYTES = 1024 * 1024
"""Limit of a body that can be sent again."""


class ReplayableBody(Payload):
    """A body that is read from the client only as fast as the API takes it.

    It can be sent again as long as no more than MAX_REPLAYED_BYTES have been read. aiohttp does so
    itself if the API has closed a connection that is used again, and the method is idempotent.
    """

    def __init__(
        self, content: StreamReader, before_reading: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Read from `content`, after `before_reading` has asked the client for the body."""
        super().__init__(content)
        self._content, self._before_reading = content, before_reading
        self._chunks: list[bytes] = []
        self._read_bytes = 0
        self._reading = asyncio.Lock()
        self.can_replay = True
        self._is_complete = False
        """Whether all of it has been read."""
        self.error: Exception | None = None
        """Why it could not be read."""

    @property
    def is_requested(self) -> bool:
        """Whether the client has been asked for the body, if it waits for that."""
        return self._before_reading is None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body from its beginning; an earlier call must have been cancelled, or be about to end.

        Raises:
            ConnectionResetError: too much of it has been sent on a connection that is closed.
        """
        if not self.can_replay:
            raise ConnectionResetError("the body can't be sent again")
        position = 0
        while True:
            async with self._reading:  # the earlier call may still be about to end
                if position < len(self._chunks):
                    chunk = self._chunks[position]
                elif self._is_complete:
                    return
                else:
                    chunk = await self._read_from_client()
                    if not chunk:
                        self._is_complete = True
                        return
                position += 1
            await writer.write(chunk)

    def decode(self, *_: object, **__: object) -> NoReturn:
        """Refuse to return the whole body as text."""
        raise TypeError("the body is read only once it is sent")

    async def _read_from_client(self) -> bytes:
        if self._before_reading is not None:
            before_reading, self._before_reading = self._before_reading, None
            await before_reading()
        try:
            chunk = await self._content.readany()
        except Exception as error:
            self.error = error
            raise
        self._read_bytes += len(chunk)
        if self._read_bytes > MAX_REPLAYED_BYTES:
            self.can_replay = False
            self._chunks.clear()
        elif self.can_replay and chunk:
            self._chunks.append(chunk)
        return chunk
