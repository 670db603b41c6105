"""Issuer metadata: it is believed about its own issuer only, and cached. Issuers of tokens."""

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
    matches_issuer,
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
    """Return metadata as a server sends it; members that are None are omitted."""
    members = {**METADATA, **more}
    return json_reply(
        json.dumps({key: value for key, value in members.items() if value is not None})
    )


def issuer_profile(issuer: str = ISSUER, **more: object) -> Profile:
    """Return a profile that has an issuer and no endpoints."""
    return make_profile(issuer=issuer, token_url=issuer, **more)  # type: ignore[arg-type]


@dataclass
class CacheStub:
    """A metadata cache in memory."""

    stored: bytes | None = None
    failure: TokencliError | None = None
    saved: list[bytes] = field(default_factory=list)

    def save(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.stored = data
        self.saved.append(data)

    @property
    def memory(self) -> MetadataCache:
        """Return the cache as the action sees it."""
        return MetadataCache(lambda: self.stored, self.save)


def ctx(*replies: HttpReply | Exception, answers: tuple[str, ...] = ()) -> FakeContext:
    """Return a context whose server sends these replies; with `answers`, a user is present."""
    terminal = FakeTerminal(list(answers), interactive=bool(answers))
    resolved = FakeContext(terminal=terminal)
    resolved.transport.replies = list(replies)
    return resolved


def filled_cache(**more: object) -> CacheStub:
    """Return a cache with metadata that was fetched a moment ago."""
    cache = CacheStub()
    resolve_endpoints(issuer_profile(), ctx(metadata(**more)), cache.memory)
    return cache


def test_endpoints_are_filled_in() -> None:
    """Token endpoint and others; the credential key is that of a profile with the same endpoints."""
    cache, context = CacheStub(), ctx(metadata())
    profile = resolve_endpoints(issuer_profile(grant="authorization_code"), context, cache.memory)
    assert profile.token_url == f"{ISSUER}/token"
    assert profile.endpoints == {
        "authorization": f"{ISSUER}/authorize",
        "device_authorization": f"{ISSUER}/device",
        "jwks": f"{ISSUER}/jwks",
    }
    written = make_profile(grant="authorization_code", token_url=f"{ISSUER}/token")
    assert derive_binding(profile) == derive_binding(written)
    (asked,) = context.transport.requests
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
def test_both_well_known_urls_are_tried(issuer: str, places: tuple[str, ...]) -> None:
    """OpenID Connect Discovery 4.1 appends, RFC 8414 section 3.1 inserts."""
    assert tuple(metadata_urls(issuer)) == places
    context = ctx(NOT_FOUND, metadata(issuer=issuer))
    resolve_endpoints(issuer_profile(issuer), context, CacheStub().memory)
    assert tuple(request.url for request in context.transport.requests) == places


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
    "not resolved": NOT_FOUND,
    "an error": json_reply("{}", 500),
    "a redirect": ReplyError("id.example.com redirects to evil.example"),
}


