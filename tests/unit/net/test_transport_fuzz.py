"""Replies of arbitrary bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.faults.server import Peer, running
from tokencli.errors import ReplyError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.net.connection import MAX_BODY_BYTES
from tokencli.net.transport import HttpTransport

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 100 Continue",
        b"HTTP/9.9 999 ",
        b"HTTP/1.1 302 ",
        b"HTTP/1.1 204 No",
        b"Location: //[",
        b"Location: https://a:b/",
        b"Content-Length: 3",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: ,,",
        b"Retry-After: \xb2",
        b" folded",
        b": nameless",
        b"",
        b"0",
        b"-1",
        b"3;x=y",
    ]
)
REPLIES = st.one_of(
    st.binary(max_size=300),
    st.lists(LINES | st.binary(max_size=20), max_size=12).map(b"\r\n".join),
    st.lists(LINES | st.binary(max_size=20), max_size=12).map(
        lambda lines: b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(lines)
    ),
)


@pytest.mark.timeout(3600)
def test_any_reply_ends_in_a_reply_or_an_error() -> None:
    """Any reply is returned, or is a ReplyError or UnreachableError in one line with a fix."""
    data = b""

    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    @given(REPLIES)
    @example(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b")
    @example(b"HTTP/1.1 302 \r\nLocation: https://[::1\r\n\r\n")
    def check(sent: bytes) -> None:
        nonlocal data
        data = sent
        request = HttpRequest("POST", f"http://127.0.0.1:{server.port}/t", {}, b"a=b")
        try:
            reply = HttpTransport({}, print, lambda _: None).send(request, Connection(10))
        except (ReplyError, UnreachableError) as error:
            assert error.fix or error.cause
            assert "\n" not in error.message
            assert len(error.message) < 600
        else:
            assert isinstance(reply, HttpReply)
            assert len(reply.body) <= MAX_BODY_BYTES

    with running(behave, tls=None) as server:
        check()
