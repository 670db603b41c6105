"""Client authentication: what each method adds to a request."""

from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from tests.fakes import make_profile
from tokencli.errors import ConfigError, CredentialsError
from tokencli.jwt import sign
from tokencli.jwt.decode import decode_token
from tokencli.models import AuthAdditions, Profile, Secret, Signing
from tokencli.oauth import client_authentication
from tokencli.oauth.client_authentication import AuthInputs

NOW = 1_800_000_000.0
SECRET = AuthInputs({"client_secret": Secret("canary-client-secret-91be-long-enough")}, NOW)
KEY = sign.generate_private_jwk()
OWN_KEY = AuthInputs({"private_key": KEY}, NOW)


def basic(client_id: str, secret: str, encoding: str = "rfc6749") -> str:
    """Return the decoded credentials of a Basic header."""
    profile = make_profile(values={"client_id": client_id}, basic_encoding=encoding)
    given = AuthInputs({"client_secret": Secret(secret)})
    header = client_authentication.client_secret_basic(profile, given).headers["Authorization"]
    return b64decode(header.reveal().removeprefix("Basic ")).decode()


@pytest.mark.requirement(25)
def test_basic_form_encodes_both_parts() -> None:
    """RFC 6749 appendix B gives ` %&+£€` -> `+%25%26%2B%C2%A3%E2%82%AC`."""
    assert basic(" %&+£€", "a:b/c=d") == "+%25%26%2B%C2%A3%E2%82%AC:a%3Ab%2Fc%3Dd"


@pytest.mark.requirement(25)
def test_raw_basic_does_not_encode() -> None:
    """For servers that don't decode: basic_encoding = "raw"."""
    assert basic("id", "a%b+c é", "raw") == "id:a%b+c é"


def test_raw_basic_refuses_a_colon_in_the_client_id() -> None:
    """A colon separates ID and secret."""
    with pytest.raises(ConfigError, match="colon"):
        basic("a:b", "s", "raw")


@pytest.mark.requirement(25)
def test_post_uses_the_body_only() -> None:
    """One method per request (RFC 6749 section 2.3)."""
    applied = client_authentication.client_secret_post(
        make_profile(), AuthInputs({"client_secret": Secret("s")})
    )
    assert dict(applied.params) == {"client_id": "batch", "client_secret": Secret("s")}
    assert not applied.headers


def test_public_client_sends_its_id() -> None:
    """RFC 6749 section 3.2.1."""
    assert client_authentication.public_client(make_profile(), AuthInputs()) == AuthAdditions(
        {"client_id": "batch"}
    )


def test_tables_have_the_same_methods() -> None:
    """The three tables have the same rows."""
    assert (
        set(client_authentication.AUTH_METHODS)
        == set(client_authentication.REQUIRED_INPUTS)
        == set(client_authentication.METHOD_SECRETS)
    )


def assertion_of(method: str, profile: Profile, given: AuthInputs) -> str:
    """Return the assertion that a method puts into the body, which must be a Secret."""
    applied = client_authentication.AUTH_METHODS[method](profile, given)
    assert not applied.headers
    assert applied.params["client_id"] == "batch"
    assert applied.params["client_assertion_type"] == client_authentication.CLIENT_ASSERTION_TYPE
    found = applied.params["client_assertion"]
    assert isinstance(found, Secret)
    return found.reveal()


@pytest.mark.parametrize(
    ("method", "given", "alg"),
    [("client_secret_jwt", SECRET, "HS256"), ("private_key_jwt", OWN_KEY, "ES256")],
)
def test_assertion_is_short_lived_and_unique(method: str, given: AuthInputs, alg: str) -> None:
    """RFC 7523 section 3: iss and sub are the client, aud is the server, and jti is unique."""
    profile = make_profile(signing=Signing(key_id="k1"))
    one, two = (decode_token(assertion_of(method, profile, given)) for _ in range(2))
    assert dict(one.header) == {"alg": alg, "typ": "JWT", "kid": "k1"}
    assert (one.claims["iss"], one.claims["sub"]) == ("batch", "batch")
    assert one.claims["aud"] == profile.token_url
    assert one.claims["iat"] == one.claims["nbf"] == NOW - 10  # clocks differ
    assert one.claims["exp"] == NOW - 10 + client_authentication.ASSERTION_LIFETIME_S <= NOW + 300
    assert one.claims["jti"] != two.claims["jti"]
    assert len(str(one.claims["jti"])) >= 22  # 128 bits and more


