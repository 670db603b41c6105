"""The credential key: what changes it, and what it doesn't contain."""

from dataclasses import replace

import pytest

from tests.fakes import keyring_ref, make_profile
from tokencli.errors import ConfigError
from tokencli.models import Connection, Profile, SecretRef
from tokencli.providers.catalog import build_provider
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.token_store.credential_key import derive_binding, derive_credential_key

PROFILE = make_profile(
    values={"client_id": "batch", "username": "jdoe"},
    scope="read write",
    params={"audience": "https://api.example.com", "resource": ("https://a/", "https://b/")},
)


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROFILE, name="other"),
        replace(PROFILE, token_url="https://elsewhere.example.com/token"),
        replace(PROFILE, token_url="https://id.example.com/token?tenant=2"),
        replace(PROFILE, grant="password"),
        replace(PROFILE, client_auth="client_secret_post"),
        replace(PROFILE, scope="read"),
        replace(PROFILE, scope=None),
        replace(PROFILE, values={"client_id": "other", "username": "jdoe"}),
        replace(PROFILE, values={"client_id": "batch", "username": "mallory"}),
        replace(PROFILE, values={"client_id": "batch", "username": "jdoe", "tenant": "1"}),
        replace(PROFILE, params={**PROFILE.params, "audience": "https://other.example.com"}),
        replace(PROFILE, params={**PROFILE.params, "resource": ("https://a/",)}),
        replace(PROFILE, params={}),
    ],
    ids=str,
)
def test_settings_that_change_the_token_change_the_key(changed: Profile) -> None:
    """Endpoint, client, user, scope, audience, resource, method and name each change the token."""
    assert derive_credential_key(changed) != derive_credential_key(PROFILE)


def _asking(**words: object) -> Profile:
    table = {"title": "T", "endpoints": {"token": PROFILE.token_url}, **words}
    return replace(PROFILE, provider=build_provider(table, "own"), grant="token")


def test_a_user_defined_providers_request_changes_the_key() -> None:
    """Another body, value, JWT, second request or reply path changes the token; titles and help don't."""
    whole = {"request": {"send": {"a": "b", "scope": "read"}}}
    key = derive_credential_key(_asking(**whole))
    others = [
        {"request": {"send": {"a": "b", "scope": "admin"}}},
        {**whole, "values": {"v": "{client_id}"}},
        {**whole, "signed": {"s": {"claims": {"iss": "x"}}}},
        {**whole, "then": {"send": {"c": "d"}}},
        {**whole, "reply": {"access_token": "other"}},
    ]
    assert (
        len({key, *(derive_credential_key(_asking(**words)) for words in others)})
        == len(others) + 1
    )
    errors = {"codes": {"E1": {"what": "x"}}}
    assert derive_credential_key(_asking(**whole, errors=errors, doc="https://x.example")) == key


@pytest.mark.parametrize(
    "same",
    [
        replace(PROFILE, scope="write read write"),
        replace(PROFILE, values={"username": "jdoe", "client_id": "batch"}),
        replace(PROFILE, connection=Connection(timeout=5)),
        replace(PROFILE, export="OTHER", min_ttl=60.0, hot_copy=False),
        replace(PROFILE, secrets={"password": SecretRef("env", "password", "p", ("PW",))}),
    ],
    ids=str,
)
def test_other_settings_do_not_change_the_key(same: Profile) -> None:
    """The order of scopes, the time-out and the secret's source don't change the token."""
    assert derive_credential_key(same) == derive_credential_key(PROFILE)


def test_the_key_is_a_hash() -> None:
    """It has 64 hexadecimal digits and is a valid file name everywhere."""
    key = derive_credential_key(PROFILE)
    assert len(key) == 64
    assert int(key, 16) >= 0


def test_the_key_is_stable() -> None:
    """Stored tokens survive an update: this key may only change together with KEY_VERSION."""
    profile = make_profile(secrets={"client_secret": keyring_ref("client_secret")})
    assert derive_credential_key(profile).startswith("eb490321f755d118")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://id.example.com/token", "https://id.example.com:443"),
        ("https://ID.Example.COM:4443/a/b?c=d", "https://id.example.com:4443"),
        ("http://127.0.0.1/token", "http://127.0.0.1:80"),
        ("http://[::1]:8080/token", "http://[::1]:8080"),
        ("HTTPS://user@id.example.com/", "https://id.example.com:443"),
    ],
)
def test_an_origin_has_one_form(url: str, expected: str) -> None:
    """Scheme, host and port, in lower case and with the port written out."""
    assert get_url_origin(url) == expected


@pytest.mark.parametrize("url", ["", "id.example.com", "https://", "https://h:x/", "https://[::1/"])
def test_an_invalid_url_has_no_origin(url: str) -> None:
    """A URL without a host, or with an invalid port, is a configuration error."""
    with pytest.raises(ConfigError):
        get_url_origin(url)


def test_the_binding_names_profile_origin_and_client() -> None:
    """It contains profile, origin, client and key."""
    bound = derive_binding(PROFILE)
    assert (bound.profile, bound.origin, bound.client_id) == (
        "p",
        "https://id.example.com:443",
        "batch",
    )
    assert bound.key == derive_credential_key(PROFILE)
