"""Sign-in, OpenID Connect and DPoP of the sandbox's `oauth2`, without a socket: one test per rule."""

import json
import re
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some
from joserfc import jwk, jwt

from tokencli.jwt.decode import encode_base64url
from tokencli.sandbox.http_messages import FORM_CONTENT_TYPE, Request, Response
from tokencli.sandbox.oauth2 import DEVICE_CODE, PUBLIC_CLIENT_ID, TOKEN_EXCHANGE, OAuth2
from tokencli.sandbox.server import Router
from tokencli.sandbox.settings import Settings, parse_settings
from tokencli.sandbox.system import SandboxContext, SigningKeys
from tokencli.sandbox.token_db import TokenDatabase

URL = "https://127.0.0.1:1"
VERIFIER = "v" * 43
CHALLENGE = encode_base64url(sha256(VERIFIER.encode()).digest())
REDIRECT = "http://127.0.0.1:5000/callback"
REQUEST = {
    "response_type": "code",
    "client_id": PUBLIC_CLIENT_ID,
    "redirect_uri": REDIRECT,
    "scope": "openid read",
    "state": "s1",
    "nonce": "n1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
BATCH = "Basic " + b64encode(b"batch:" + OAuth2.secrets["client_secret"].encode()).decode()


class Server:
    """A sandbox's router with a clock that the test sets."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.time = 1_800_000_000.0
        self.database = TokenDatabase(lambda: self.time)
        keys = SigningKeys()
        context = SandboxContext(URL, self.database, keys, settings=settings or Settings())
        self.router = Router(context)

    def get(self, path: str, query: Mapping[str, str] | None = None, **more: Any) -> Response:
        """Send a GET request."""
        return self.router.handle_request(
            Request("GET", path, query=urlencode(query or {}), **more)
        )

    def post(
        self, path: str, form: Mapping[str, str], *, query: str = "", **headers: str
    ) -> Response:
        """Send a form."""
        sent = {"content-type": FORM_CONTENT_TYPE, "host": "127.0.0.1:1", **headers}
        return self.router.handle_request(
            Request("POST", path, sent, urlencode(form).encode(), query)
        )

    def sign_in(self, *, user: str = "alice", **changes: str) -> dict[str, str]:
        """Submit the page, and return the parameters of the redirect."""
        query = urlencode(REQUEST | changes)
        return redirected(self.post("/oauth2/authorize", {"user": user}, query=query))

    def exchange(self, code: str, **changes: str) -> Response:
        """Exchange a code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "client_id": PUBLIC_CLIENT_ID,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return self.post("/oauth2/token", form | changes)

    def tokens(self, **changes: str) -> dict[str, Any]:
        """Sign in and return the token response."""
        return body(self.exchange(self.sign_in(**changes)["code"]))


def body(response: Response) -> dict[str, Any]:
    """Return the members of a JSON response."""
    found: dict[str, Any] = json.loads(response.body)
    return found


def redirected(response: Response) -> dict[str, str]:
    """Return the parameters of a redirect to the client."""
    assert response.status == 303, response.body
    location = response.headers["Location"]
    assert location.startswith(REDIRECT + "?")
    return dict(parse_qsl(urlsplit(location).query))


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.fixture
def server() -> Server:
    """A sandbox with its own users and clients."""
    return Server()


def test_page_names_the_client_the_scopes_and_the_users(server: Server) -> None:
    """It is served without TLS as well, and refuses to be framed."""
    page = server.get("/oauth2/authorize", REQUEST, over_tls=False)
    text = page.body.decode()
    assert page.status == 200 and "frame-ancestors 'none'" in str(page.headers)
    for part in (PUBLIC_CLIENT_ID, "openid read", 'value="alice"', 'name="deny"', "color-scheme"):
        assert part in text


def test_everything_else_needs_tls(server: Server) -> None:
    """A credential or a token sent in clear text is refused."""
    for path in ("/oauth2/token", "/oauth2/userinfo", "/oauth2/device_authorization"):
        reply = server.router.handle_request(Request("POST", path, over_tls=False))
        assert (reply.status, body(reply)["error_description"]) == (400, "use https")


def test_code_brings_access_refresh_and_id_token(server: Server) -> None:
    """The redirect has state and iss; the ID token has the nonce and the user's claims."""
    answer = server.sign_in()
    assert (answer["state"], answer["iss"]) == ("s1", f"{URL}/oauth2")
    found = body(server.exchange(answer["code"]))
    assert set(found) >= {"access_token", "refresh_token", "id_token"}
    identity = claims(found["id_token"])
    assert (identity["aud"], identity["nonce"], identity["sub"]) == ("public", "n1", "alice")
    assert identity["email"] == "alice@example.com" and identity["auth_time"] == server.time
    assert "id_token" not in server.tokens(scope="read")


@pytest.mark.parametrize(
    "change",
    [
        {"code": "unknown"},
        {"redirect_uri": "http://127.0.0.1:5001/callback"},
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
    ],
)
def test_code_is_bound_to_its_request(server: Server, change: dict[str, str]) -> None:
    """Another redirect URI or verifier is refused, and the code is spent."""
    changed = {"code": server.sign_in()["code"], **change}
    assert body(server.exchange(**changed))["error"] == "invalid_grant"


def test_code_expires(server: Server) -> None:
    """After a minute, or the lifetime of the settings."""
    code = server.sign_in()["code"]
    server.time += 60
    assert body(server.exchange(code))["error_description"] == "the code has expired"


def test_second_use_of_a_code_revokes_its_tokens(server: Server) -> None:
    """RFC 6749 section 4.1.2."""
    code = server.sign_in()["code"]
    first = body(server.exchange(code))
    assert body(server.exchange(code))["error"] == "invalid_grant"
    assert server.database.check_access_token(first["access_token"], "oauth2") == "revoked"
    assert not server.database.is_family_active(first["refresh_token"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "root"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_refusals_are_redirects(server: Server, change: dict[str, str], error: str) -> None:
    """The client learns what is wrong with its request (RFC 6749 section 4.1.2.1)."""
    answer = redirected(server.get("/oauth2/authorize", REQUEST | change))
    assert (answer["error"], answer["state"]) == (error, "s1")


def test_declining_is_access_denied(server: Server) -> None:
    """The button "Decline" redirects with an error."""
    page = server.post("/oauth2/authorize", {"deny": "1"}, query=urlencode(REQUEST))
    assert redirected(page)["error"] == "access_denied"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "<script>"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1@evil.example/"},
        {"redirect_uri": "http://127.0.0.1/#x"},
        {"redirect_uri": ""},
    ],
)
def test_nothing_is_sent_to_an_unregistered_url(server: Server, change: dict[str, str]) -> None:
    """The page says why, and quotes nothing of the request."""
    page = server.get("/oauth2/authorize", REQUEST | change)
    assert page.status == 400 and "Location" not in page.headers
    assert b"<script>" not in page.body


def test_registered_redirect_uris_match_with_any_loopback_port() -> None:
    """RFC 8252 section 7.3; any other URL must match exactly."""
    server = Server(
        parse_settings(
            {"clients": {"app": {"redirect_uris": ["http://127.0.0.1/cb", "myapp:/done"]}}}
        )
    )
    for uri, status in {
        "http://127.0.0.1:7000/cb": 200,
        "http://127.0.0.1:7000/other": 400,
        "http://localhost:7000/cb": 400,
        "myapp:/done": 200,
        "myapp:/other": 400,
    }.items():
        sent = REQUEST | {"client_id": "app", "redirect_uri": uri}
        assert server.get("/oauth2/authorize", sent).status == status, uri


def test_pushed_request(server: Server) -> None:
    """RFC 9126: the request_uri stands for the request, for its client and for a minute."""
    pushed = body(server.post("/oauth2/par", REQUEST))
    sent = {"client_id": PUBLIC_CLIENT_ID, "request_uri": pushed["request_uri"]}
    assert server.get("/oauth2/authorize", sent).status == 200
    assert server.get("/oauth2/authorize", sent | {"client_id": "batch"}).status == 400
    server.time += 61
    assert server.get("/oauth2/authorize", sent).status == 400
    assert body(server.post("/oauth2/par", REQUEST | {"scope": "x"}))["error"] == "invalid_scope"


def start_device(server: Server) -> dict[str, Any]:
    """Start a device sign-in."""
    form = {"client_id": PUBLIC_CLIENT_ID, "scope": "openid"}
    return body(server.post("/oauth2/device_authorization", form))


def poll(server: Server, device: Mapping[str, Any]) -> dict[str, Any]:
    """Poll once."""
    code = device["device_code"]
    form = {"grant_type": DEVICE_CODE, "client_id": PUBLIC_CLIENT_ID, "device_code": code}
    return body(server.post("/oauth2/token", form))


def test_device_sign_in(server: Server) -> None:
    """Pending until somebody signs in; the code is typed in any case and without hyphen; used once."""
    device = start_device(server)
    assert poll(server, device)["error"] == "authorization_pending"
    assert poll(server, device)["error"] == "slow_down"
    assert device["verification_uri"] == "http://127.0.0.1:1/oauth2/device"
    typed = device["user_code"].replace("-", "").lower()
    page = server.get("/oauth2/device", {"user_code": typed}, over_tls=False)
    assert 'value="alice"' in page.body.decode()
    done = server.post("/oauth2/device", {"user_code": device["user_code"], "user": "alice"})
    assert b"Signed in" in done.body
    assert claims(poll(server, device)["id_token"])["sub"] == "alice"
    assert poll(server, device)["error"] == "invalid_grant"


def test_device_sign_in_is_declined_or_expires(server: Server) -> None:
    """The client gets the codes of RFC 8628 section 3.5."""
    declined, forgotten = start_device(server), start_device(server)
    server.post("/oauth2/device", {"user_code": declined["user_code"], "deny": "1"})
    assert poll(server, declined)["error"] == "access_denied"
    server.time += 601
    assert poll(server, forgotten)["error"] == "expired_token"
    assert server.get("/oauth2/device", {"user_code": forgotten["user_code"]}).status == 404


def test_sign_in_without_a_page() -> None:
    """With `sign_in`, both kinds of sign-in succeed at once."""
    server = Server(Settings(sign_in="alice"))
    answer = redirected(server.get("/oauth2/authorize", REQUEST))
    assert body(server.exchange(answer["code"]))["access_token"]
    assert poll(server, start_device(server))["access_token"]


def test_userinfo_introspection_and_revocation(server: Server) -> None:
    """They agree about a token, before and after it was revoked."""
    found = server.tokens()
    bearer = {"authorization": f"Bearer {found['access_token']}"}
    user = server.get("/oauth2/userinfo", headers=bearer)
    assert body(user)["sub"] == "alice" and body(user)["name"] == "Alice Example"
    asked = {"token": found["access_token"]}
    about = body(server.post("/oauth2/introspect", asked, authorization=BATCH))
    assert (about["active"], about["username"], about["scope"]) == (True, "alice", "openid read")
    refresh = {"token": found["refresh_token"]}
    assert body(server.post("/oauth2/introspect", refresh, authorization=BATCH))["active"]
    assert server.post("/oauth2/introspect", asked).status == 401
    assert server.post("/oauth2/revoke", refresh, authorization=BATCH).status == 200
    assert body(server.post("/oauth2/introspect", asked, authorization=BATCH))["active"]
    owner = refresh | {"client_id": PUBLIC_CLIENT_ID}
    assert server.post("/oauth2/revoke", owner).status == 200
    assert body(server.post("/oauth2/introspect", asked, authorization=BATCH)) == {"active": False}
    assert server.get("/oauth2/userinfo", headers=bearer).status == 401
    assert server.post("/oauth2/revoke", {"token": "x"}, authorization=BATCH).status == 200


def test_userinfo_needs_openid(server: Server) -> None:
    """A token without that scope is refused with insufficient_scope."""
    token = server.tokens(scope="read")["access_token"]
    reply = server.get("/oauth2/userinfo", headers={"authorization": f"Bearer {token}"})
    assert reply.status == 403 and "insufficient_scope" in reply.headers["WWW-Authenticate"]


def test_metadata_is_at_both_places_and_complete(server: Server) -> None:
    """Each endpoint in it exists."""
    places = OAuth2.metadata_paths
    found = body(server.get(places[0]))
    assert found == body(server.get(places[1]))
    assert found["issuer"] == f"{URL}/oauth2"
    for name, url in found.items():
        if name.endswith(("_endpoint", "jwks_uri")):
            assert server.get(urlsplit(url).path).status != 404, name


def test_resource_names_its_authorization_server(server: Server) -> None:
    """RFC 9728: the challenge leads to metadata, and that to the issuer."""
    challenge = server.get("/oauth2/resource").headers["WWW-Authenticate"]
    found = re.search(f'resource_metadata="{URL}([^"]+)"', challenge)
    assert found is not None
    metadata = body(server.get(found[1]))
    assert metadata["resource"] == f"{URL}/oauth2/resource"
    assert metadata["authorization_servers"] == [f"{URL}/oauth2"]


def test_token_exchange(server: Server) -> None:
    """RFC 8693: the new token is about the same user, for another audience and client."""
    subject = server.tokens()["access_token"]
    access = "urn:ietf:params:oauth:token-type:access_token"
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject,
        "subject_token_type": access,
        "audience": "orders",
        "scope": "read",
    }
    found = body(server.post("/oauth2/token", form, authorization=BATCH))
    exchanged = claims(found["access_token"])
    assert found["issued_token_type"] == access and "refresh_token" not in found
    assert (exchanged["sub"], exchanged["aud"], exchanged["client_id"]) == (
        "alice", "orders", "batch",
    )  # fmt: skip
    for change in ({"subject_token": "x"}, {"subject_token_type": "x"}):
        reply = server.post("/oauth2/token", form | change, authorization=BATCH)
        assert body(reply)["error"] == "invalid_request"