@pytest.mark.parametrize(
    ("audience", "issuer", "aud"),
    [
        (None, None, "https://id.example.com/token"),
        (None, "https://id.example.com", "https://id.example.com"),
        ("token_endpoint", "https://id.example.com", "https://id.example.com/token"),
        ("issuer", "https://id.example.com", "https://id.example.com"),
        ("https://other.example.com/", None, "https://other.example.com/"),
    ],
)
def test_assertion_audience(audience: str | None, issuer: str | None, aud: str) -> None:
    """The issuer if it is known, else the token endpoint, unless the profile overrides it."""
    profile = make_profile(issuer=issuer, signing=Signing(audience=audience))
    assert client_authentication.assertion_audience(profile) == aud


def test_assertion_audience_needs_an_issuer() -> None:
    """The message names the missing key."""
    with pytest.raises(ConfigError, match="has no issuer"):
        client_authentication.assertion_audience(make_profile(signing=Signing(audience="issuer")))


def test_x5t_identifies_the_certificate() -> None:
    """Both thumbprints are sent (RFC 7515 sections 4.1.7 and 4.1.8)."""
    pem = trustme.CA().issue_cert("client.example.com").cert_chain_pems[0].bytes()
    given = AuthInputs({"private_key": KEY}, NOW, pem)
    header = decode_token(assertion_of("private_key_jwt", make_profile(), given)).header
    der = b64decode("".join(pem.decode().split("-----")[2].split()))
    expected = urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()
    assert header["x5t#S256"] == expected
    assert len(str(header["x5t"])) == 27


@pytest.mark.requirement(15)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("canary-key-4d11", "not a private key"),
        ('{"kty":"oct","k":"Y2FuYXJ5LWtleS00ZDEx"}', "not a JWK"),
        ("{canary-key-4d11", "starts like JSON"),
    ],
)
def test_unusable_key_is_not_quoted(text: str, says: str) -> None:
    """The message names the profile and the problem, without the content of the key."""
    with pytest.raises(CredentialsError, match=says) as caught:
        client_authentication.private_key_jwt(
            make_profile(), AuthInputs({"private_key": Secret(text)}, NOW)
        )
    assert "canary" not in caught.value.message and "'p'" in caught.value.message


@pytest.mark.parametrize("private", [True, False])
def test_pem_key_is_refused_as_client_secret(private: bool) -> None:
    """A public key in a file would let everybody who can read it sign; a private one is a mistake."""
    pem = sign.load_private_key(KEY).key.as_pem(private=private).decode()
    with pytest.raises(CredentialsError, match=r"client secret .* not a shared secret"):
        client_authentication.client_secret_jwt(
            make_profile(), AuthInputs({"client_secret": Secret(pem)}, NOW)
        )


@pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt"])
def test_algorithm_must_fit_the_key(method: str) -> None:
    """RS256 with a secret or an EC key is refused."""
    profile = make_profile(signing=Signing(alg="RS256"))
    with pytest.raises((ConfigError, CredentialsError), match="RS256"):
        client_authentication.AUTH_METHODS[method](
            profile, AuthInputs({**SECRET.secrets, **OWN_KEY.secrets}, NOW)
        )


def test_tls_client_auth_sends_id_and_certificate(tmp_path: Path) -> None:
    """RFC 8705 section 2: the ID in the body, the certificate in the handshake."""
    profile = make_profile(client_cert=(str(tmp_path / "c"), str(tmp_path / "k")))
    given = AuthInputs({"key_passphrase": Secret("canary")})
    applied = client_authentication.tls_client_auth(profile, given)
    assert dict(applied.params) == {"client_id": "batch"} and not applied.headers
    assert applied.certificate is not None
    assert applied.certificate.passphrase == Secret("canary")
    assert "canary" not in repr(applied)
