"""The keys of a profile: client authentication, assertions, endpoints and sign-in."""

from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.fastpath import profile_cache
from tokencli.models import Profile, SignIn

HEAD = """[profiles.p]
provider = "oauth2"
token_url = "https://id.example.com/token"
client_id = "batch"
"""


def profile(text: str) -> Profile:
    """Return the profile with these lines added."""
    return Config(Path("/etc/tokencli/config.toml"), HEAD + text, {}).get_profile("p")


def problems(text: str) -> str:
    """Return the problems of these lines as one text."""
    found = Config(Path("c.toml"), HEAD + text, {}).find_problems()
    return "\n".join(f"{one.where} {one.what} -> {one.right}" for one in found)


def test_signing_keys() -> None:
    """Key, key ID, algorithm, audience and certificate; relative paths start at the file."""
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


def test_private_key_is_in_the_keyring_by_default() -> None:
    """Like every other secret."""
    found = profile('client_auth = "private_key_jwt"\n')
    ref = found.secrets["private_key"]
    assert (ref.kind, ref.target[0]) == ("keyring", "tokencli:p:private_key")


def test_client_certificate() -> None:
    """Certificate and key are files; the passphrase is a secret."""
    found = profile(
        'client_auth = "tls_client_auth"\nclient_cert = "c.pem"\nclient_key = "k.pem"\n'
        'key_passphrase = { env = "PASS" }\n'
    )
    assert found.client_cert == ("/etc/tokencli/c.pem", "/etc/tokencli/k.pem")
    assert set(found.secrets) == {"key_passphrase"}
    assert profile_cache.parse_profile(profile_cache.dump_profile(found)) == found


def test_token_exchange_keys() -> None:
    """Token types by short name; tokens from another profile or from stdin."""
    found = profile(
        'grant = "token_exchange"\nsubject_token = { profile = "other" }\n'
        'actor_token = { stdin = true }\nsubject_token_type = "id_token"\n'
        'requested_token_type = "urn:example:own"\n'
    )
    assert found.secrets["subject_token"].kind == "profile"
    assert found.secrets["actor_token"].kind == "stdin"
    assert found.values["subject_token_type"] == "urn:ietf:params:oauth:token-type:id_token"
    assert found.values["requested_token_type"] == "urn:example:own"


def test_assertion_is_signed_by_default() -> None:
    """Without `assertion`, the private key is read from its default source."""
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
def test_dpop_and_exchange_disable_the_token_cache(text: str) -> None:
    """The token needs a proof, or depends on the token that is exchanged."""
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
        ('client_secret = { profile = "q" }\n', "can supply only a token"),
        ('resource = "api"\n', "RFC 8707"),
        ('resource = ["https://a.example/", "https://b.example/#x"]\n', "RFC 8707"),
        ('params = { subject_token = "canary" }\n', "subject_token"),
        ('params = { requested_token_type = "x" }\n', "requested_token_type"),
        ("dpop = 1\n", "dpop"),
        ('private_key = { stdin = false }\n', "private_key"),
    ],
)  # fmt: skip
def test_client_problems(text: str, says: str) -> None:
    """Each problem is reported at its key, and no secret is quoted."""
    found = problems(text)
    assert says in found and "canary" not in found


@pytest.mark.parametrize("uri", ["https://api.example.com/a?b=c", "urn:example:api", "api://x/y"])
def test_resource_is_any_absolute_uri(uri: str) -> None:
    """RFC 8707 section 2."""
    assert profile(f'resource = "{uri}"\n').params["resource"] == uri


def test_key_rotation_keeps_the_stored_token() -> None:
    """A new client key or certificate needs no new sign-in; turning on DPoP does."""
    from tokencli.token_store.credential_key import derive_credential_key

    plain = profile('client_auth = "private_key_jwt"\n')
    rotated = profile('client_auth = "private_key_jwt"\nkey_id = "k2"\nclient_cert = "c.pem"\n')
    bound = profile('client_auth = "private_key_jwt"\ndpop = true\n')
    assert (
        derive_credential_key(plain)
        == derive_credential_key(rotated)
        != derive_credential_key(bound)
    )


