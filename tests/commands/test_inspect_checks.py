"""`tokencli inspect --verify --introspect --userinfo` as a process, against a server on loopback."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.conftest import Run
from tokencli.app import App, AppOptions
from tokencli.jwt.sign import PrivateKey
from tokencli.models import Secret, StoredTokenSet, TokenSet
from tokencli.token_store.credential_key import derive_binding

KEY = ECKey.generate_key("P-256")
CLIENT = "batch"


@dataclass
class Issuer:
    """A server that issues JWTs, and replies to other requests with what the test sets."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims that differ; None leaves one out."""
    replies: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    """Path -> status, headers, JSON."""
    paths: list[str] = field(default_factory=list)
    """The paths of the requests, in order."""

    def token(self, **claims: Any) -> str:
        """Return a token of this issuer."""
        usual = {"iss": self.url, "aud": "account", "azp": CLIENT, "iat": int(time()) - 1,
                 "exp": int(time()) + 300}  # fmt: skip
        members = {**usual, **self.claims, **claims}
        return PrivateKey(KEY).sign_jwt(
            {"alg": "ES256", "kid": "k1"},
            {name: value for name, value in members.items() if value is not None},
        )

    def respond(self, path: str) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON for a request."""
        self.paths.append(path)
        if path in self.replies:
            return self.replies[path]
        match path:
            case "/token":
                return 200, {}, {"access_token": self.token(), "token_type": "Bearer",
                                 "expires_in": 300}  # fmt: skip
            case "/jwks":
                return 200, {}, {"keys": [{**KEY.as_dict(private=False), "kid": "k1"}]}
            case "/introspection":
                return 200, {}, {"active": True}
            case _:
                return 200, {}, {"sub": "jdoe"}


@pytest.fixture
def issuer(write_config: Callable[[str], Path], tmp_path: Path) -> Iterator[Issuer]:
    """Run an issuer, with a profile `p` for it."""
    running = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            status, headers, body = running.respond(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    running.url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "secret").write_text("canary-secret")
    (tmp_path / "secret").chmod(0o600)
    endpoints = "".join(
        f'{name}_url = "{running.url}/{name}"\n'
        for name in ("token", "jwks", "introspection", "userinfo")
    )
    write_config(
        f'default_profile = "p"\nstate_dir = "{tmp_path}/state"\n[profiles.p]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
        f'client_id = "{CLIENT}"\nclient_secret = {{ file = "{tmp_path / "secret"}" }}\n'
        f'store = "file"\nallow_http = true\nissuer = "{running.url}"\n{endpoints}'
    )
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("aud", "shown"),
    [("account", "account"), ([], "none: aud is empty"), (None, "none: the token has no aud")],
)
def test_ordinary_access_token_is_verified(
    tokencli: Run, issuer: Issuer, aud: object, shown: str
) -> None:
    """Whatever its audience: none is expected. Audience and client are shown."""
    issuer.claims["aud"] = aud
    assert tokencli("get").code == 0
    done = tokencli("inspect", "--verify")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith('VERIFIED: signed by the issuer with key "k1" (ES256); the audience')
    assert f"\naudience  {shown}\nclient    {CLIENT}\n" in done.out
    seen = json.loads(tokencli("inspect", "--verify", "--json").out)
    assert (seen["verified"], seen["signature_verified"], seen["client"]) == (True, True, CLIENT)
    assert seen["audience_check"] == {"status": "not_judged", "expected": []}


@pytest.mark.parametrize(
    ("aud", "shown"), [(None, "none: the token has no aud"), (5, "none: aud is not text"),
                       ([5], "none: aud is not text"), ("", "none: aud is empty")]
)  # fmt: skip
def test_odd_audience_is_described(tokencli: Run, issuer: Issuer, aud: object, shown: str) -> None:
    """A null is missing, and a number isn't empty."""
    token = PrivateKey(KEY).sign_jwt(
        {"alg": "ES256", "kid": "k1"}, {"iss": issuer.url, "aud": aud, "exp": int(time()) + 300}
    )
    done = tokencli("inspect", "-p", "p", "-", "--verify", stdin=token)
    assert (done.code, done.err) == (0, "")
    assert f"\naudience  {shown}\n" in done.out


