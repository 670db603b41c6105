"""When a request is sent again, as counted by the server."""

import socket
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Behaviour, Peer, running
from tokencli.errors import TokencliError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.net.transport import (
    MAX_TRIES,
    HttpTransport,
    compute_backoff,
    compute_retry_delay,
)


def busy(status: int, after: str = "0") -> Behaviour:
    """Answer that status."""
    return b.says(b.message(f"{status} Busy", b"", f"Retry-After: {after}"))


def attempt(behave: Behaviour, *, retry: bool, tls: str | None = "good") -> tuple[object, int, int]:
    """Send once and return the outcome, the requests and the connections that the server saw."""
    with running(behave, tls) as server:
        request = HttpRequest(
            "POST", f"https://127.0.0.1:{server.port}/t", {}, b"a=b", is_retry_safe=retry
        )
        outcome: object
        try:
            outcome = HttpTransport({}, print, lambda _: None).send(
                request, Connection(3.0, ca_file=str(ca_file()))
            )
        except TokencliError as error:
            outcome = error
    return outcome, len(server.counters.requests), server.counters.connections


def once(first: Behaviour) -> Behaviour:
    """Do `first` with the first connection, and answer the others normally."""
    left = [first]

    def behave(peer: Peer) -> None:
        (left.pop() if left else b.says(b.message("200 OK", b.TOKEN)))(peer)

    return behave


@pytest.mark.requirement(9)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_retried_only_if_that_is_safe(status: int) -> None:
    """Three requests in all if repeating is harmless, else one; the last reply is returned."""
    for retry, requests in ((True, MAX_TRIES), (False, 1)):
        reply, seen, _ = attempt(busy(status), retry=retry)
        assert isinstance(reply, HttpReply)
        assert (status, requests) == (reply.status, seen)


@pytest.mark.requirement(9)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 500, 501])
def test_a_refusal_is_not_retried(status: int) -> None:
    """A refused request isn't sent again, even if that were harmless."""
    reply, seen, _ = attempt(busy(status), retry=True)
    assert isinstance(reply, HttpReply)
    assert (status, 1) == (reply.status, seen)


@pytest.mark.requirement(9)
def test_a_retry_after_beyond_the_deadline_is_not_awaited() -> None:
    """With a Retry-After of a day the 429 is returned at once."""
    started = time.monotonic()
    reply, seen, _ = attempt(busy(429, "86400"), retry=True)
    assert isinstance(reply, HttpReply)
    assert seen == 1
    assert time.monotonic() - started <= 3.0


AMBIGUOUS: dict[str, Behaviour] = {
    "reset": b.says_and_resets(),
    "FIN": b.says(),
    "FIN in the body": b.says(b.LONG),
    "reset in the headers": b.says_and_resets(b.HEAD),
}


@pytest.mark.requirement(9)
@pytest.mark.parametrize("behave", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_sent_request_is_retried_only_if_that_is_safe(behave: Behaviour) -> None:
    """If the connection breaks after the request was sent, it is retried only if that is harmless."""
    for retry, requests in ((True, MAX_TRIES), (False, 1)):
        outcome, seen, _ = attempt(behave, retry=retry)
        error = outcome.defect if isinstance(outcome, HttpReply) else outcome
        assert isinstance(error, UnreachableError)
        assert error.request_sent
        assert requests == seen


@pytest.mark.requirement(9)
@pytest.mark.parametrize("behave", [b.resets_at_once, b.closes_at_once])
@pytest.mark.parametrize("retry", [True, False])
def test_an_unsent_request_is_retried(behave: Behaviour, retry: bool) -> None:
    """A handshake that breaks off is tried three times for any grant; nothing was sent."""
    error, seen, connections = attempt(behave, retry=retry, tls=None)
    assert isinstance(error, UnreachableError)
    assert not error.request_sent
    assert (seen, connections) == (0, MAX_TRIES)


@pytest.mark.requirement(9)
def test_a_refused_http_connection_is_retried() -> None:
    """If nothing listens on loopback, nothing was sent, and no proxy is suggested, which isn't used there."""
    said: list[str] = []
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/t"
        with pytest.raises(UnreachableError) as caught:
            HttpTransport({}, said.append, said.append).send(
                HttpRequest("POST", url, {}), Connection(5)
            )
    assert not caught.value.request_sent
    assert "proxy" not in (caught.value.cause or "")
    assert sum("trying again" in text for text in said) == MAX_TRIES - 1


@pytest.mark.requirement(9)
def test_the_second_attempt_can_succeed() -> None:
    """The caller doesn't notice a single failure."""
    reply, seen, _ = attempt(once(busy(503)), retry=True)
    assert isinstance(reply, HttpReply)
    assert (reply.status, seen) == (200, 2)


@pytest.mark.requirement(9)
def test_a_certificate_error_is_not_retried() -> None:
    """Repeating doesn't make a certificate trusted."""
    error, _, connections = attempt(b.closes_at_once, retry=True, tls="other name")
    assert isinstance(error, UnreachableError)
    assert connections == 1


def test_delays_grow_and_end() -> None:
    """Each delay is longer than the one before, and after the last attempt there is none."""
    assert compute_backoff(MAX_TRIES) is None
    first, second = compute_backoff(1), compute_backoff(2)
    assert first is not None
    assert second is not None
    assert 0.1 < first < 0.3 <= second < 0.6


IN_AN_HOUR = "in an hour"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("7", lambda s: s == 7),
        ("86400", lambda s: s == 86400),
        ("9" * 5000, lambda s: s > 86400),
        (IN_AN_HOUR, lambda s: 3500 < s <= 3600),
        (formatdate(0, usegmt=True), lambda s: s == 0),
        ("Fri, 99 Xxx 99999 99:99:99 GMT", lambda s: s == 0),
        ("-1", lambda s: s == 0),
        ("1e9", lambda s: s == 0),
        ("²", lambda s: s == 0),
        ("", lambda s: s == 0),
        ("\x00", lambda s: s == 0),
    ],
    ids=range(11),
)
def test_retry_after_is_read_in_both_its_forms(text: str, holds: Callable[[float], bool]) -> None:
    """Seconds and dates are accepted, anything else is ignored (RFC 9110 section 10.2.3)."""
    if text == IN_AN_HOUR:  # from when the test runs, not from when it was collected
        text = formatdate(time.time() + 3600, usegmt=True)
    reply = HttpReply(503, {"retry-after": text}, b"", received_at=time.time())
    assert holds(reply.retry_after or 0.0)
    assert compute_retry_delay(reply, MAX_TRIES) is None
