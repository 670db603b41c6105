"""Signed assertions and client certificates at the sandbox, without a socket: one test per rule."""

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from joserfc import jwk, jwt

from tests.unit.sandbox.test_sign_in import URL, Server, body, claims
from tokencli.sandbox.assertions import shared_key
from tokencli.sandbox.http_messages import FORM_CONTENT_TYPE, Request
from tokencli.sandbox.oauth2 import CLIENT_ASSERTION_TYPE, JWT_BEARER, OAuth2
from tokencli.sandbox.settings import parse_settings

SECRET = OAuth2.secrets["client_secret"]
KEY_CLIENT, CERTIFICATE_CLIENT, ROBOT = "private-key", "mtls", "robot"


@pytest.fixture
def server() -> Server:
    """A sandbox with its own clients."""
    return Server()


def client_key(server: Server) -> Any:
    """Return the key of the sandbox's clients."""
    return server.router.context.signing_keys.client_key


def sign(server: Server, client: str, key: Any, alg: str = "ES256", **changes: object) -> str:
    """Return an assertion of a client; a change to None leaves the claim out."""
    found = {
        "iss": client,
        "sub": client,
        "aud": f"{URL}/oauth2",
        "jti": uuid4().hex,
        "exp": server.time + 120,
        **changes,
    }
    given = {name: value for name, value in found.items() if value is not None}
    return jwt.encode({"alg": alg}, given, key, algorithms=[alg])


def authenticate(server: Server, assertion: str, **changes: str) -> tuple[int, dict[str, Any]]:
    """Request a token with a client assertion."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    response = server.post("/oauth2/token", form | changes)
    return response.status, body(response)


def exchange(server: Server, assertion: str) -> tuple[int, dict[str, Any]]:
    """Exchange an assertion for a token."""
    form = {"grant_type": JWT_BEARER, "client_id": ROBOT, "assertion": assertion}
    response = server.post("/oauth2/token", form)
    return response.status, body(response)


def test_private_key_jwt(server: Server) -> None:
    """The signing client gets a token, for either name of the server."""
    for audience in (f"{URL}/oauth2", f"{URL}/oauth2/token", [f"{URL}/oauth2"]):
        signed = sign(server, KEY_CLIENT, client_key(server), aud=audience)
        status, found = authenticate(server, signed)
        assert status == 200, found
        assert claims(found["access_token"])["client_id"] == KEY_CLIENT


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.filterwarnings("error")
def test_client_secret_jwt(alg: str) -> None:
    """Any client with a secret can sign with it, even with a short one."""
    server = Server(parse_settings({"clients": {"shop": {"secret": "short"}}}))
    for client, secret in (("batch", SECRET), ("shop", "short")):
        status, found = authenticate(server, sign(server, client, shared_key(secret), alg))
        assert status == 200, found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"aud": "https://other.example.com"}, "its aud must be"),
        ({"aud": None}, "its aud must be"),
        ({"exp": 1_799_999_000}, "has expired"),
        ({"exp": None}, "has no exp"),
        ({"nbf": 1_800_000_900}, "it is not valid yet"),
        ({"jti": None}, "it has no jti"),
        ({"sub": None}, "it has no sub"),
        ({"iss": None}, "it can't be read or verified"),
        ({"iss": "public"}, "its issuer has no key here"),
        ({"iss": "stranger"}, "its issuer has no key here"),
        ({"iss": {}}, "it can't be read or verified"),
    ],
)
def test_wrong_claims(server: Server, changes: dict[str, object], said: str) -> None:
    """Neither as authentication nor as a grant is such an assertion accepted; the reason is named."""
    key = client_key(server)
    status, found = authenticate(server, sign(server, KEY_CLIENT, key, **changes))
    assert (status, found["error"]) == (401, "invalid_client")
    assert said in found["error_description"]
    status, found = exchange(server, sign(server, ROBOT, key, **changes))
    assert (status, found["error"]) == (400, "invalid_grant")
    assert said in found["error_description"]


def test_wrong_keys(server: Server) -> None:
    """Only the client's own key counts, and a public key is no shared secret."""
    other = jwk.ECKey.generate_key("P-256")
    public = shared_key(client_key(server).as_pem(private=False).decode())
    unsigned = sign(server, KEY_CLIENT, client_key(server)).rpartition(".")[0] + "."
    for assertion in (
        sign(server, KEY_CLIENT, other),
        sign(server, KEY_CLIENT, public, "HS256"),
        sign(server, "batch", client_key(server)),
        sign(server, "batch", shared_key("wrong secret of batch"), "HS256"),
        unsigned,
        "a.b.c",
        "é",
        ".",
    ):
        status, found = authenticate(server, assertion)
        assert (status, found["error"]) == (401, "invalid_client"), assertion


def test_assertion_is_used_once(server: Server) -> None:
    """The second request with it is refused (RFC 7523 section 3)."""
    signed = sign(server, KEY_CLIENT, client_key(server))
    assert authenticate(server, signed)[0] == 200
    status, found = authenticate(server, signed)
    assert status == 401 and "was used before" in found["error_description"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_assertion_type": "jwt"}, "invalid_client"),
        ({"client_id": "batch"}, "invalid_client"),
        ({"client_secret": SECRET}, "invalid_request"),
    ],
)
def test_wrong_requests(server: Server, change: dict[str, str], code: str) -> None:
    """The type, the client's ID and the only method have to be right."""
    signed = sign(server, KEY_CLIENT, client_key(server))
    assert authenticate(server, signed, **change)[1]["error"] == code


def test_subject_of_a_client_assertion(server: Server) -> None:
    """A client can't authenticate as somebody else."""
    signed = sign(server, KEY_CLIENT, client_key(server), sub="batch")
    assert authenticate(server, signed)[1]["error"] == "invalid_client"


def test_key_and_certificate_are_not_optional(server: Server) -> None:
    """Their clients are no public clients."""
    for client in (KEY_CLIENT, CERTIFICATE_CLIENT):
        form = {"grant_type": "client_credentials", "client_id": client}
        assert body(server.post("/oauth2/token", form))["error"] == "invalid_client"


def test_certificate(server: Server) -> None:
    """The name in the certificate decides (RFC 8705 section 2.1.2)."""
    form = {"grant_type": "client_credentials", "client_id": CERTIFICATE_CLIENT}

    def status(*names: str) -> int:
        headers = {"content-type": FORM_CONTENT_TYPE}
        content = urlencode(form).encode()
        sent = Request("POST", "/oauth2/token", headers, content, certificate_names=names)
        return server.router.handle_request(sent).status

    assert status("other") == 401
    assert status(CERTIFICATE_CLIENT) == 200


def test_jwt_bearer(server: Server) -> None:
    """The assertion is about its client or a user; there is no refresh token (RFC 7521 4.1)."""
    for subject in (ROBOT, "alice"):
        signed = sign(server, ROBOT, client_key(server), sub=subject)
        status, found = exchange(server, signed)
        assert status == 200, found
        assert claims(found["access_token"])["sub"] == subject
        assert "refresh_token" not in found
    assert exchange(server, sign(server, ROBOT, client_key(server), sub="eve"))[0] == 400
    other_client = {"grant_type": JWT_BEARER, "client_id": "public", "assertion": "x"}
    assert body(server.post("/oauth2/token", other_client))["error"] == "unauthorized_client"