@pytest.mark.requirement(28)
def test_wrong_audience(tokencli: Run, issuer: Issuer) -> None:
    """Exit code 9, and the signature is stated as good."""
    assert tokencli("get").code == 0
    done = tokencli("inspect", "--verify", "--audience", "https://api.example.com")
    assert done.code == 9
    assert done.out.startswith('WRONG AUDIENCE: signed by the issuer with key "k1" (ES256), but ')
    assert "the signature is valid, but the audience is 'account'" in done.err
    assert tokencli("inspect", "--verify", "--audience", "account").code == 0
    seen = json.loads(tokencli("inspect", "--verify", "--audience", "x", "--json").out)
    assert (seen["verified"], seen["signature_verified"]) == (False, True)
    assert seen["audience_check"] == {"status": "mismatch", "expected": ["x"]}


@pytest.mark.requirement(28)
def test_other_issuer(tokencli: Run, issuer: Issuer) -> None:
    """It is called that, and no key is fetched."""
    done = tokencli("inspect", "-p", "p", "-", "--verify", stdin=issuer.token(iss="https://b"))
    assert (done.code, issuer.paths) == (9, [])
    assert "it is a token of another issuer: the issuer is 'https://b'" in done.err


def test_token_that_only_its_server_can_verify(tokencli: Run, issuer: Issuer) -> None:
    """An opaque token isn't called invalid."""
    done = tokencli("inspect", "-p", "p", "-", "--verify", stdin="opaque-canary")
    assert done.code == 9
    assert "error: can't verify the token: it is opaque" in done.err


REFUSED = (403, {}, {"error": "unauthorized_client", "error_description": "not for you"})


@pytest.mark.parametrize("refused", ["jwks", "introspection", "userinfo"])
def test_refused_check_hides_nothing(tokencli: Run, issuer: Issuer, refused: str) -> None:
    """The token and the other checks are shown, and the exit code is the refusal's."""
    assert tokencli("get").code == 0
    issuer.replies[f"/{refused}"] = REFUSED
    done = tokencli("inspect", "--verify", "--introspect", "--userinfo")
    assert done.code == 5
    assert done.err.count("error: ") == 1
    failed = {"jwks": "verify", "introspection": "introspect"}.get(refused, refused)
    assert f"\n{failed} failed\n" in done.out
    assert f'"azp": "{CLIENT}"' in done.out
    assert done.out.startswith("VERIFIED: ") is (refused != "jwks")
    assert ('"active": true' in done.out) is (refused != "introspection")
    assert ('"sub": "jdoe"' in done.out) is (refused != "userinfo")

    done = tokencli("inspect", "--verify", "--introspect", "--userinfo", "--json")
    assert (done.code, done.err.count("\n")) == (5, 1)
    assert list(json.loads(done.out)["failed_checks"]) == [failed]


def test_all_checks_refused(tokencli: Run, issuer: Issuer) -> None:
    """Each error is reported, and the token is shown."""
    assert tokencli("get").code == 0
    issuer.replies |= {f"/{path}": REFUSED for path in ("jwks", "introspection", "userinfo")}
    done = tokencli("inspect", "--verify", "--introspect", "--userinfo")
    assert (done.code, done.err.count("error: ")) == (5, 3)
    assert f'"azp": "{CLIENT}"' in done.out


@pytest.mark.parametrize(
    ("userinfo", "code"),
    [
        ((200, {}, {"sub": "jdoe"}), 0),
        ((403, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}, {}), 0),
        ((401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, {}), 9),
        ((500, {}, {}), 0),
    ],
    ids=["accepted", "scope", "invalid", "failed"],
)
def test_inactive(
    tokencli: Run, issuer: Issuer, userinfo: tuple[int, dict[str, str], Any], code: int
) -> None:
    """`active: false` of a token that was just issued: the evidence decides, and is shown."""
    assert tokencli("get").code == 0
    issuer.replies |= {"/introspection": (200, {}, {"active": False}), "/userinfo": userinfo}
    done = tokencli("inspect", "--introspect")
    assert done.code == code, done.err
    assert f"\nactive    {'no' if code else 'yes'}: " in done.out
    assert ("fix: tokencli refresh p\n" in done.err) is bool(code)
    assert '"active": false' in done.out
    assert bool(done.err) is bool(code)
    seen = json.loads(tokencli("inspect", "--introspect", "--json").out)
    assert (seen["active"], seen["introspection"]) == (code == 0, {"active": False})
    assert seen["failed_checks"] == {}


