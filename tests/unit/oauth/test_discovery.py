"""An issuer is believed about itself alone, to the letter, and remembered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from tests.fakes import FakeContext, FakeTerminal, json_reply, make_profile
from tokencli.errors import (
    ConfigError,
    DeadlineError,
    ReplyError,
    StorageError,
    TokencliError,
    UnreachableError,
)
from tokencli.models import HttpReply, Profile, SignIn
from tokencli.oauth.discovery import (
    MetadataCache,
    apply_cached_metadata,
    metadata_urls,
    resolve_endpoints,
)
from tokencli.token_store.credential_key import derive_binding

ISSUER = "https://id.example.com"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": f"{ISSUER}/token",
    "authorization_endpoint": f"{ISSUER}/authorize",
    "device_authorization_endpoint": f"{ISSUER}/device",
    "jwks_uri": f"{ISSUER}/jwks",
}
NOT_FOUND = json_reply("<h1>Not Found</h1>", 404, "text/html")


def metadata(**more: object) -> HttpReply:
    """Return metadata as a server sends them; what is None is left out."""
    told = {**METADATA, **more}
    return json_reply(json.dumps({key: value for key, value in told.items() if value is not None}))


def issuer_profile(issuer: str = ISSUER, **more: object) -> Profile:
    """Return a profile that says nothing but the issuer, as the configuration makes it."""
    return make_profile(issuer=issuer, token_url=issuer, **more)  # type: ignore[arg-type]


@dataclass
class Slate:
    """A memory for what an issuer said."""

    kept: bytes | None = None
    failure: TokencliError | None = None
    saved: list[bytes] = field(default_factory=list)

    def save(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.kept = data
        self.saved.append(data)

    @property
    def memory(self) -> MetadataCache:
        """Return the slate as the action sees it."""
        return MetadataCache(lambda: self.kept, self.save)


def ctx(*replies: HttpReply | Exception, answers: tuple[str, ...] = ()) -> FakeContext:
    """Return ctx whose server answers so; with `answers`, a person is there."""
    terminal = FakeTerminal(list(answers), interactive=bool(answers))
    found = FakeContext(terminal=terminal)
    found.transport.replies = list(replies)
    return found


def known(**more: object) -> Slate:
    """Return a slate that holds what the issuer said a moment ago."""
    slate = Slate()
    resolve_endpoints(issuer_profile(), ctx(metadata(**more)), slate.memory)
    return slate


def test_the_endpoints_are_filled_in_and_the_key_follows_them() -> None:
    """Token endpoint and the others; the credential's key is that of the same endpoint written out."""
    slate, around = Slate(), ctx(metadata())
    profile = resolve_endpoints(issuer_profile(grant="authorization_code"), around, slate.memory)
    assert profile.token_url == f"{ISSUER}/token"
    assert profile.endpoints == {
        "authorization": f"{ISSUER}/authorize",
        "device_authorization": f"{ISSUER}/device",
        "jwks": f"{ISSUER}/jwks",
    }
    written = make_profile(grant="authorization_code", token_url=f"{ISSUER}/token")
    assert derive_binding(profile) == derive_binding(written)
    (asked,) = around.transport.requests
    assert (asked.method, asked.body) == ("GET", b"")
    assert "Authorization" not in asked.headers


@pytest.mark.requirement(22)
@pytest.mark.parametrize(
    ("issuer", "places"),
    [
        (
            "https://id.example.com",
            (
                "https://id.example.com/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server",
            ),
        ),
        (
            "https://id.example.com:8443/tenant/1/",
            (
                "https://id.example.com:8443/tenant/1/.well-known/openid-configuration",
                "https://id.example.com:8443/.well-known/oauth-authorization-server/tenant/1",
            ),
        ),
    ],
)
def test_both_well_known_addresses_are_tried(issuer: str, places: tuple[str, ...]) -> None:
    """OpenID Connect Discovery 4.1 appends, RFC 8414 section 3.1 inserts."""
    assert tuple(metadata_urls(issuer)) == places
    around = ctx(NOT_FOUND, metadata(issuer=issuer))
    resolve_endpoints(issuer_profile(issuer), around, Slate().memory)
    assert tuple(request.url for request in around.transport.requests) == places


