"""The device authorization grant against a fake clock: what is shown, and when it polls."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.fakes import FakeContext, FakeTerminal, json_reply, make_profile
from tokencli.core.grant_runner import run_grant
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import (
    DeadlineError,
    LoginRequiredError,
    RefusedError,
    ReplyError,
    TlsError,
    UnreachableError,
)
from tokencli.models import Connection, HttpReply, HttpRequest, Profile, Secret, SignIn
from tokencli.oauth.grants import device_code

PROFILE = make_profile(
    grant="device_code",
    client_auth="none",
    values={"client_id": "tv"},
    endpoints={"device_authorization": "https://id.example.com/device"},
    scope="read",
)
RESPONSE = {
    "device_code": "canary-device-code-7f3a",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://example.com/device",
    "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
    "expires_in": 1800,
    "interval": 5,
}
GOOD = json_reply('{"access_token": "t", "token_type": "Bearer", "expires_in": 60}')


def error(code: str, status: int = 400) -> HttpReply:
    """Return an error reply of the token endpoint."""
    return json_reply(f'{{"error": "{code}"}}', status)


PENDING = error("authorization_pending")
SLOW_DOWN = error("slow_down")


class TimedContext(FakeContext):
    """A context that records the time of each request."""

    def __init__(self, response: dict[str, object], replies: list[HttpReply | Exception]) -> None:
        super().__init__(terminal=FakeTerminal(interactive=True))
        self.times: list[float] = []
        self.transport.replies = [json_reply(json.dumps(response)), *replies]
        self.transport.send = self._noting(self.transport.send)  # type: ignore[method-assign]

    def _noting(
        self, send: Callable[[HttpRequest, Connection], HttpReply]
    ) -> Callable[[HttpRequest, Connection], HttpReply]:
        def noting(request: HttpRequest, connection: Connection) -> HttpReply:
            self.times.append(self.clock.now())
            return send(request, connection)

        return noting

    @property
    def gaps(self) -> list[float]:
        """Return the seconds between one request and the next."""
        return [late - early for early, late in zip(self.times, self.times[1:], strict=False)]


def run(response: dict[str, object], *replies: HttpReply | Exception) -> TimedContext:
    """Run the grant to its end and return the context."""
    ctx = TimedContext(response, list(replies))
    run_in(ctx)
    return ctx


def run_in(ctx: FakeContext, profile: Profile = PROFILE) -> None:
    """Run the grant to its end."""
    found = run_grant(device_code.run(profile), profile, ctx, SecretResolver(profile, ctx))
    assert found.token.access_token == Secret("t")


def test_code_is_requested_shown_and_exchanged() -> None:
    """RFC 8628 sections 3.1 to 3.4: the requests, and what the user sees."""
    ctx = run(RESPONSE, PENDING, GOOD)
    asked, first, second = ctx.transport.requests
    assert (asked.url, asked.body) == ("https://id.example.com/device", b"client_id=tv&scope=read")
    assert first.url == PROFILE.token_url
    assert first.body == second.body
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code" in first.body
    assert b"device_code=canary-device-code-7f3a" in first.body
    shown = "\n".join(ctx.terminal.messages)
    assert "https://example.com/device\n" in shown
    code = shown.index("[QR https://example.com/device?user_code=WDJB-MJHT]\n")
    assert code < shown.index("https://example.com/device\n"), "it would scroll the URL away"
    assert "type this code there: WDJB-MJHT" in shown
    assert "canary" not in shown
    assert ctx.browser.opened_urls == []
    assert ctx.terminal.waits == ["waiting for you to sign in"]


def test_qr_code_without_a_complete_uri() -> None:
    """RFC 8628 section 3.3.1: verification_uri_complete is optional."""
    response = {name: value for name, value in RESPONSE.items() if not name.endswith("complete")}
    ctx = run(response, GOOD)
    assert any("[QR https://example.com/device]" in text for text in ctx.terminal.messages)


@pytest.mark.requirement(29)
@pytest.mark.parametrize(
    ("interval", "gap"),
    [(None, 5), (1, 1), (7, 7), ("9", 9), (0, 5), (-3, 5), ("soon", 5), (0.0001, 1), ("0.5", 1)],
)
def test_interval_is_the_servers_or_five_seconds(interval: object, gap: float) -> None:
    """RFC 8628 section 3.2, and at least one second; the first poll waits as well."""
    response = {**RESPONSE, "interval": interval}
    assert run(response, PENDING, PENDING, GOOD).gaps == [gap] * 3


@pytest.mark.requirement(29)
def test_slow_down_adds_five_seconds() -> None:
    """RFC 8628 section 3.5: for this and all later polls."""
    ctx = run(RESPONSE, PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, PENDING, GOOD)
    assert ctx.gaps == [5, 5, 10, 10, 15, 15]


@pytest.mark.requirement(29)
def test_no_response_doubles_the_interval() -> None:
    """RFC 8628 section 3.5: exponential back-off after timeouts."""
    silence = (DeadlineError("late"), UnreachableError("gone"), json_reply("<html>", 503))
    assert run(RESPONSE, *silence, PENDING, GOOD).gaps == [5, 10, 20, 40, 40]


HTML = HttpReply(502, {"content-type": "text/html"}, b"<html>Bad gateway</html>")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.requirement(29)
@pytest.mark.parametrize(
    "reply",
    [
        error("temporarily_unavailable", 429),
        error("temporarily_unavailable", 400),
        error("temporarily_unavailable", 503),
        error("server_error", 400),
        error("invalid_request", 429),
        HttpReply(503, FORM, b"error=temporarily_unavailable"),
        HttpReply(429, {"content-type": "text/plain"}, b"Too many requests"),
        HttpReply(429, {}, b""),
        HttpReply(500, {"content-type": "application/json"}, b"{}"),
        HttpReply(500, {"content-type": "application/json"}, b"{"),
        HttpReply(522, {}, b"origin timed out"),
        HTML,
    ],
)
def test_a_busy_or_failing_server_is_polled_again_later(reply: HttpReply) -> None:
    """RFC 8628 section 3.5: any content type, with twice the interval."""
    assert run(RESPONSE, PENDING, reply, PENDING, GOOD).gaps == [5, 5, 10, 10]


@pytest.mark.parametrize(("seconds", "gap"), [("3", 10), ("42", 42), ("soon", 10)])
def test_retry_after_is_waited_for(seconds: str, gap: float) -> None:
    """RFC 9110 section 10.2.3: if it is longer than the doubled interval."""
    busy = HttpReply(429, {"content-type": "text/plain", "retry-after": seconds}, b"Slow down")
    assert run(RESPONSE, busy, GOOD).gaps == [5, gap]


def test_the_last_failure_is_said_at_the_end() -> None:
    """A server that only fails is the cause of the time-out; one that answered again isn't."""
    for replies, is_said in (([PENDING, *[HTML] * 9], True), ([HTML, *[PENDING] * 9], False)):
        ctx = TimedContext({**RESPONSE, "expires_in": 60}, replies)
        with pytest.raises(LoginRequiredError, match="expired") as timeout:
            run_in(ctx)
        assert ("HTTP 502" in (timeout.value.cause or "")) is is_said