class ProofKey:
    """A client's DPoP key."""

    def __init__(self) -> None:
        self.key = jwk.ECKey.generate_key("P-256")

    def proof(self, server: Server, method: str, path: str, **more: object) -> str:
        """Return a proof for one request."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        id_ = more.pop("jti", str(id(object())) + str(len(server.database.request_log)))
        own = {"jti": id_, "htm": method, "htu": URL + path, "iat": int(server.time)}
        return jwt.encode(header, own | more, self.key)


def test_dpop_binds_tokens_to_a_key(server: Server) -> None:
    """RFC 9449: the token has the thumbprint, and its use needs a proof by the same key."""
    key, other = ProofKey(), ProofKey()
    form = {"grant_type": "client_credentials"}
    proof = key.proof(server, "POST", "/oauth2/token")
    found = body(server.post("/oauth2/token", form, authorization=BATCH, dpop=proof))
    token = found["access_token"]
    assert found["token_type"] == "DPoP"
    assert claims(token)["cnf"] == {"jkt": key.key.thumbprint()}
    again = server.post("/oauth2/token", form, authorization=BATCH, dpop=proof)
    assert body(again)["error"] == "invalid_dpop_proof"

    def use(scheme: str, by: ProofKey, **changes: object) -> int:
        ath = encode_base64url(sha256(token.encode()).digest())
        sent = by.proof(server, "GET", "/oauth2/resource", **{"ath": ath, **changes})
        headers = {"authorization": f"{scheme} {token}", "dpop": sent, "host": "127.0.0.1:1"}
        return server.get("/oauth2/resource", headers=headers).status

    assert use("DPoP", key) == 200
    assert use("Bearer", key) == 401
    assert use("DPoP", other) == 401
    assert use("DPoP", key, ath="x") == 401
    assert use("DPoP", key, iat=int(server.time) - 61) == 401
    assert use("DPoP", key, htm="POST") == 401


@pytest.mark.parametrize("proof", ["", "x", "e30.e30.x", "eyJqd2siOiAxfQ.e30.x", "\u00e9.a.b"])
def test_damaged_proofs_are_refused(server: Server, proof: str) -> None:
    """None of them is an internal error."""
    form = {"grant_type": "client_credentials"}
    reply = server.post("/oauth2/token", form, authorization=BATCH, dpop=proof)
    assert body(reply)["error"] == "invalid_dpop_proof"


def test_refresh_token_is_bound_to_the_dpop_key(server: Server) -> None:
    """Another key, or none, can't refresh."""
    key = ProofKey()
    code = server.sign_in()["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": PUBLIC_CLIENT_ID,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    found = body(
        server.post("/oauth2/token", form, dpop=key.proof(server, "POST", "/oauth2/token"))
    )
    spend = {
        "grant_type": "refresh_token",
        "client_id": PUBLIC_CLIENT_ID,
        "refresh_token": found["refresh_token"],
    }
    assert body(server.post("/oauth2/token", spend))["error"] == "invalid_grant"


def test_settings_change_what_clients_may_do() -> None:
    """Own users, grants, scopes, audience, claims and lifetimes are applied."""
    server = Server(
        parse_settings(
            {
                "users": {"bob": {"password": "p", "claims": {"sub": "u-1", "role": "admin"}}},
                "clients": {
                    "app": {
                        "secret": "canary",
                        "grants": ["client_credentials", "password"],
                        "scopes": ["orders"],
                        "audience": "https://orders.example",
                        "claims": {"tenant": "t1"},
                    }
                },
                "lifetimes": {"access_token": 60, "refresh_token": 90},
            }
        )
    )
    app = {"client_id": "app", "client_secret": "canary"}
    machine = body(server.post("/oauth2/token", app | {"grant_type": "client_credentials"}))
    found = claims(machine["access_token"])
    assert (machine["expires_in"], machine["scope"]) == (60, "orders")
    assert (found["aud"], found["tenant"]) == ("https://orders.example", "t1")
    person = {"grant_type": "password", "username": "bob", "password": "p"}
    signed_in = body(server.post("/oauth2/token", app | person))
    assert claims(signed_in["access_token"])["sub"] == "u-1"
    assert claims(signed_in["access_token"])["role"] == "admin"
    refusals = {
        "invalid_scope": {"grant_type": "client_credentials", "scope": "read"},
        "unauthorized_client": {"grant_type": DEVICE_CODE, "device_code": "x"},
        "invalid_grant": person | {"username": "alice"},
    }
    for error, form in refusals.items():
        assert body(server.post("/oauth2/token", app | form))["error"] == error
    server.time += 91
    spend = {"grant_type": "refresh_token", "refresh_token": signed_in["refresh_token"]}
    expired = body(server.post("/oauth2/token", app | spend))
    assert expired["error_description"] == "the refresh token has expired"


def test_names_in_pages_are_escaped() -> None:
    """A user's name is text, whatever it contains."""
    server = Server(parse_settings({"users": {'<b>"&': {"password": "p"}}}))
    text = server.get("/oauth2/authorize", REQUEST).body.decode()
    assert "<b>" not in text and re.search("&lt;b&gt;&quot;&amp;", text)


def test_issued_tokens_tell_their_state(server: Server) -> None:
    """Active, then revoked or expired; the token itself is not in the repr."""
    kept, revoked = server.tokens(), server.tokens()
    server.post("/oauth2/revoke", {"token": revoked["access_token"], "client_id": PUBLIC_CLIENT_ID})
    issued = server.database.issued_tokens
    assert [each.state for each in issued] == ["active", "revoked"]
    assert (issued[0].token, issued[0].subject) == (kept["access_token"], "alice")
    assert kept["access_token"] not in repr(issued)
    server.time += 3600
    assert server.database.issued_tokens[0].state == "expired"


ANY = Server()
"""A server for requests whose order doesn't matter."""
NAMES = some.sampled_from(
    [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request_uri",
        "prompt",
        "user",
        "deny",
        "user_code",
        "grant_type",
        "code",
        "code_verifier",
        "device_code",
        "token",
        "subject_token",
        "subject_token_type",
        "actor_token",
        "resource",
        "audience",
        "username",
        "password",
    ]
)
VALUES = some.one_of(
    some.sampled_from(
        ["public", "batch", "code", "S256", "alice", "openid", REDIRECT, "none", "http://[", ""]
    ),
    some.sampled_from([DEVICE_CODE, TOKEN_EXCHANGE, "authorization_code", "password"]),
    some.text(max_size=20),
)
HEADERS = some.dictionaries(
    some.sampled_from(["authorization", "dpop", "host", "content-type"]),
    some.one_of(some.sampled_from([BATCH, "DPoP x", "Bearer x", FORM_CONTENT_TYPE]), some.text()),
)


@given(
    method=some.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    path=some.sampled_from(sorted(ANY.router.systems["oauth2"].routes())),
    query=some.one_of(some.dictionaries(NAMES, VALUES).map(urlencode), some.text(max_size=30)),
    form=some.one_of(some.dictionaries(NAMES, VALUES).map(urlencode), some.text(max_size=30)),
    headers=HEADERS,
)
def test_any_request_gets_a_response(
    method: str, path: str, query: str, form: str, headers: dict[str, str]
) -> None:
    """No request is an internal error."""
    sent = {"content-type": FORM_CONTENT_TYPE, **headers}
    request = Request(method, path, sent, form.encode(errors="replace"), query)
    assert 200 <= ANY.router.handle_request(request).status < 600