NOT_BELIEVED = {
    "a trailing slash": metadata(issuer=f"{ISSUER}/"),
    "another case": metadata(issuer="https://ID.example.com"),
    "a default port": metadata(issuer=f"{ISSUER}:443"),
    "another host": metadata(issuer="https://evil.example"),
    "no issuer": metadata(issuer=None),
    "an issuer that is no text": metadata(issuer=[ISSUER]),
    "no token endpoint": metadata(token_endpoint=None),
    "an http token endpoint": metadata(token_endpoint="http://id.example.com/token"),
    "an http loopback endpoint": metadata(token_endpoint="http://127.0.0.1/token"),
    "a script for a token endpoint": metadata(token_endpoint="javascript:alert(1)"),
    "an empty token endpoint": metadata(token_endpoint=""),
    "a user in an endpoint": metadata(token_endpoint="https://id.example.com@evil.example/token"),
    "an endpoint that is no text": metadata(token_endpoint=7),
    "a fragment": metadata(token_endpoint=f"{ISSUER}/token#x"),
    "nothing but HTML": json_reply("<html>", kind="text/html"),
    "a list": json_reply("[]"),
    "a member twice": json_reply(f'{{"issuer": "{ISSUER}", "issuer": "{ISSUER}"}}'),
    "not found": NOT_FOUND,
    "an error": json_reply("{}", 500),
    "a redirect": ReplyError("id.example.com redirects to evil.example"),
}