@pytest.mark.requirement(22)
@pytest.mark.parametrize("reply", NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_metadata_of_another_issuer_is_not_used(
    reply: HttpReply | Exception,
) -> None:
    """RFC 8414 section 3.3: the other URL is tried; if both are unusable nothing is cached."""
    cache, context = CacheStub(), ctx(reply, reply)
    with pytest.raises(ReplyError, match="no usable metadata"):
        resolve_endpoints(issuer_profile(), context, cache.memory)
    assert cache.saved == []
    assert len(context.transport.requests) == 2
    profile = resolve_endpoints(issuer_profile(), ctx(reply, metadata()), cache.memory)
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
def test_unusable_optional_endpoint_is_ignored(member: str, url: object) -> None:
    """It only causes an error, with the reason, if it is needed."""
    cache, context = CacheStub(), ctx(metadata(**{member: url}))
    name = {"jwks_uri": "jwks"}.get(member, member.removesuffix("_endpoint"))
    resolved = resolve_endpoints(issuer_profile(), context, cache.memory)
    assert resolved.token_url == f"{ISSUER}/token"
    assert name not in resolved.endpoints
    assert [text for text in context.terminal.messages if member in text and "detail" in text]
    assert "user@" not in "".join(context.terminal.messages)
    for _ in range(2):  # as it was reply, and as it is remembered
        with pytest.raises(ConfigError, match=member) as needed:
            resolve_endpoints(issuer_profile(), ctx(), cache.memory, name)
        assert "tokencli profiles edit p" in (needed.value.fix or "")


def test_http_issuer_on_loopback_may_have_http_endpoints() -> None:
    """For experiments; the profile has allowed http for it."""
    issuer = "http://127.0.0.1:8080"
    reply = metadata(issuer=issuer, token_endpoint=f"{issuer}/token")
    profile = resolve_endpoints(issuer_profile(issuer), ctx(reply), CacheStub().memory)
    assert profile.token_url == f"{issuer}/token"


def test_metadata_is_cached_for_a_day() -> None:
    """Then one quick request, whose failure changes nothing."""
    cache = filled_cache()
    quiet = ctx()
    assert resolve_endpoints(issuer_profile(), quiet, cache.memory).token_url == f"{ISSUER}/token"
    for failure in (DeadlineError("late"), UnreachableError("gone"), ReplyError("moved")):
        later = ctx(failure, failure)
        later.clock.current_time += 25 * 3600
        assert (
            resolve_endpoints(issuer_profile(), later, cache.memory).token_url == f"{ISSUER}/token"
        )
        assert (
            resolve_endpoints(issuer_profile(), later, cache.memory).token_url == f"{ISSUER}/token"
        )
        cache = filled_cache()
    clock_went_back = ctx(metadata())
    clock_went_back.clock.current_time -= 3600
    resolve_endpoints(issuer_profile(), clock_went_back, cache.memory)
    assert len(clock_went_back.transport.requests) == 1


def test_timeout_without_a_cache_is_an_error() -> None:
    """There is nothing to fall back on."""
    with pytest.raises(DeadlineError):
        resolve_endpoints(issuer_profile(), ctx(DeadlineError("late")), CacheStub().memory)


MOVED: Mapping[str, Mapping[str, object]] = {
    "the token endpoint": {"token_endpoint": "https://evil.example/token"},
    "to another port": {"token_endpoint": "https://id.example.com:8443/token"},
    "the device endpoint": {"device_authorization_endpoint": "https://evil.example/device"},
    "the keys": {"jwks_uri": "https://evil.example/jwks"},
    "a new endpoint": {"revocation_endpoint": "https://evil.example/revoke"},
}


@pytest.mark.requirement(22)
@pytest.mark.parametrize("moved", MOVED.values(), ids=MOVED)
def test_endpoint_on_a_new_origin_must_be_confirmed(
    moved: Mapping[str, object],
) -> None:
    """Only `login`, with a user who says yes, accepts it."""
    cache = filled_cache()
    first = cache.stored
    for answers, anew in ((("y",), False), ((), True), (("n",), True)):
        context = ctx(metadata(**moved), answers=answers)
        context.clock.current_time += 25 * 3600
        with pytest.raises(ConfigError, match="nothing was sent there") as refused:
            resolve_endpoints(issuer_profile(), context, cache.memory, anew=anew)
        assert "tokencli login p" in (refused.value.fix or "")
        assert cache.stored == first
    agreed = ctx(metadata(**moved), answers=("y",))
    resolve_endpoints(issuer_profile(), agreed, cache.memory, anew=True)
    assert cache.stored != first
    again = ctx(metadata(**moved))
    resolve_endpoints(issuer_profile(), again, cache.memory, anew=True)


def test_move_within_known_origins_is_accepted() -> None:
    """Another path, or the issuer's own origin."""
    cache = filled_cache(token_endpoint="https://tokens.example.com/a", jwks_uri=None)
    for place in ("https://tokens.example.com/b", f"{ISSUER}/token"):
        profile = resolve_endpoints(
            issuer_profile(), ctx(metadata(token_endpoint=place)), cache.memory, anew=True
        )
        assert profile.token_url == place


def test_endpoints_of_the_profile_win() -> None:
    """Profiles work without discovery, and with a mix of both."""
    whole = make_profile(
        grant="device_code",
        issuer=ISSUER,
        token_url="https://t.example.com/token",
        endpoints={"device_authorization": "https://t.example.com/device"},
    )
    assert resolve_endpoints(whole, ctx(), CacheStub().memory, anew=True) is whole
    assert resolve_endpoints(make_profile(), ctx(), CacheStub().memory, anew=True) == make_profile()
    half = replace(whole, endpoints={"revocation": "https://t.example.com/revoke"})
    resolved = resolve_endpoints(
        half, ctx(metadata(revocation_endpoint=f"{ISSUER}/r")), CacheStub().memory
    )
    assert resolved.token_url == "https://t.example.com/token"
    assert resolved.endpoints["device_authorization"] == f"{ISSUER}/device"
    assert resolved.endpoints["revocation"] == "https://t.example.com/revoke"


def test_unknown_endpoint_is_an_error() -> None:
    """The grant's own endpoints, and those that a command needs."""
    reply = metadata(device_authorization_endpoint=None)
    with pytest.raises(ConfigError, match="device authorization endpoint"):
        resolve_endpoints(issuer_profile(grant="device_code"), ctx(reply), CacheStub().memory)
    with pytest.raises(ConfigError, match="introspection endpoint"):
        resolve_endpoints(issuer_profile(), ctx(metadata()), CacheStub().memory, "introspection")


def test_sign_in_requirements_are_applied() -> None:
    """RFC 9126 section 5 and RFC 9207 section 3; the profile may set both by itself."""
    reply = metadata(
        require_pushed_authorization_requests=True,
        authorization_response_iss_parameter_supported=True,
    )
    cache = CacheStub()
    resolved = resolve_endpoints(issuer_profile(), ctx(reply), cache.memory)
    assert resolved.sign_in == SignIn(par=True, iss_in_redirect=True)
    assert apply_cached_metadata(issuer_profile(), cache.memory).sign_in == resolved.sign_in
    asked = SignIn(par=True, iss_in_redirect=True)
    own = resolve_endpoints(issuer_profile(sign_in=asked), ctx(metadata()), CacheStub().memory)
    assert own.sign_in == asked


def test_mtls_aliases_are_used() -> None:
    """RFC 8705 section 5: only for a client that authenticates by certificate."""
    reply = {"mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example.com/token"}}
    tls = resolve_endpoints(
        issuer_profile(client_auth="tls_client_auth"), ctx(metadata(**reply)), CacheStub().memory
    )
    assert tls.token_url == "https://mtls.example.com/token"
    plain = resolve_endpoints(issuer_profile(), ctx(metadata(**reply)), CacheStub().memory)
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
def test_damaged_cache_is_ignored(damage: bytes) -> None:
    """The metadata is fetched again, and nothing of the old data is used."""
    cache, context = CacheStub(damage), ctx(metadata())
    assert apply_cached_metadata(issuer_profile(), cache.memory) == issuer_profile()
    assert resolve_endpoints(issuer_profile(), context, cache.memory).token_url == f"{ISSUER}/token"
    assert json.loads(cache.stored or b"")["issuer"] == ISSUER


