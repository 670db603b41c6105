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
def test_basic_form_encodes_both_parts_as_appendix_b_says() -> None:
    """RFC 6749 appendix B gives ` %&+£€` -> `+%25%26%2B%C2%A3%E2%82%AC`."""
    assert basic(" %&+£€", "a:b/c=d") == "+%25%26%2B%C2%A3%E2%82%AC:a%3Ab%2Fc%3Dd"


@pytest.mark.requirement(25)
def test_basic_raw_leaves_both_parts_as_they_are() -> None:
    """Servers that don't decode are met with basic_encoding = "raw"."""
    assert basic("id", "a%b+c é", "raw") == "id:a%b+c é"


def test_basic_raw_refuses_a_client_id_with_a_colon() -> None:
    """A colon in the id would move the border between id and secret."""
    with pytest.raises(ConfigError, match="colon"):
        basic("a:b", "s", "raw")


@pytest.mark.requirement(25)
def test_post_puts_both_in_the_body_and_nothing_in_a_header() -> None:
    """Exactly one method per request (RFC 6749 section 2.3)."""
    applied = client_authentication.client_secret_post(
        make_profile(), AuthInputs({"client_secret": Secret("s")})
    )
    assert dict(applied.params) == {"client_id": "batch", "client_secret": Secret("s")}
    assert not applied.headers


def test_none_names_the_public_client_alone() -> None:
    """RFC 6749 section 3.2.1: an unauthenticated client sends its id."""
    assert client_authentication.public_client(make_profile(), AuthInputs()) == AuthAdditions(
        {"client_id": "batch"}
    )


def test_every_method_says_what_it_needs() -> None:
    """The three tables have the same rows."""
    assert (
        set(client_authentication.AUTH_METHODS)
        == set(client_authentication.REQUIRED_INPUTS)
        == set(client_authentication.METHOD_SECRETS)
    )


def asserted(method: str, profile: Profile, given: AuthInputs) -> str:
    """Return the assertion that a method puts into the body, as a secret."""
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
def test_an_assertion_is_short_lived_unique_and_of_the_client(
    method: str, given: AuthInputs, alg: str
) -> None:
    """RFC 7523 section 3: iss and sub are the client; it names its audience, and is used once."""
    profile = make_profile(signing=Signing(key_id="k1"))
    one, two = (decode_token(asserted(method, profile, given)) for _ in range(2))
    assert dict(one.header) == {"alg": alg, "typ": "JWT", "kid": "k1"}
    assert (one.claims["iss"], one.claims["sub"]) == ("batch", "batch")
    assert one.claims["aud"] == profile.token_url
    assert one.claims["iat"] == one.claims["nbf"] == NOW
    assert one.claims["exp"] == NOW + client_authentication.ASSERTION_LIFETIME_S <= NOW + 300
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
def test_an_assertion_is_for_the_issuer_or_the_token_endpoint(
    audience: str | None, issuer: str | None, aud: str
) -> None:
    """The issuer where it is known, else the token endpoint, unless the profile says otherwise."""
    profile = make_profile(issuer=issuer, signing=Signing(audience=audience))
    assert client_authentication.assertion_audience(profile) == aud


def test_an_assertion_for_an_issuer_that_nobody_knows_is_an_error() -> None:
    """The message names the key that is missing."""
    with pytest.raises(ConfigError, match="has no issuer"):
        client_authentication.assertion_audience(make_profile(signing=Signing(audience="issuer")))


def test_x5t_names_the_certificate() -> None:
    """Both thumbprints of the certificate go along (RFC 7515 sections 4.1.7 and 4.1.8)."""
    pem = trustme.CA().issue_cert("client.example.com").cert_chain_pems[0].bytes()
    given = AuthInputs({"private_key": KEY}, NOW, pem)
    header = decode_token(asserted("private_key_jwt", make_profile(), given)).header
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
def test_a_key_that_is_none_is_told_and_not_quoted(text: str, says: str) -> None:
    """The message names the profile and the place, and nothing of what is there."""
    with pytest.raises(CredentialsError, match=says) as caught:
        client_authentication.private_key_jwt(
            make_profile(), AuthInputs({"private_key": Secret(text)}, NOW)
        )
    assert "canary" not in caught.value.message and "'p'" in caught.value.message


def test_a_key_in_the_place_of_the_client_secret_is_told() -> None:
    """A PEM file signs nothing as a shared secret: whoever could read it could sign, too."""
    pem = sign.load_private_key(KEY).key.as_pem(private=False).decode()
    with pytest.raises(CredentialsError, match=r"client secret .* not a shared secret"):
        client_authentication.client_secret_jwt(
            make_profile(), AuthInputs({"client_secret": Secret(pem)}, NOW)
        )


@pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt"])
def test_an_algorithm_of_another_kind_of_key_is_refused(method: str) -> None:
    """RS256 by a secret or by an elliptic key is never tried."""
    profile = make_profile(signing=Signing(alg="RS256"))
    with pytest.raises((ConfigError, CredentialsError), match="RS256"):
        client_authentication.AUTH_METHODS[method](
            profile, AuthInputs({**SECRET.secrets, **OWN_KEY.secrets}, NOW)
        )


def test_tls_client_auth_shows_the_certificate_and_names_the_client(tmp_path: Path) -> None:
    """RFC 8705 section 2: the id in the body, the proof in the handshake."""
    profile = make_profile(client_cert=(str(tmp_path / "c"), str(tmp_path / "k")))
    given = AuthInputs({"key_passphrase": Secret("canary")})
    applied = client_authentication.tls_client_auth(profile, given)
    assert dict(applied.params) == {"client_id": "batch"} and not applied.headers
    assert applied.certificate is not None
    assert applied.certificate.passphrase == Secret("canary")
    assert "canary" not in repr(applied)
