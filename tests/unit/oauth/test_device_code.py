"""The device flow against a fake clock: what is shown, and that the gaps are right."""

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
TOLD = {
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
    """Edges that note at which time each request is sent."""

    def __init__(self, told: dict[str, object], replies: list[HttpReply | Exception]) -> None:
        super().__init__(terminal=FakeTerminal(interactive=True))
        self.times: list[float] = []
        self.transport.replies = [json_reply(json.dumps(told)), *replies]
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


def run(told: dict[str, object], *replies: HttpReply | Exception) -> TimedContext:
    """Hold the whole conversation and return the ctx that saw it."""
    ctx = TimedContext(told, list(replies))
    held(ctx)
    return ctx


def held(ctx: FakeContext, profile: Profile = PROFILE) -> None:
    """Drive the grant to its end."""
    found = run_grant(device_code.run(profile), profile, ctx, SecretResolver(profile, ctx))
    assert found.token.access_token == Secret("t")


def test_the_code_is_asked_for_shown_and_traded() -> None:
    """RFC 8628 sections 3.1 to 3.4: what is sent, what the person sees, what is traded."""
    ctx = run(TOLD, PENDING, GOOD)
    asked, first, second = ctx.transport.requests
    assert (asked.url, asked.body) == ("https://id.example.com/device", b"client_id=tv&scope=read")
    assert first.url == PROFILE.token_url
    assert first.body == second.body
    assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code" in first.body
    assert b"device_code=canary-device-code-7f3a" in first.body
    said = "\n".join(ctx.terminal.messages)
    assert "https://example.com/device\n" in said
    assert "WDJB-MJHT [QR https://example.com/device?user_code=WDJB-MJHT]" in said
    assert "canary" not in said
    assert ctx.browser.opened_urls == []
    assert "29 minutes left" in ctx.terminal.status_lines[1]


def test_without_a_complete_address_the_picture_shows_the_plain_one() -> None:
    """Section 3.3.1: verification_uri_complete is optional."""
    told = {name: value for name, value in TOLD.items() if not name.endswith("complete")}
    ctx = run(told, GOOD)
    assert any("[QR https://example.com/device]" in text for text in ctx.terminal.messages)


@pytest.mark.requirement(29)
@pytest.mark.parametrize(
    ("interval", "gap"),
    [(None, 5), (1, 1), (7, 7), ("9", 9), (0, 5), (-3, 5), ("soon", 5), (0.0001, 1), ("0.5", 1)],
)
def test_the_interval_is_the_servers_or_five_seconds(interval: object, gap: float) -> None:
    """Section 3.2, and a second at least; the first question waits as long as every other."""
    told = {**TOLD, "interval": interval}
    assert run(told, PENDING, PENDING, GOOD).gaps == [gap] * 3


@pytest.mark.requirement(29)
def test_slow_down_adds_five_seconds_for_good() -> None:
    """Section 3.5: for this and all later questions."""
    ctx = run(TOLD, PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, PENDING, GOOD)
    assert ctx.gaps == [5, 5, 10, 10, 15, 15]


@pytest.mark.requirement(29)
def test_silence_doubles_the_pause_for_good() -> None:
    """Section 3.5: exponential back-off on connection time-outs."""
    silence = (DeadlineError("late"), UnreachableError("gone"), json_reply("<html>", 503))
    assert run(TOLD, *silence, PENDING, GOOD).gaps == [5, 10, 20, 40, 40]


@pytest.mark.requirement(29)
@pytest.mark.parametrize(
    "last",
    [
        error("access_denied"),
        error("invalid_grant"),
        error("authorization_pending_", 400),
        error("invalid_client", 401),
        json_reply("", 403),
        json_reply("<html>", 500),
        TlsError("expired"),
    ],
)
def test_any_other_error_ends_it(last: HttpReply | Exception) -> None:
    """Section 3.5: nothing is asked after it."""
    ctx = TimedContext(TOLD, [PENDING, last, GOOD])
    with pytest.raises((RefusedError, TlsError)):
        held(ctx)
    assert len(ctx.times) == 3


@pytest.mark.requirement(29)
def test_at_its_end_the_code_is_given_up() -> None:
    """No question is asked at or after expires_in, and the last wait is cut short."""
    ctx = TimedContext({**TOLD, "expires_in": 18}, [PENDING] * 20)
    began = ctx.clock.now()
    with pytest.raises(LoginRequiredError, match="expired"):
        held(ctx)
    assert ctx.gaps == [5, 5, 5]
    assert ctx.clock.now() == began + 18


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
def test_nobody_is_waited_for_longer_than_somebody_said(
    life: float, wait: float | None, limit: float
) -> None:
    """The shorter of --wait and the code's life; half an hour where neither says less."""
    ctx = TimedContext({**TOLD, "expires_in": life}, [PENDING] * 1000)
    began = ctx.clock.now()
    waiting = "no sign-in within" if wait == limit else "expired before"
    with pytest.raises(LoginRequiredError, match=waiting):
        held(ctx, replace(PROFILE, sign_in=SignIn(wait=wait)))
    assert ctx.clock.now() == began + limit


def test_a_server_may_give_up_first() -> None:
    """expired_token is the same to the person."""
    with pytest.raises(LoginRequiredError, match="expired"):
        held(TimedContext(TOLD, [error("expired_token")]))


@pytest.mark.parametrize("name", ["device_code", "user_code", "verification_uri", "expires_in"])
@pytest.mark.parametrize("value", [None, "", 0, [], {}])
def test_an_answer_that_lacks_what_is_needed_is_told(name: str, value: object) -> None:
    """All four are required (section 3.2)."""
    ctx = TimedContext({**TOLD, name: value}, [])
    with pytest.raises(ReplyError, match=name):
        held(ctx)
    assert ctx.terminal.messages == []


@pytest.mark.requirement(21)
@pytest.mark.parametrize(
    "place",
    [
        "http://example.com/device",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user@example.com/",
        "https://example.com/\r\nrun this",
        "-flag",
    ],
)
def test_nobody_is_sent_to_a_page_that_is_not_https(place: str) -> None:
    """A hostile address is neither shown nor drawn; a hostile complete one is left out."""
    ctx = TimedContext({**TOLD, "verification_uri": place}, [])
    with pytest.raises(ReplyError, match="unsafe verification_uri"):
        held(ctx)
    assert ctx.terminal.messages == []
    complete = run({**TOLD, "verification_uri_complete": place}, GOOD)
    assert any("[QR https://example.com/device]" in text for text in complete.terminal.messages)


def test_googles_older_name_for_the_address_is_understood() -> None:
    """verification_url, of a draft."""
    told: dict[str, object] = {**TOLD, "verification_url": "https://example.com/google"}
    del told["verification_uri"]
    assert any("https://example.com/google" in text for text in run(told, GOOD).terminal.messages)


@pytest.mark.requirement(29)
def test_where_nobody_sees_the_code_nobody_is_waited_for() -> None:
    """Without a terminal it ends before the first question."""
    ctx = TimedContext(TOLD, [GOOD])
    ctx.terminal.interactive = False
    with pytest.raises(LoginRequiredError, match="no terminal"):
        held(ctx)
    assert len(ctx.times) == 1


@pytest.mark.parametrize(
    "odd", [{"user_code": "A" * 101}, {"verification_uri": "https://a.example/" + "a" * 16384}]
)
def test_what_nobody_could_type_is_no_answer(odd: dict[str, object]) -> None:
    """Cut it would be of no use, and nobody is waited for in vain."""
    with pytest.raises(ReplyError, match="too long to type"):
        run({**TOLD, **odd})