def test_read_only_cache_is_no_error() -> None:
    """It only costs a request each time."""
    cache = CacheStub(failure=StorageError("read-only"))
    assert (
        resolve_endpoints(issuer_profile(), ctx(metadata()), cache.memory).token_url
        == f"{ISSUER}/token"
    )


TENANTS_HOST = "https://login.microsoftonline.com"
TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def entra(tenant: str, issuer: str | None = None) -> Profile:
    """Return a profile of the provider whose server has many tenants."""
    return make_profile(
        "entra",
        values={"client_id": "native", "tenant": tenant},
        issuer=issuer or f"{TENANTS_HOST}/{tenant}/v2.0",
    )


TENANT_ALIASES = ("common", "organizations", "consumers", "acme.example", "acme.onmicrosoft.com")


@pytest.mark.parametrize("tenant", TENANT_ALIASES)
def test_tenant_alias_matches_the_tokens_tenant(tenant: str) -> None:
    """The issuer with the token's own `tid`, a GUID, in place of the alias."""
    assert matches_issuer(
        entra(tenant), {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT}
    )


def test_token_without_a_tenant_claim_matches() -> None:
    """Microsoft documents that there is no `tid` without the scope `profile`."""
    assert matches_issuer(entra("common"), {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0"})


OTHER_ISSUERS: dict[str, dict[str, object]] = {
    "no issuer": {"tid": OTHER_TENANT},
    "no tenant at all": {"iss": f"{TENANTS_HOST}//v2.0"},
    "a tenant that is nothing": {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0", "tid": None},
    "another host and no claim": {"iss": f"https://evil.example/{OTHER_TENANT}/v2.0"},
    "any character for a dot": {"iss": f"https://loginxmicrosoftonline.com/{OTHER_TENANT}/v2.0"},
    "a line after it": {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0\n"},
    "an issuer that is no text": {
        "iss": [f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0"],
        "tid": OTHER_TENANT,
    },
    "another tenant": {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0", "tid": TENANT},
    "a tenant in another case": {
        "iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0",
        "tid": OTHER_TENANT.upper(),
    },
    "another host": {"iss": f"https://evil.example/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT},
    "a host that begins alike": {
        "iss": f"{TENANTS_HOST}.evil.example/{OTHER_TENANT}/v2.0",
        "tid": OTHER_TENANT,
    },
    "another version": {"iss": f"https://sts.windows.net/{OTHER_TENANT}/", "tid": OTHER_TENANT},
    "a slash at the end": {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0/", "tid": OTHER_TENANT},
    "http": {"iss": f"http://login.microsoftonline.com/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT},
    "the name instead of the tenant": {"iss": f"{TENANTS_HOST}/common/v2.0"},
    "the name as a tenant": {"iss": f"{TENANTS_HOST}/common/v2.0", "tid": "common"},
    "the template itself": {"iss": f"{TENANTS_HOST}/{{tenantid}}/v2.0", "tid": "{tenantid}"},
    "a path as a tenant": {"iss": f"{TENANTS_HOST}/a/b/v2.0", "tid": "a/b"},
    "a tenant that is no text": {"iss": f"{TENANTS_HOST}/7/v2.0", "tid": 7},
    "a tenant with more": {
        "iss": f"{TENANTS_HOST}/{OTHER_TENANT}x/v2.0",
        "tid": f"{OTHER_TENANT}x",
    },
    "a tenant with a line after it": {
        "iss": f"{TENANTS_HOST}/{OTHER_TENANT}%0A/v2.0",
        "tid": f"{OTHER_TENANT}\n",
    },
}


@pytest.mark.requirement(20)
@pytest.mark.parametrize("claims", OTHER_ISSUERS.values(), ids=OTHER_ISSUERS)
def test_other_issuers_do_not_match(claims: dict[str, object]) -> None:
    """Neither another host, nor a tenant that isn't a GUID or not the token's own."""
    assert not matches_issuer(entra("common"), claims)


def test_tenant_guid_must_match() -> None:
    """Whatever tenant the token names."""
    assert matches_issuer(entra(TENANT), {"iss": f"{TENANTS_HOST}/{TENANT}/v2.0", "tid": TENANT})
    assert matches_issuer(entra(TENANT), {"iss": f"{TENANTS_HOST}/{TENANT}/v2.0"})
    assert not matches_issuer(
        entra(TENANT), {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT}
    )


def test_issuer_of_the_profile_must_match() -> None:
    """It overrides the provider's."""
    profile = entra("common", issuer=f"{TENANTS_HOST}/{TENANT}/v2.0")
    assert matches_issuer(profile, {"iss": f"{TENANTS_HOST}/{TENANT}/v2.0", "tid": TENANT})
    assert not matches_issuer(
        profile, {"iss": f"{TENANTS_HOST}/{OTHER_TENANT}/v2.0", "tid": OTHER_TENANT}
    )


def test_plain_issuer_must_match() -> None:
    """`tid` only counts if the provider says so."""
    issuer = f"https://id.example.com/{TENANT}/v2.0"
    plain = make_profile(issuer=issuer)
    assert matches_issuer(plain, {"iss": issuer})
    assert not matches_issuer(
        plain, {"iss": issuer.replace(TENANT, OTHER_TENANT), "tid": OTHER_TENANT}
    )
    assert matches_issuer(make_profile(), {"iss": "https://anybody.example"})