@pytest.mark.requirement(22)
@pytest.mark.parametrize("reply", NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_metadata_that_are_not_exactly_the_issuers_are_not_used(
    reply: HttpReply | Exception,
) -> None:
    """RFC 8414 section 3.3: the next address is tried; if both are unfit nothing is remembered."""
    slate, around = Slate(), ctx(reply, reply)
    with pytest.raises(ReplyError, match="no usable metadata"):
        resolve_endpoints(issuer_profile(), around, slate.memory)
    assert slate.saved == []
    assert len(around.transport.requests) == 2
    profile = resolve_endpoints(issuer_profile(), ctx(reply, metadata()), slate.memory)
    assert profile.token_url == f"{ISSUER}/token"


UNFIT: dict[str, tuple[str, object]] = {
    "http": ("authorization_endpoint", "http://id.example.com/a"),
    "http on loopback": ("authorization_endpoint", "http://127.0.0.1/a"),
    "a script": ("authorization_endpoint", "javascript:alert(1)"),
    "a file": ("jwks_uri", "file:///etc/passwd"),
    "nothing": ("revocation_endpoint", ""),
    "no text": ("userinfo_endpoint", 5),
    "a user": ("introspection_endpoint", "https://user@id.example.com/i"),
}


@pytest.mark.parametrize(("member", "url"), UNFIT.values(), ids=UNFIT)
def test_an_optional_endpoint_that_is_not_fit_is_left_out(member: str, url: object) -> None:
    """It is neither used nor in the way; whoever needs it is told why there is none."""
    slate, around = Slate(), ctx(metadata(**{member: url}))
    name = {"jwks_uri": "jwks"}.get(member, member.removesuffix("_endpoint"))
    found = resolve_endpoints(issuer_profile(), around, slate.memory)
    assert found.token_url == f"{ISSUER}/token"
    assert name not in found.endpoints
    assert [text for text in around.terminal.messages if member in text and "detail" in text]
    assert "user@" not in "".join(around.terminal.messages)
    for _ in range(2):  # as it was told, and as it is remembered
        with pytest.raises(ConfigError, match=member) as needed:
            resolve_endpoints(issuer_profile(), ctx(), slate.memory, name)
        assert "tokencli profiles edit p" in (needed.value.fix or "")


def test_http_endpoints_are_for_an_http_issuer_on_loopback() -> None:
    """An issuer for trying things out may have them; the profile has allowed http for it."""
    issuer = "http://127.0.0.1:8080"
    told = metadata(issuer=issuer, token_endpoint=f"{issuer}/token")
    profile = resolve_endpoints(issuer_profile(issuer), ctx(told), Slate().memory)
    assert profile.token_url == f"{issuer}/token"


def test_what_is_remembered_is_not_asked_again_for_a_day() -> None:
    """No request within a day; after it one, quick, whose failure changes nothing."""
    slate = known()
    quiet = ctx()
    assert resolve_endpoints(issuer_profile(), quiet, slate.memory).token_url == f"{ISSUER}/token"
    for failure in (DeadlineError("late"), UnreachableError("gone"), ReplyError("moved")):
        later = ctx(failure, failure)
        later.clock.current_time += 25 * 3600
        assert (
            resolve_endpoints(issuer_profile(), later, slate.memory).token_url == f"{ISSUER}/token"
        )
        assert (
            resolve_endpoints(issuer_profile(), later, slate.memory).token_url == f"{ISSUER}/token"
        )
        slate = known()
    clock_went_back = ctx(metadata())
    clock_went_back.clock.current_time -= 3600
    resolve_endpoints(issuer_profile(), clock_went_back, slate.memory)
    assert len(clock_went_back.transport.requests) == 1


def test_the_first_time_silence_is_a_failure() -> None:
    """There is nothing to go on with."""
    with pytest.raises(DeadlineError):
        resolve_endpoints(issuer_profile(), ctx(DeadlineError("late")), Slate().memory)


MOVED: Mapping[str, Mapping[str, object]] = {
    "the token endpoint": {"token_endpoint": "https://evil.example/token"},
    "to another port": {"token_endpoint": "https://id.example.com:8443/token"},
    "the device endpoint": {"device_authorization_endpoint": "https://evil.example/device"},
    "the keys": {"jwks_uri": "https://evil.example/jwks"},
    "a new endpoint": {"revocation_endpoint": "https://evil.example/revoke"},
}


@pytest.mark.requirement(22)
@pytest.mark.parametrize("moved", MOVED.values(), ids=MOVED)
def test_an_endpoint_on_a_new_origin_is_refused_until_a_person_agrees(
    moved: Mapping[str, object],
) -> None:
    """Not by itself and not by get; by login, with a person who says yes."""
    slate = known()
    first = slate.kept
    for answers, anew in ((("y",), False), ((), True), (("n",), True)):
        around = ctx(metadata(**moved), answers=answers)
        around.clock.current_time += 25 * 3600
        with pytest.raises(ConfigError, match="nothing was sent there") as refused:
            resolve_endpoints(issuer_profile(), around, slate.memory, anew=anew)
        assert "tokencli login p" in (refused.value.fix or "")
        assert slate.kept == first
    agreed = ctx(metadata(**moved), answers=("y",))
    resolve_endpoints(issuer_profile(), agreed, slate.memory, anew=True)
    assert slate.kept != first
    again = ctx(metadata(**moved))
    resolve_endpoints(issuer_profile(), again, slate.memory, anew=True)


def test_moving_within_known_origins_needs_nobody() -> None:
    """Another path, or the issuer's own origin, is no news."""
    slate = known(token_endpoint="https://tokens.example.com/a", jwks_uri=None)
    for place in ("https://tokens.example.com/b", f"{ISSUER}/token"):
        profile = resolve_endpoints(
            issuer_profile(), ctx(metadata(token_endpoint=place)), slate.memory, anew=True
        )
        assert profile.token_url == place


def test_what_the_profile_says_itself_stands() -> None:
    """The configuration stays possible without discovery, and beside it."""
    whole = make_profile(
        grant="device_code",
        issuer=ISSUER,
        token_url="https://t.example.com/token",
        endpoints={"device_authorization": "https://t.example.com/device"},
    )
    assert resolve_endpoints(whole, ctx(), Slate().memory, anew=True) is whole
    assert resolve_endpoints(make_profile(), ctx(), Slate().memory, anew=True) == make_profile()
    half = replace(whole, endpoints={"revocation": "https://t.example.com/revoke"})
    found = resolve_endpoints(
        half, ctx(metadata(revocation_endpoint=f"{ISSUER}/r")), Slate().memory
    )
    assert found.token_url == "https://t.example.com/token"
    assert found.endpoints["device_authorization"] == f"{ISSUER}/device"
    assert found.endpoints["revocation"] == "https://t.example.com/revoke"


def test_an_endpoint_that_nobody_names_is_told() -> None:
    """The grant's own, and those that a command asks for."""
    told = metadata(device_authorization_endpoint=None)
    with pytest.raises(ConfigError, match="device authorization endpoint"):
        resolve_endpoints(issuer_profile(grant="device_code"), ctx(told), Slate().memory)
    with pytest.raises(ConfigError, match="introspection endpoint"):
        resolve_endpoints(issuer_profile(), ctx(metadata()), Slate().memory, "introspection")


def test_what_the_server_demands_of_a_sign_in_is_taken_along() -> None:
    """RFC 9126 section 5 and RFC 9207 section 3; the profile may ask for a push by itself."""
    told = metadata(
        require_pushed_authorization_requests=True,
        authorization_response_iss_parameter_supported=True,
    )
    slate = Slate()
    found = resolve_endpoints(issuer_profile(), ctx(told), slate.memory)
    assert found.sign_in == SignIn(par=True, iss_in_redirect=True)
    assert apply_cached_metadata(issuer_profile(), slate.memory).sign_in == found.sign_in
    asked = SignIn(par=True, iss_in_redirect=True)
    own = resolve_endpoints(issuer_profile(sign_in=asked), ctx(metadata()), Slate().memory)
    assert own.sign_in == asked


def test_mutual_tls_goes_to_the_aliases() -> None:
    """RFC 8705 section 5: only for a client that authenticates by certificate."""
    told = {"mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example.com/token"}}
    tls = resolve_endpoints(
        issuer_profile(client_auth="tls_client_auth"), ctx(metadata(**told)), Slate().memory
    )
    assert tls.token_url == "https://mtls.example.com/token"
    plain = resolve_endpoints(issuer_profile(), ctx(metadata(**told)), Slate().memory)
    assert plain.token_url == f"{ISSUER}/token"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"issuer": "https://evil.example", "endpoints": {"token": "https://e/t"}, "asked_at": 1.0}',
        b'{"issuer": "https://id.example.com", "endpoints": {}, "asked_at": 1.0}',
        b'{"issuer": "https://id.example.com", "endpoints": {"token": "x"}, "asked_at": 1.0}',
        b'{"issuer": "https://id.example.com", "endpoints": 7, "asked_at": 1.0}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_memory_is_none(damage: bytes) -> None:
    """It is asked for anew, and nothing in it is used."""
    slate, around = Slate(damage), ctx(metadata())
    assert apply_cached_metadata(issuer_profile(), slate.memory) == issuer_profile()
    assert resolve_endpoints(issuer_profile(), around, slate.memory).token_url == f"{ISSUER}/token"
    assert json.loads(slate.kept or b"")["issuer"] == ISSUER


def test_where_nothing_can_be_remembered_it_still_works() -> None:
    """A read-only disk costs a request each time, not the token."""
    slate = Slate(failure=StorageError("read-only"))
    assert (
        resolve_endpoints(issuer_profile(), ctx(metadata()), slate.memory).token_url
        == f"{ISSUER}/token"
    )
