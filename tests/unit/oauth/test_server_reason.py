"""The server's own reason, from any reply."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.models import HttpReply, Secret
from tokencli.oauth.server_reason import MAX_REASON, ServerReason, read_server_reason
from tokencli.providers.reply_locator import ReplyDocument

SECRET = Secret("canary-secret-51c2")


def read(body: bytes, status: int = 400, **headers: str) -> ServerReason:
    """Read a refusal's reason."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    document = ReplyDocument(HttpReply(status, {"content-type": "application/json", **names}, body))
    return read_server_reason(document, None, None, (SECRET,))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.just(SECRET.reveal()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "code", "errors", "requestId", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(values, st.integers(200, 599))
def test_any_json_has_a_bounded_reason_without_secrets(body: object, status: int) -> None:
    """Whatever the members are, nothing raises."""
    reason = read(json.dumps(body).encode(), status)
    shown = f"{reason.code} {reason.text} {dict(reason.request_ids)}"
    assert SECRET.reveal() not in shown
    assert len(reason.text or "") <= MAX_REASON


@given(st.binary(max_size=400), st.text(max_size=60))
def test_any_bytes_and_challenge_have_a_reason(body: bytes, challenge: str) -> None:
    """Nothing raises."""
    assert isinstance(read(body, 401, www_authenticate=challenge), ServerReason)


@pytest.mark.parametrize(
    "part", [b"<title", b"<!--", b"<script ", b"<message ", b"{", b"a ", b"[["]
)
def test_a_large_page_is_read_in_bounded_time(part: bytes) -> None:
    """Nobody should wait for the reason of a refusal."""
    start = time.monotonic()
    read(b"<html>" + part * (1_000_000 // len(part)))
    read(part * (1_000_000 // len(part)))
    assert time.monotonic() - start < 5


def test_the_deepest_reason_is_found_once() -> None:
    """Repetitions and the status phrase are left out."""
    body = {
        "message": "Bad Request",
        "error": {"message": "no such plan", "errors": [{"message": "no such plan"}]},
    }
    assert read(json.dumps(body).encode()).text == "no such plan"


def test_an_error_object_in_a_success_hides_what_is_beside_it() -> None:
    """A member next to it may be the token."""
    body = {
        "error": {"code": "E7", "message": "the tenant is asleep"},
        "message": "0b1f4f4e",
        "detail": "5",
    }
    reason = read(json.dumps(body).encode(), 200)
    assert (reason.code, reason.text) == ("E7", "the tenant is asleep")
