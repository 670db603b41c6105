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
    "part", [b"<title", b"<!--", b"<!-- -->", b"<script ", b"<message ", b"{", b"a ", b"[["]
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


@pytest.mark.parametrize(("body", "text"), [
    ({"non_field_errors": ["Unable to log in."]}, "Unable to log in."),
    ({"password": ["This field is required."]}, "password: This field is required."),
    ({"title": "Invalid", "errors": {"User": ["The User field is required."]}}, "The User field is required."),
    ({"detail": [{"loc": ["body", "username"], "msg": "Field required"}]}, "body.username: Field required"),
    ({"problem_text": f"wrong key {SECRET.reveal()} given"}, "problemtext: wrong key *** given"),
])  # fmt: skip
def test_reason_in_the_fields_it_is_about(body: object, text: str) -> None:
    """Django, ASP.NET and FastAPI name the fields; of a success only known members are quoted."""
    found = read(json.dumps(body).encode()).text or ""
    assert found.startswith(text)
    assert read(b'{"ok": false, "value": "one two three"}', 200).text is None


def test_ids_of_gateways() -> None:
    """They are kept whole, with their separators."""
    trace = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"
    assert read(b"", 403, x_amzn_trace_id=trace).request_ids == {"x-amzn-trace-id": trace}
    assert read(b'{"fbtrace_id": "AbCdEf12345"}').request_ids == {"fbtrace ID": "AbCdEf12345"}