def test_user_defined_provider_follows_the_same_rules() -> None:
    """Claims and audience of assertions use no secret and no undefined value."""
    text = """[providers.x]
title = "X"
assertion_audience = "https://{undefined}/"
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
def test_token_is_bound_to_its_endpoints(name: str) -> None:
    """With another origin the credential key differs, so the stored token is not found."""
    from tokencli.token_store.credential_key import derive_credential_key

    plain = derive_credential_key(profile(""))
    here = derive_credential_key(profile(f'{name}_url = "https://id.example.com/{name}"\n'))
    there = derive_credential_key(profile(f'{name}_url = "https://elsewhere.example.com/x"\n'))
    further = derive_credential_key(profile(f'{name}_url = "https://further.example.com/x"\n'))
    assert plain == here
    assert len({plain, there, further}) == 3


PUBLIC_CLIENT = '[profiles.p]\nprovider = "oauth2"\nclient_id = "c"\nclient_auth = "none"\n'


def public_client_config(text: str, head: str = PUBLIC_CLIENT) -> Config:
    """Return a configuration of one profile with these lines added."""
    return Config(Path("config.toml"), head + text, {})


@pytest.mark.parametrize("grant", ["authorization_code", "device_code", "client_credentials"])
def test_issuer_alone_is_enough(grant: str) -> None:
    """Its metadata supplies the endpoints; until then the token endpoint is the issuer."""
    found = public_client_config(f'grant = "{grant}"\nissuer = "https://id.example.com/x"\n')
    assert found.find_problems() == ()
    profile = found.get_profile("p")
    assert (profile.issuer, profile.token_url) == ("https://id.example.com/x",) * 2
    assert profile.endpoints == {}
    assert "issuer" not in profile.values


def test_endpoints_by_key() -> None:
    """Each has its own key, and no discovery is needed."""
    found = public_client_config(
        'grant = "authorization_code"\n'
        'token_url = "https://id.example.com/token"\n'
        'authorization_url = "https://id.example.com/authorize?tenant=1"\n'
        'device_authorization_url = "https://id.example.com/device"\n'
        'par_url = "https://id.example.com/par"\n'
        'revocation_url = "https://id.example.com/revoke"\n'
    )
    assert found.find_problems() == ()
    assert found.get_profile("p").issuer is None
    assert found.get_profile("p").endpoints == {
        "authorization": "https://id.example.com/authorize?tenant=1",
        "device_authorization": "https://id.example.com/device",
        "pushed_authorization_request": "https://id.example.com/par",
        "revocation": "https://id.example.com/revoke",
    }


def test_sign_in_keys() -> None:
    """browser, interactive, redirect_host, redirect_port, redirect_path and par, with their defaults."""
    issuer = 'grant = "authorization_code"\nissuer = "https://id.example.com"\n'
    assert public_client_config(issuer).get_profile("p").sign_in == SignIn()
    keys = (
        'browser = false\ninteractive = true\nredirect_host = "localhost"\nredirect_port = 8765\n'
        'redirect_path = "/"\npar = true\n'
    )
    assert public_client_config(issuer + keys).get_profile("p").sign_in == SignIn(
        browser=False,
        interactive=True,
        redirect_host="localhost",
        redirect_port=8765,
        redirect_path="/",
        par=True,
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('grant = "authorization_code"\ntoken_url = "https://h/t"\n', "authorization_url"),
        ('grant = "device_code"\ntoken_url = "https://h/t"\n', "device_authorization_url"),
        ('grant = "authorization_code"\n', "token_url"),
        ('issuer = "http://id.example.com"\n', "issuer"),
        ('issuer = "https://id.example.com/?x=1"\n', "issuer"),
        ('issuer = "https://id.example.com/#x"\n', "issuer"),
        ('issuer = "https://user@id.example.com/"\n', "issuer"),
        ('issuer = "http://127.0.0.1:8080"\n', "issuer"),
        ('token_url = "https://h/t"\nrevocation_url = "http://127.0.0.1/r"\n', "revocation_url"),
        ('issuer = "https://h"\nauthorization_url = "javascript:x"\n', "authorization_url"),
        ('issuer = "https://h"\nredirect_port = 0\n', "redirect_port"),
        ('issuer = "https://h"\nredirect_port = 65536\n', "redirect_port"),
        ('issuer = "https://h"\nredirect_host = "host.example"\n', "redirect_host"),
        ('issuer = "https://h"\nredirect_path = "callback"\n', "redirect_path"),
        ('issuer = "https://h"\nredirect_path = "/x?a=b"\n', "redirect_path"),
        ('issuer = "https://h"\nbrowser = "firefox"\n', "browser"),
        ('issuer = "https://h"\npar = 1\n', "par"),
    ],
)
def test_server_problems(text: str, where: str) -> None:
    """Missing endpoints, http, a query in an issuer, values of the wrong type."""
    assert f"profiles.p.{where}" in [
        problem.where for problem in public_client_config(text).find_problems()
    ]


def test_screening_eagle_authorization_endpoint() -> None:
    """Its provider has no authorization endpoint, so the profile sets it."""
    head = '[profiles.p]\nprovider = "screening-eagle"\ngrant = "authorization_code"\n'
    text = 'base_url = "https://id.example.com"\nclient_id = "c"\n'
    (missing,) = public_client_config(text, head).find_problems()
    assert missing.where == "profiles.p.authorization_url"
    whole = public_client_config(
        text + 'authorization_url = "https://id.example.com/authorize"\n', head
    )
    assert whole.find_problems() == ()
    profile = whole.get_profile("p")
    assert profile.endpoints == {"authorization": "https://id.example.com/authorize"}
    assert profile.token_url == "https://id.example.com/api/id/v1/auth/token"
