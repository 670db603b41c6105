"""JWTs that a provider's templates name: signed anew for each request, by the key alone."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.fakes import FakeContext, json_reply, keyring_ref, make_profile
from tokencli.config.provider_validation import validate_provider
from tokencli.core.dry_run import render_dry_run
from tokencli.core.get_token import get_token
from tokencli.errors import ConfigError, CredentialsError
from tokencli.models import HttpRequest, Profile, Secret
from tokencli.problems import Finding
from tokencli.providers.catalog import build_provider
from tokencli.providers.template_values import complete_values

EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
SHARED = "canary-shared-secret-0123456789abcdef"
KEYS = {"private_key": EC.as_pem(private=True).decode(), "api_secret": SHARED}
CLAIMS = {"iss": "{team}", "aud": ["https://acme.example"], "n": "{size|int}", "jti": "{uuid}"}
SEND = {"request": {"send": {"assertion": "{proof}"}}}


def profile_of(words: dict[str, Any], **values: str) -> Profile:
    """Return a profile of a provider with these words, with each of the keys."""
    table = {
        "title": "T",
        "endpoints": {"token": "https://id.example.com/token"},
        "fields": {"team": {}, "size": {"optional": True}, "api_secret": {"kind": "secret"}},
        **words,
    }
    assert not isinstance(found := validate_provider("t", table), list), found
    provider = build_provider(table, "t")
    refs = {name: keyring_ref(name) for name in KEYS}
    profile = make_profile(secrets=refs, values={"team": "T1", **values})
    return replace(
        profile, provider=provider, grant=next(iter(provider.grants)), client_auth="none"
    )


def edges_with(keys: dict[str, str] = KEYS, count: int = 1) -> FakeContext:
    """Return ctx whose keyring has the keys, and whose server answers so many times."""
    ctx = FakeContext()
    for name, value in keys.items():
        ctx.keyring.secrets[keyring_ref(name).target] = Secret(value)  # type: ignore[attr-defined]
    reply = json_reply('{"access_token": "t", "expires_in": 1}')
    ctx.transport.replies = [reply] * count
    return ctx


def sent(profile: Profile, ctx: FakeContext) -> HttpRequest:
    """Return the request that a get sends."""
    get_token(profile, ctx, force=True)
    return ctx.transport.requests[-1]


def assertion_of(request: HttpRequest) -> str:
    """Return the parameter `assertion`."""
    return parse_qs(request.body.decode())["assertion"][0]


def test_a_jwt_says_what_its_template_says_and_is_signed_by_the_profiles_key() -> None:
    """Header, claims of every JSON type, and a life that is counted from now."""
    signed = {"proof": {"header": {"kid": "{team}-1"}, "claims": CLAIMS, "life": 300}}
    ctx = edges_with()
    found = jwt.decode(
        assertion_of(sent(profile_of({"signed": signed, **SEND}, size="7"), ctx)), EC
    )
    assert found.header == {"alg": "ES256", "typ": "JWT", "kid": "T1-1"}
    now = int(ctx.clock.current_time)
    jti = found.claims.pop("jti")
    assert len(jti) == 36
    assert found.claims == {
        "iss": "T1", "aud": ["https://acme.example"], "n": 7, "iat": now - 10, "exp": now + 290,
    }  # fmt: skip


def test_each_request_gets_a_jwt_of_its_own() -> None:
    """Two requests never carry the same one."""
    profile, ctx = (
        profile_of({"signed": {"proof": {"claims": CLAIMS}}, **SEND}),
        edges_with(count=2),
    )
    assert assertion_of(sent(profile, ctx)) != assertion_of(sent(profile, ctx))


def test_a_shared_secret_signs_by_hs256_and_what_names_an_absent_value_is_left_out() -> None:
    """Any secret of the profile can be the key; an optional claim may be missing."""
    signed = {"proof": {"key": "api_secret", "claims": {**CLAIMS, "exp": "{now|plus:60|int}"}}}
    ctx = edges_with()
    token = assertion_of(sent(profile_of({"signed": signed, **SEND}), ctx))
    found = jwt.decode(token, OctKey.import_key(SHARED), algorithms=["HS256"])
    assert "n" not in found.claims
    assert found.claims["exp"] == int(ctx.clock.current_time) + 60


@pytest.mark.parametrize(
    ("alg", "key"), [("RS384", RSA), ("PS256", RSA), ("ES256", EC)], ids=["RS384", "PS256", "ES256"]
)
def test_the_algorithm_is_the_one_that_is_named(alg: str, key: Any) -> None:
    """As far as the key is good for it."""
    profile = profile_of({"signed": {"proof": {"alg": alg, "claims": CLAIMS}}, **SEND})
    ctx = edges_with({**KEYS, "private_key": key.as_pem(private=True).decode()})
    found = jwt.decode(assertion_of(sent(profile, ctx)), key, algorithms=[alg])
    assert found.header["alg"] == alg


def test_a_jwt_can_stand_in_a_header_and_in_the_use_of_the_token() -> None:
    """It is a value like any other: `Authorization: Bearer {proof}`."""
    words = {
        "signed": {"proof": {"claims": CLAIMS}},
        "request": {"basic": "x:{proof}", "headers": {"X-Proof": "JWT {proof}"}, "body": "none"},
    }
    request = sent(profile_of(words), edges_with())
    assert jwt.decode(request.headers["X-Proof"].removeprefix("JWT "), EC).claims["iss"] == "T1"


def test_oauths_own_request_takes_signed_computed_and_made_up_parameters_and_secret_headers() -> (
    None
):
    """client_credentials with what a gateway wants beside: all of it filled, the secrets known."""
    words = {
        "values": {"pair": "{team}:{api_secret|sha256|hex}"},
        "signed": {"proof": {"claims": CLAIMS}},
        "grants": {"client_credentials": {"params": {"proof": "{proof}", "id": "{uuid}"}}},
        "request": {"headers": {"X-Api-Key": "{api_secret}", "X-Pair": "{pair}"}},
        "client_auth": ["none"],
    }
    request = sent(profile_of(words), edges_with())
    params = parse_qs(request.body.decode())
    assert params["grant_type"] == ["client_credentials"]
    assert jwt.decode(params["proof"][0], EC).claims["iss"] == "T1"
    assert len(params["id"][0]) == 36
    assert request.headers["X-Api-Key"] == SHARED
    assert request.headers["X-Pair"].startswith("T1:")
    assert {secret.reveal() for secret in request.secrets} >= {SHARED, params["proof"][0]}


@pytest.mark.parametrize("whole", [True, False])
def test_a_dry_run_needs_no_key_and_shows_none(whole: bool) -> None:
    """`***` in the place of the JWT, and of whatever is made of a secret."""
    own = SEND if whole else {
        "grants": {"client_credentials": {"params": {"assertion": "{proof}"}}},
        "request": {"headers": {"X-Key": "{api_secret|sha256|hex}"}},
        "client_auth": ["none"],
    }  # fmt: skip
    profile = profile_of({"signed": {"proof": {"claims": CLAIMS}}, **own})
    shown = render_dry_run(profile, FakeContext())
    assert "assertion=***" in shown
    assert whole or "X-Key: ***" in shown
    assert "eyJ" not in shown


def test_a_key_that_is_none_is_told_without_quoting_it() -> None:
    """The name of the secret, where it came from, and what is wrong with it."""
    profile = profile_of({"signed": {"proof": {"claims": CLAIMS}}, **SEND})
    ctx = edges_with({**KEYS, "private_key": "canary-no-key"})
    with pytest.raises(CredentialsError) as caught:
        get_token(profile, ctx)
    assert "private key" in caught.value.message
    assert "canary" not in caught.value.message
    assert ctx.transport.requests == []


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_value_breaks_out_of_its_claim(team: str, size: str) -> None:
    """Whatever a value holds, the claims have these members and no others."""
    signed = {"proof": {"key": "api_secret", "claims": {"a": "{team}", "b": ["x{size}"]}}}
    profile = profile_of({"signed": signed, **SEND}, team=team, size=size)
    token = assertion_of(sent(profile, edges_with()))
    found = jwt.decode(token, OctKey.import_key(SHARED), algorithms=["HS256"]).claims
    assert {"a": found["a"], "b": found["b"]} == json.loads(
        json.dumps({"a": team, "b": [f"x{size}"]})
    )
    assert set(found) == {"a", "b", "iat", "exp"}


@pytest.mark.parametrize(
    ("signed", "where"),
    [
        ({"key": "api_secrt"}, "key"),
        ({"key": "team"}, "key"),
        ({"alg": "none"}, "alg"),
        ({"alg": "RS265"}, "alg"),
        ({"life": 0}, "life"),
        ({"claims": {"a": "{nobody}"}}, "claims"),
        ({"header": {"a": "{"}}, "header"),
        ({"claims": {"a": "{proof}"}}, "claims"),
    ],
)
def test_what_is_wrong_with_a_signed_value_is_told_with_its_place(
    signed: dict[str, Any], where: str
) -> None:
    """Each slip is found when the file is read."""
    table = {
        "title": "T",
        "endpoints": {"token": "https://id.example.com/token"},
        "fields": {"team": {}, "api_secret": {"kind": "secret"}},
        "signed": {"proof": signed},
        **SEND,
    }
    found = validate_provider("t", table)
    assert isinstance(found, list)
    assert all(
        isinstance(one, Finding) and one.key_path[2:4] == ("signed", "proof") for one in found
    )
    assert where in found[0].key_path


def test_computed_values_do_not_fill_the_memory() -> None:
    """All of them together are limited, however they are put together."""
    doubled = {f"v{n}": f"{{v{n - 1}}}{{v{n - 1}}}" for n in range(1, 40)}
    words = {"values": {"v0": "x" * 64, **doubled}, "request": {"send": {"a": "b"}}}
    with pytest.raises(ConfigError, match="megabyte"):
        complete_values(profile_of(words), {}, 0.0)