@pytest.mark.requirement(29)
@pytest.mark.parametrize(
    "last",
    [
        error("access_denied"),
        error("invalid_grant"),
        error("authorization_pending_", 400),
        error("invalid_client", 401),
        json_reply("", 403),
        error("access_denied", 503),
        error("authorization_declined", 429),
        TlsError("expired"),
    ],
)
def test_other_errors_end_polling(last: HttpReply | Exception) -> None:
    """RFC 8628 section 3.5: nothing is sent afterwards."""
    ctx = TimedContext(RESPONSE, [PENDING, last, GOOD])
    with pytest.raises((RefusedError, TlsError)):
        run_in(ctx)
    assert len(ctx.times) == 3


@pytest.mark.requirement(29)
def test_polling_ends_when_the_code_expires() -> None:
    """There is no poll at or after expires_in, and the last wait is shortened."""
    ctx = TimedContext({**RESPONSE, "expires_in": 18}, [PENDING] * 20)
    started_at = ctx.clock.now()
    with pytest.raises(LoginRequiredError, match="expired"):
        run_in(ctx)
    assert ctx.gaps == [5, 5, 5]
    assert ctx.clock.now() == started_at + 18


@pytest.mark.parametrize(
    ("life", "wait", "limit"),
    [
        (600, 3.0, 3),  # --wait shortens it
        (18, 900.0, 18),  # but never outlasts the code
        (600, None, 600),
        (1e308, None, 1800),
        (86400, None, 1800),
        (7200, 3600.0, 3600),  # whoever wants to wait longer says so
    ],
)
def test_wait_is_limited(life: float, wait: float | None, limit: float) -> None:
    """The shorter of --wait and the lifetime of the code; half an hour by default."""
    ctx = TimedContext({**RESPONSE, "expires_in": life}, [PENDING] * 1000)
    started_at = ctx.clock.now()
    waiting = "no sign-in within" if wait == limit else "expired before"
    with pytest.raises(LoginRequiredError, match=waiting):
        run_in(ctx, replace(PROFILE, sign_in=SignIn(wait=wait)))
    assert ctx.clock.now() == started_at + limit


