"""The keys of a profile that say how a client proves who it is."""

from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.fastpath import profile_cache
from tokencli.models import Profile

HEAD = """[profiles.p]
provider = "oauth2"
token_url = "https://id.example.com/token"
client_id = "batch"
"""


def profile(text: str) -> Profile:
    """Return the profile with these lines more."""
    return Config(Path("/etc/tokencli/config.toml"), HEAD + text, {}).get_profile("p")


def problems(text: str) -> str:
    """Return what is wrong with these lines, in one text."""
    found = Config(Path("c.toml"), HEAD + text, {}).find_problems()
    return "\n".join(f"{one.where} {one.what} -> {one.right}" for one in found)


def test_a_signing_client() -> None:
    """Key, name, algorithm, audience and certificate; paths count from the file's folder."""
    found = profile(
        'client_auth = "private_key_jwt"\nprivate_key = { file = "key.pem" }\nkey_id = "k1"\n'
        'signing_alg = "PS256"\nassertion_audience = "issuer"\nclient_cert = "cert.pem"\n'
    )
    assert found.secrets["private_key"].target == ("/etc/tokencli/key.pem",)
    signing = found.signing
    assert (signing.key_id, signing.alg, signing.audience) == ("k1", "PS256", "issuer")
    assert signing.certificate == "/etc/tokencli/cert.pem"
    assert found.client_cert is None  # for TLS its key would have to be there, too
    assert profile_cache.parse_profile(profile_cache.dump_profile(found)) == found


def test_a_private_key_rests_in_the_keyring_unless_said_otherwise() -> None:
    """As every secret does."""
    found = profile('client_auth = "private_key_jwt"\n')
    ref = found.secrets["private_key"]
    assert (ref.kind, ref.target[0]) == ("keyring", "tokencli:p:private_key")


def test_a_client_with_a_certificate() -> None:
    """Certificate and key are files; the passphrase is a secret."""
    found = profile(
        'client_auth = "tls_client_auth"\nclient_cert = "c.pem"\nclient_key = "k.pem"\n'
        'key_passphrase = { env = "PASS" }\n'
    )
    assert found.client_cert == ("/etc/tokencli/c.pem", "/etc/tokencli/k.pem")
    assert set(found.secrets) == {"key_passphrase"}
    assert profile_cache.parse_profile(profile_cache.dump_profile(found)) == found


def test_a_trading_profile() -> None:
    """Token types by their short names; tokens from another profile, or from stdin."""
    found = profile(
        'grant = "token_exchange"\nsubject_token = { profile = "other" }\n'
        'actor_token = { stdin = true }\nsubject_token_type = "id_token"\n'
        'requested_token_type = "urn:example:own"\n'
    )
    assert found.secrets["subject_token"].kind == "profile"
    assert found.secrets["actor_token"].kind == "stdin"
    assert found.values["subject_token_type"] == "urn:ietf:params:oauth:token-type:id_token"
    assert found.values["requested_token_type"] == "urn:example:own"


def test_an_assertion_is_signed_unless_one_is_named() -> None:
    """Then the private key is looked for where it rests by default."""
    assert set(profile('grant = "jwt_bearer"\n').secrets) == {"client_secret", "private_key"}
    named = profile('grant = "jwt_bearer"\nassertion = { env = "A" }\nclient_auth = "none"\n')
    assert set(named.secrets) == {"assertion"}


@pytest.mark.parametrize(
    "text",
    [
        "dpop = true\n",
        'grant = "token_exchange"\nsubject_token = { env = "S" }\n',
        'grant = "jwt_bearer"\nassertion = { env = "S" }\n',
    ],
)
def test_a_token_that_is_not_enough_by_itself_has_no_hot_copy(text: str) -> None:
    """It takes a proof, or it depends on what is traded now."""
    assert profile("").hot_copy is True
    assert profile(text).hot_copy is False


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('private_key = "-----BEGIN canary-key"\n', "must not be written in this file"),
        ('signing_alg = "none"\n', "signing_alg"),
        ('signing_alg = "HS1"\n', "signing_alg"),
        ('subject_token_type = "access"\n', "is not a token type"),
        ('client_key = "k.pem"\n', "has no certificate"),
        ('client_auth = "tls_client_auth"\n', "client_cert is missing"),
        ('client_secret = { profile = "q" }\n', "supplies a token and no other secret"),
        ('resource = "api"\n', "RFC 8707"),
        ('resource = ["https://a.example/", "https://b.example/#x"]\n', "RFC 8707"),
        ('params = { subject_token = "canary" }\n', "subject_token"),
        ('params = { requested_token_type = "x" }\n', "requested_token_type"),
        ("dpop = 1\n", "dpop"),
        ('private_key = { stdin = false }\n', "private_key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    """Each slip has its line, and no secret is quoted."""
    found = problems(text)
    assert says in found and "canary" not in found


@pytest.mark.parametrize("uri", ["https://api.example.com/a?b=c", "urn:example:api", "api://x/y"])
def test_a_resource_is_any_absolute_uri(uri: str) -> None:
    """RFC 8707 section 2."""
    assert profile(f'resource = "{uri}"\n').params["resource"] == uri


def test_a_change_of_key_or_certificate_keeps_the_stored_token() -> None:
    """Rotating a client's key is no reason to sign in again; binding to a key of ours is."""
    from tokencli.token_store.credential_key import derive_credential_key

    plain = profile('client_auth = "private_key_jwt"\n')
    rotated = profile('client_auth = "private_key_jwt"\nkey_id = "k2"\nclient_cert = "c.pem"\n')
    bound = profile('client_auth = "private_key_jwt"\ndpop = true\n')
    assert (
        derive_credential_key(plain)
        == derive_credential_key(rotated)
        != derive_credential_key(bound)
    )


def test_a_users_own_provider_is_held_to_the_same_rules() -> None:
    """No secret goes into an assertion's claims or audience, and no value that nobody gives."""
    text = """[providers.x]
title = "X"
assertion_audience = "https://{nobody}/"
[providers.x.endpoints]
token = "https://id.example.com/token"
[providers.x.grants.jwt_bearer]
claims = { scope = "{scope}", secret = "{password}" }
"""
    found = Config(Path("c.toml"), text, {}).find_problems()
    assert [one.where for one in found] == [
        "providers.x.assertion_audience",
        "providers.x.grants.jwt_bearer.claims.secret",
    ]


@pytest.mark.requirement(16)
@pytest.mark.parametrize("name", ["revocation", "introspection", "userinfo"])
def test_a_token_is_never_sent_to_a_place_that_came_into_the_file_later(name: str) -> None:
    """Another origin there is another credential: what is stored is not found under it."""
    from tokencli.token_store.credential_key import derive_credential_key

    plain = derive_credential_key(profile(""))
    here = derive_credential_key(profile(f'{name}_url = "https://id.example.com/{name}"\n'))
    there = derive_credential_key(profile(f'{name}_url = "https://elsewhere.example.com/x"\n'))
    further = derive_credential_key(profile(f'{name}_url = "https://further.example.com/x"\n'))
    assert plain == here
    assert len({plain, there, further}) == 3
