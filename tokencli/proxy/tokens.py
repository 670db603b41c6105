"""The token that requests are sent with, renewed in a thread so that the event loop never waits."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Protocol, TypeVar

from tokencli.errors import TokencliError
from tokencli.models import Secret, TokenSet

T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]
MIN_REMAINING_S = 1.0
"""Seconds for which a token must be valid to be sent while another one is fetched."""
CLOCK_CHECK_S = 15.0
"""Limit of a sleep until a renewal: the clock may be set, or the computer suspended."""


class KeptToken(Protocol):
    """A token, and why there is no newer one although one is due."""

    @property
    def token(self) -> TokenSet:
        """The token."""

    @property
    def error(self) -> TokencliError | None:
        """Why the last renewal failed."""


class TokenSupply(Protocol):
    """Where tokens come from, and how a request carries one."""

    @property
    def due_at(self) -> float:
        """The epoch second from which `get` renews the token, or tries again."""

    def get(self, refused: Secret | None = None) -> KeptToken:
        """Return the token, and another one than the API `refused`; may wait for a server.

        Raises:
            TokencliError: there is no valid token.
        """

    def give_up(self, refused: Secret) -> None:
        """Note that a token is refused although it is new."""

    def build_headers_and_query(self, kept: Any, method: str, url: str) -> tuple[Pairs, Pairs]:
        """Return the headers and the query parameters that carry a token of `get` in one request.

        Raises:
            TokencliError: a value is missing or can't be sent.
        """

    def judge_refusal(
        self, status: int, headers: Mapping[str, str]
    ) -> Literal["renew", "resend"] | None:
        """Return what makes the API accept a request that it replied to like this.

        `renew` is another token, `resend` a new proof for the same one, None nothing. The names of
        the headers are in lower case.
        """


class FreshToken:
    """The token of a `TokenSupply` for the requests of one event loop.

    However many requests need another token, one thread asks for it. While the old one is valid,
    requests don't wait.
    """

    def __init__(self, supply: TokenSupply, report: Callable[[TokencliError], None]) -> None:
        self._supply, self._report = supply, report
        self._kept: KeptToken | None = None
        self._renewal: asyncio.Task[KeptToken] | None = None

    async def get(self) -> KeptToken:
        """Return a valid token.

        Raises:
            TokencliError: there is none.
        """
        now, kept = time.time(), self._kept
        if kept is not None and now < self._supply.due_at:
            if kept.error is not None and not kept.token.may_be_valid(now):
                raise kept.error
            return kept
        renewal = self._start_renewal()
        if kept is not None and kept.token.may_be_valid(now + MIN_REMAINING_S):
            return kept
        return await asyncio.shield(renewal)

    async def replace(self, refused: Secret) -> KeptToken | None:
        """Return another token than the one that the API refused, or None if there is none."""
        while self._renewal is not None:
            with suppress(TokencliError):
                await asyncio.shield(self._renewal)
        kept = self._kept
        if kept is None or kept.token.access_token == refused:
            try:
                kept = await asyncio.shield(self._start_renewal(refused))
            except TokencliError:
                return None
        return None if kept.token.access_token == refused else kept

    async def renew_when_due(self) -> None:
        """Renew the token ahead of time, until this is cancelled."""
        while True:
            delay = self._supply.due_at - time.time()
            if delay > 0:
                await asyncio.sleep(min(delay, CLOCK_CHECK_S))
                continue
            with suppress(TokencliError):
                await asyncio.shield(self._start_renewal())

    async def finish(self) -> None:
        """Wait for a renewal that is going on, so that its token is saved."""
        if self._renewal is not None:
            with suppress(TokencliError):
                await asyncio.shield(self._renewal)

    def _start_renewal(self, refused: Secret | None = None) -> "asyncio.Task[KeptToken]":
        """Return the renewal that is going on, or a new one."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(refused))
            # Read its exception, or asyncio complains if no request waits for it. `_renew` reports it.
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._renewal

    async def _renew(self, refused: Secret | None) -> KeptToken:
        try:
            self._kept = await run_in_thread(lambda: self._supply.get(refused))
        except TokencliError as error:
            self._kept = None
            self._report(error)
            raise
        finally:
            self._renewal = None
        if self._kept.error is not None:
            self._report(self._kept.error)
        return self._kept


async def run_in_thread(call: Callable[[], T]) -> T:
    """Return what `call` does in a new thread, which doesn't keep the process from ending."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def set_result(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None only if T allows it

    def run() -> None:
        value, failure = None, None
        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - raised again in the event loop
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(set_result, value, failure)

    threading.Thread(target=run, daemon=True, name="token-renewal").start()
    return await result