def test_expired_token_is_a_timeout() -> None:
    """The user sees the same message."""
    with pytest.raises(LoginRequiredError, match="expired"):
        run_in(TimedContext(RESPONSE, [error("expired_token")]))


@pytest.mark.parametrize("name", ["device_code", "user_code", "verification_uri", "expires_in"])
@pytest.mark.parametrize("value", [None, "", 0, [], {}])
def test_missing_member_is_an_error(name: str, value: object) -> None:
    """All four are required (RFC 8628 section 3.2)."""
    ctx = TimedContext({**RESPONSE, name: value}, [])
    with pytest.raises(ReplyError, match=name):
        run_in(ctx)
    assert ctx.terminal.messages == []


@pytest.mark.requirement(21)
@pytest.mark.parametrize(
    "uri",
    [
        "http://example.com/device",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user@example.com/",
        "https://example.com/\r\nrun this",
        "-flag",
    ],
)
def test_unsafe_verification_uri_is_refused(uri: str) -> None:
    """It is neither shown nor drawn; an unsafe complete URI is ignored."""
    ctx = TimedContext({**RESPONSE, "verification_uri": uri}, [])
    with pytest.raises(ReplyError, match="unsafe verification_uri"):
        run_in(ctx)
    assert ctx.terminal.messages == []
    complete = run({**RESPONSE, "verification_uri_complete": uri}, GOOD)
    assert any("[QR https://example.com/device]" in text for text in complete.terminal.messages)


def test_googles_older_name_of_the_uri() -> None:
    """verification_url, from an early draft."""
    response: dict[str, object] = {**RESPONSE, "verification_url": "https://example.com/google"}
    del response["verification_uri"]
    assert any(
        "https://example.com/google" in text for text in run(response, GOOD).terminal.messages
    )


@pytest.mark.requirement(29)
def test_no_polling_without_a_terminal() -> None:
    """It fails before the first poll."""
    ctx = TimedContext(RESPONSE, [GOOD])
    ctx.terminal.interactive = False
    with pytest.raises(LoginRequiredError, match="nor a terminal"):
        run_in(ctx)
    assert len(ctx.times) == 1


@pytest.mark.parametrize(
    "members", [{"user_code": "A" * 101}, {"verification_uri": "https://a.example/" + "a" * 16384}]
)
def test_code_too_long_to_type_is_an_error(members: dict[str, object]) -> None:
    """A shortened one would be useless."""
    with pytest.raises(ReplyError, match="too long to type"):
        run({**RESPONSE, **members})