def test_inactive_and_expired(tokencli: Run, issuer: Issuer) -> None:
    """An expired token is inactive for that reason, and nothing else is asked."""
    issuer.replies["/introspection"] = (200, {}, {"active": False})
    expired = issuer.token(exp=int(time()) - 60)
    done = tokencli("inspect", "-p", "p", "-", "--introspect", stdin=expired)
    assert (done.code, issuer.paths) == (9, ["/introspection"])
    assert "error: the server says that the token is not active: it expired 1 minute " in done.err


def test_forged_token_is_not_called_alive(tokencli: Run, issuer: Issuer) -> None:
    """The own exp of a token from anywhere proves nothing."""
    issuer.replies["/introspection"] = (200, {}, {"active": False})
    issuer.replies["/userinfo"] = (401, {}, {})
    done = tokencli("inspect", "-p", "p", "-", "--introspect", stdin=issuer.token(aud="account"))
    assert done.code == 9
    assert (
        "it was revoked, or the server doesn't know it, or it doesn't tell the client" in done.err
    )


def test_inactive_token_of_another_issuer(tokencli: Run, issuer: Issuer) -> None:
    """The issuer that it names explains why this server doesn't know it."""
    issuer.replies["/introspection"] = (200, {}, {"active": False})
    issuer.replies["/userinfo"] = (401, {}, {})
    token = issuer.token(iss="https://b.example.com")
    done = tokencli("inspect", "-p", "p", "-", "--introspect", stdin=token)
    assert done.code == 9
    assert "not active: it names another issuer, 'https://b.example.com', so this" in done.err


@pytest.mark.parametrize(
    ("claims", "fix"), [({}, "tokencli refresh p"), ({"iss": "https://b.example.com"}, None)]
)
def test_expired_stored_token(
    tokencli: Run, issuer: Issuer, claims: dict[str, str], fix: str | None
) -> None:
    """A refresh is suggested if the times are all that is wrong."""
    issuer.claims = {"exp": int(time()) - 60, **claims}
    tokencli("get")
    done = tokencli("inspect", "--verify")
    assert (done.code, "error: verification failed: " in done.err) == (9, True)
    assert (f"fix: {fix}\n" in done.err) if fix else ("fix: " not in done.err)


@pytest.mark.parametrize(
    ("scope", "refreshable", "cause", "fix"),
    [
        ("openid", True, "or it has expired, and a refresh brought no other", "tokencli login p"),
        ("openid", False, "although the profile's scope contains openid", None),
        ("api", True, "or it has expired", "--set 'scope=openid api'"),
        ("api", False, 'only for the scope "openid"', "--set 'scope=openid api'"),
    ],
)
def test_missing_id_token(
    scope: str,
    refreshable: bool,
    cause: str,
    fix: str | None,
    tokencli: Run,
    write_config: Callable[[str], Path],
) -> None:
    """A refresh drops an ID token that has expired, so the server may well have sent one."""
    config = write_config(
        '[profiles.p]\nprovider = "oauth2"\ngrant = "device_code"\nclient_id = "c"\nstore = "file"\n'
        f'client_auth = "none"\nscope = "{scope}"\ntoken_url = "https://id.example.com/token"\n'
        'device_authorization_url = "https://id.example.com/device"\n'
    )
    app = App(AppOptions(config=str(config)))
    profile, now = app.get_profile("p", anew=None), time()
    refresh = Secret("canary-refresh") if refreshable else None
    token = TokenSet(Secret("canary-token"), "Bearer", now, now + 3600, refresh)
    app.token_store(profile).save(StoredTokenSet(derive_binding(profile), token))
    done = tokencli("inspect", "p", "--id-token", "--json")
    error = json.loads(done.err)["error"]
    assert done.code == 4 and cause in error["cause"]
    assert ("expired" in error["cause"]) == refreshable
    assert fix in error["fix"] if fix else error["fix"] is None
