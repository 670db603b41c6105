"""Every system of the sandbox, over real TLS, with an independent client."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.settings import PASSWORD, USERNAME
from tokencli.sandbox.system import SYSTEMS, load_system


@dataclass
class FakeClock:
    """A clock that tests set."""

    time: float = 1_800_000_000.0

    def now(self) -> float:
        return self.time


@dataclass(frozen=True)
class Case:
    """A valid token request to one system, and the documented response."""

    form: Mapping[str, str]
    basic: tuple[str, str] | None = None
    members: frozenset[str] = frozenset()
    """Exactly the members of a right reply."""
    token_type: str = "Bearer"
    expires_in: int = 0
    errors: frozenset[str] = frozenset(("error", "error_description"))
    """Exactly the members of a refusal."""
    again: Mapping[str, str] = field(default_factory=dict)
    """What is sent beside grant_type and refresh_token to refresh."""


GROUPID = load_system("groupid")
EAGLE = load_system("screening-eagle")
SOCIAL = load_system("socialid")
OAUTH2 = load_system("oauth2")
GROUPID_CLIENT = {
    "client_Id": GROUPID.profile_values["client_id"],
    "client_secret": GROUPID.secrets["client_secret"],
}
CASES = {
    "groupid": Case(
        form={
            "grant_type": "Password",
            "username": GROUPID.profile_values["username"],
            "password": GROUPID.secrets["password"],
            "identity_store_id": GROUPID.profile_values["identity_store_id"],
            **GROUPID_CLIENT,
        },
        members=frozenset(("access_token", "refresh_token", "scope", "token_type", "expires_in")),
        expires_in=1200,
        again=GROUPID_CLIENT,
    ),
    "screening-eagle": Case(
        form={"grant_type": "client_credentials", "scope": "openid email profile inspect"},
        basic=(EAGLE.profile_values["client_id"], EAGLE.secrets["client_secret"]),
        members=frozenset(
            ("scope", "token_type", "access_token", "expires_in", "id_token", "refresh_token")
        ),
        expires_in=604800,
        errors=frozenset(("error", "errorDescription")),
    ),
    "socialid": Case(
        form={
            "grant_type": "password",
            "username": SOCIAL.profile_values["username"],
            "password": SOCIAL.secrets["password"],
        },
        basic=(SOCIAL.profile_values["client_id"], SOCIAL.secrets["client_secret"]),
        members=frozenset(("access_token", "expires_in", "token_type", "refresh_token")),
        token_type="bearer",
        expires_in=604800,
    ),
    "oauth2": Case(
        form={"grant_type": "password", "username": USERNAME, "password": PASSWORD},
        basic=(OAUTH2.profile_values["client_id"], OAUTH2.secrets["client_secret"]),
        members=frozenset(("access_token", "refresh_token", "scope", "token_type", "expires_in")),
        expires_in=3600,
    ),
}
ONE_PART = {"name": "f", "file": "x.bin", "content_type": "text/plain", "size": 2}
SYSTEM = pytest.mark.parametrize("system", SYSTEMS)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until a test moves it."""
    return FakeClock()


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[Sandbox]:
    """A running sandbox without faults."""
    with Sandbox(now=clock.now) as running:
        yield running


def post(
    sandbox: Sandbox, system: str, form: Mapping[str, str] | None = None, **other: Any
) -> requests.Response:
    """Post to a token endpoint, by default a valid form."""
    case = CASES[system]
    return requests.post(
        sandbox.url + load_system(system).token_path,
        data=case.form if form is None else form,
        verify=sandbox.ca_file,
        allow_redirects=False,
        timeout=20,
        **{"auth": case.basic, **other},
    )


def refresh(sandbox: Sandbox, system: str, token: str) -> requests.Response:
    """Spend a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": token, **CASES[system].again}
    return post(sandbox, system, form)


def resource(sandbox: Sandbox, system: str, token: str | None) -> requests.Response:
    """Request the protected resource."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    url = sandbox.url + load_system(system).resource_path
    return requests.get(url, headers=headers, verify=sandbox.ca_file, timeout=20)


def test_every_system_has_a_case() -> None:
    """Every system of the table is tested."""
    assert set(CASES) == set(SYSTEMS)


@SYSTEM
def test_valid_request(sandbox: Sandbox, system: str) -> None:
    """The response has exactly the documented members and must not be cached."""
    case = CASES[system]
    reply = post(sandbox, system)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert set(reply.json()) == case.members
    assert reply.json()["token_type"] == case.token_type
    assert reply.json()["expires_in"] == case.expires_in
    assert sandbox.database.tokens_issued == 1


@SYSTEM
def test_token_opens_the_resource_until_it_expires(
    sandbox: Sandbox, clock: FakeClock, system: str
) -> None:
    """A valid token gets 200, an expired one 401 as in RFC 6750 section 3."""
    token = post(sandbox, system).json()["access_token"]
    assert resource(sandbox, system, token).status_code == 200
    clock.time += CASES[system].expires_in - 1
    assert resource(sandbox, system, token).status_code == 200
    clock.time += 1
    late = resource(sandbox, system, token)
    assert late.status_code == 401
    assert 'error="invalid_token"' in late.headers["WWW-Authenticate"]
    assert 'error_description="The access token expired"' in late.headers["WWW-Authenticate"]


@SYSTEM
def test_challenge_without_a_token(sandbox: Sandbox, system: str) -> None:
    """RFC 6750 section 3.1: a request without credentials gets the scheme and no error code."""
    bare = resource(sandbox, system, None)
    assert bare.status_code == 401
    challenge = bare.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="{system}"') and "error" not in challenge


@SYSTEM
def test_token_of_another_system(sandbox: Sandbox, system: str) -> None:
    """A valid token of another system is rejected."""
    other = next(name for name in SYSTEMS if name != system)
    token = post(sandbox, other).json()["access_token"]
    assert resource(sandbox, system, token).status_code == 401


@SYSTEM
def test_refresh_rotates(sandbox: Sandbox, system: str) -> None:
    """A refresh token gives new tokens, and the new refresh token works as well."""
    first = post(sandbox, system).json()
    second = refresh(sandbox, system, first["refresh_token"]).json()
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert sandbox.current_refresh_token(system) == second["refresh_token"]
    assert refresh(sandbox, system, second["refresh_token"]).status_code == 200


@SYSTEM
def test_reuse_revokes_the_family(sandbox: Sandbox, system: str) -> None:
    """A reused refresh token revokes its successor and the access tokens."""
    first = post(sandbox, system).json()
    second = refresh(sandbox, system, first["refresh_token"]).json()
    assert sandbox.is_family_active(second["refresh_token"])
    assert refresh(sandbox, system, first["refresh_token"]).status_code == 400
    assert not sandbox.is_family_active(second["refresh_token"])
    assert sandbox.current_refresh_token(system) is None
    assert refresh(sandbox, system, second["refresh_token"]).status_code == 400
    assert (
        "revoked" in resource(sandbox, system, second["access_token"]).headers["WWW-Authenticate"]
    )


@SYSTEM
def test_grace_period(sandbox: Sandbox, clock: FakeClock, system: str) -> None:
    """Within it the previous token is answered with the current one; afterwards not."""
    sandbox.set_faults(grace="30s")
    first = post(sandbox, system).json()
    second = refresh(sandbox, system, first["refresh_token"]).json()
    again = refresh(sandbox, system, first["refresh_token"])
    assert again.json()["refresh_token"] == second["refresh_token"]
    clock.time += 30
    assert refresh(sandbox, system, first["refresh_token"]).status_code == 400


@SYSTEM
def test_refresh_token_of_another_client(sandbox: Sandbox, system: str) -> None:
    """A refresh token is valid only for the system and client that it was issued to."""
    other = next(name for name in SYSTEMS if name != system)
    token = post(sandbox, other).json()["refresh_token"]
    assert refresh(sandbox, system, token).status_code == 400
    assert sandbox.is_family_active(token)


@SYSTEM
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_token_request_must_be_post(sandbox: Sandbox, system: str, method: str) -> None:
    """Other methods get 405 with the allowed one."""
    url = sandbox.url + load_system(system).token_path
    reply = requests.request(method, url, verify=sandbox.ca_file, timeout=20)
    assert (reply.status_code, reply.headers["Allow"]) == (405, "POST")


@SYSTEM
@pytest.mark.parametrize(
    ("body", "received"),
    [
        ({"json": {"id": 7}}, {"json": {"id": 7}}),
        ({"data": {"a": "1 & 2"}}, {"form": [["a", "1 & 2"]]}),
        ({"data": "plain"}, {"text": "plain"}),
        ({"data": b"\xff"}, {"size": 1}),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, {"size": 1}),
        ({"files": {"f": ("x.bin", b"\xff\xfe")}}, {"parts": [ONE_PART]}),
    ],
)
def test_api_returns_what_was_posted(
    sandbox: Sandbox, system: str, body: dict[str, Any], received: dict[str, object]
) -> None:
    """A POST to the API is answered with its body, whatever that is; without a token it is refused."""
    url = sandbox.url + load_system(system).resource_path
    assert requests.post(url, verify=sandbox.ca_file, timeout=20, **body).status_code == 401
    token = post(sandbox, system).json()["access_token"]
    headers = {**body.get("headers", {}), "Authorization": f"Bearer {token}"}
    reply = requests.post(url, verify=sandbox.ca_file, timeout=20, **{**body, "headers": headers})
    assert reply.status_code == 200
    assert received.items() <= reply.json()["received"].items()


@SYSTEM
def test_json_body_is_refused(sandbox: Sandbox, system: str) -> None:
    """The documents require a form; JSON with the same content is rejected."""
    reply = post(sandbox, system, {}, json=dict(CASES[system].form))
    assert reply.status_code in (400, 401)
    assert sandbox.database.tokens_issued == 0


@SYSTEM
def test_query_parameters_are_ignored(sandbox: Sandbox, system: str) -> None:
    """Credentials belong into the body; the query is neither read nor logged."""
    query = "&".join(f"{name}={value}" for name, value in CASES[system].form.items())
    url = f"{sandbox.url}{load_system(system).token_path}?{query}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    basic = CASES[system].basic
    reply = requests.post(url, headers=headers, auth=basic, verify=sandbox.ca_file, timeout=20)
    assert reply.status_code == 400
    assert "made-up" not in "".join(map(str, sandbox.database.request_log))


@SYSTEM
@pytest.mark.parametrize("change", ["no grant_type", "unknown grant_type", "twice", "wrong client"])
def test_documented_error_responses(sandbox: Sandbox, system: str, change: str) -> None:
    """An invalid request gets 400 or 401 with exactly the documented members."""
    case = CASES[system]
    form: dict[str, Any] = dict(case.form)
    other: dict[str, Any] = {}
    match change:
        case "no grant_type":
            del form["grant_type"]
        case "unknown grant_type":
            form["grant_type"] = "canary-grant-7f3a"
        case "twice":
            form["grant_type"] = [form["grant_type"]] * 2
        case "wrong client" if case.basic is None:
            form["client_secret"] = "canary-secret-7f3a"
        case "wrong client":
            other["auth"] = (case.basic[0], "canary-secret-7f3a")
    reply = post(sandbox, system, form, **other)
    assert reply.status_code == (401 if change == "wrong client" and case.basic else 400)
    assert set(reply.json()) == case.errors
    assert "canary" not in reply.text + "".join(map(str, sandbox.database.request_log))


@SYSTEM
def test_request_counts(sandbox: Sandbox, system: str) -> None:
    """Requests are counted by kind, system and grant."""
    grant_type = CASES[system].form["grant_type"]
    token = post(sandbox, system).json()
    refresh(sandbox, system, token["refresh_token"])
    resource(sandbox, system, token["access_token"])
    assert sandbox.database.token_requests == 2
    assert sandbox.database.count_requests("token", system=system, grant_type=grant_type) == 1
    assert sandbox.database.count_requests("issued", grant_type="refresh_token") == 1
    assert sandbox.database.count_requests("resource") == 1
    assert sandbox.database.count_requests("refused") == 0


@SYSTEM
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 501, 503])
def test_fault_fail(sandbox: Sandbox, system: str, status: int) -> None:
    """The first N token requests fail with the status; later ones succeed."""
    sandbox.set_faults(fail=f"{status}:1")
    failed = post(sandbox, system)
    assert failed.status_code == status
    if system == "groupid":
        assert failed.headers["Content-Type"] == "text/plain"
    else:
        assert set(failed.json()) == CASES[system].errors
    assert post(sandbox, system).status_code == 200


@SYSTEM
def test_fault_lifetime(sandbox: Sandbox, clock: FakeClock, system: str) -> None:
    """`expires_in` is the lifetime set, and the token expires after it."""
    sandbox.set_faults(lifetime=20)
    reply = post(sandbox, system).json()
    assert reply["expires_in"] == 20
    clock.time += 20
    assert resource(sandbox, system, reply["access_token"]).status_code == 401


@SYSTEM
def test_fault_no_refresh_token(sandbox: Sandbox, system: str) -> None:
    """No response has one; those issued before stay valid (RFC 6749 section 6)."""
    before = post(sandbox, system).json()["refresh_token"]
    sandbox.set_faults(no_refresh_token=True)
    assert "refresh_token" not in post(sandbox, system).json()
    for _ in range(2):
        assert "refresh_token" not in refresh(sandbox, system, before).json()
    assert sandbox.current_refresh_token(system) == before


@SYSTEM
def test_fault_broken_json(sandbox: Sandbox, system: str) -> None:
    """A JSON parser fails, but the token is in the text, as in the documented samples."""
    sandbox.set_faults(broken_json=True)
    reply = post(sandbox, system)
    assert reply.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        reply.json()
    token = sandbox.current_refresh_token(system)
    assert token is not None and token in reply.text


@SYSTEM
def test_fault_no_token(sandbox: Sandbox, system: str) -> None:
    """All members but access_token are there."""
    sandbox.set_faults(no_token=True)
    assert set(post(sandbox, system).json()) == CASES[system].members - {"access_token"}


@SYSTEM
@pytest.mark.parametrize("raw", ['"3600.0"', "null", "-1", "1e400", "true"])
def test_fault_expires_in(sandbox: Sandbox, system: str, raw: str) -> None:
    """The text is in the JSON as given; the token's real lifetime is unchanged."""
    sandbox.set_faults(expires_in=raw)
    reply = post(sandbox, system)
    assert f'"expires_in": {raw}' in reply.text
    assert resource(sandbox, system, reply.json()["access_token"]).status_code == 200


@SYSTEM
def test_fault_empty_expires_in(sandbox: Sandbox, system: str) -> None:
    """An empty text omits the member."""
    sandbox.set_faults(expires_in="")
    assert set(post(sandbox, system).json()) == CASES[system].members - {"expires_in"}


@SYSTEM
def test_fault_html(sandbox: Sandbox, system: str) -> None:
    """A captive portal's page with status 200, and no token is issued."""
    sandbox.set_faults(html=True)
    reply = post(sandbox, system)
    assert (reply.status_code, reply.headers["Content-Type"][:9]) == (200, "text/html")
    assert reply.text.startswith("<!doctype html>")
    assert sandbox.database.tokens_issued == 0


@SYSTEM
def test_fault_redirect(sandbox: Sandbox, system: str) -> None:
    """The response has the status and target set."""
    sandbox.set_faults(redirect="307:https://other.example/token")
    reply = post(sandbox, system)
    assert (reply.status_code, reply.headers["Location"]) == (307, "https://other.example/token")


@SYSTEM
@pytest.mark.parametrize(("when", "issued"), [("before", 0), ("after", 1)])
def test_fault_drop(sandbox: Sandbox, system: str, when: str, issued: int) -> None:
    """The client gets no response; `after` issues a token, `before` doesn't."""
    sandbox.set_faults(drop=f"{when}:1")
    with pytest.raises(requests.exceptions.ConnectionError):
        post(sandbox, system)
    assert (sandbox.database.token_requests, sandbox.database.tokens_issued) == (1, issued)
    assert post(sandbox, system).status_code == 200


@SYSTEM
def test_fault_slow(sandbox: Sandbox, system: str) -> None:
    """The client times out, but the token was issued."""
    sandbox.set_faults(slow="1h")
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            sandbox.url + load_system(system).token_path,
            data=CASES[system].form,
            auth=CASES[system].basic,
            verify=sandbox.ca_file,
            timeout=(20, 0.2),
        )
    assert sandbox.database.wait_for_requests("issued")


@SYSTEM
def test_fault_clock_skew(sandbox: Sandbox, clock: FakeClock, system: str) -> None:
    """Date header, iat and exp are shifted; the token's lifetime is not."""
    sandbox.set_faults(clock_skew="-1h")
    reply = post(sandbox, system)
    assert reply.headers["Date"] == "Fri, 15 Jan 2027 07:00:00 GMT"
    token = reply.json()["access_token"]
    if token.count(".") == 2:
        claims = decoded(sandbox, token)
        assert claims["iat"] == clock.time - 3600
        assert claims["exp"] - claims["iat"] == CASES[system].expires_in
    assert resource(sandbox, system, token).status_code == 200


def decoded(sandbox: Sandbox, token: str) -> dict[str, Any]:
    """Return the claims, with the signature verified if the key is public."""
    from base64 import urlsafe_b64decode
    from json import loads

    header, payload, _ = token.split(".")
    if loads(urlsafe_b64decode(header + "=="))["alg"] == "ES256":
        url = sandbox.url + (GROUPID.jwks_path or "")
        keys = KeySet.import_key_set(requests.get(url, verify=sandbox.ca_file, timeout=20).json())
        return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)
    return dict(loads(urlsafe_b64decode(payload + "==")))


@pytest.mark.parametrize("system", ["groupid", "oauth2"])
def test_published_keys_verify_tokens(sandbox: Sandbox, clock: FakeClock, system: str) -> None:
    """An access token is a JWT that the published key set verifies."""
    claims = decoded(sandbox, post(sandbox, system).json()["access_token"])
    assert claims["iss"].startswith(sandbox.url)
    assert (claims["iat"], claims["exp"]) == (clock.time, clock.time + CASES[system].expires_in)


@SYSTEM
def test_unknown_path_of_a_system(sandbox: Sandbox, system: str) -> None:
    """The documented 404 under the system's prefixes; paths are case-sensitive."""
    url = sandbox.url + load_system(system).token_path.replace("token", "Token")
    reply = requests.post(url, data=CASES[system].form, verify=sandbox.ca_file, timeout=20)
    assert reply.status_code == 404
    if system == "groupid":
        assert reply.text == "Not found: The URL is incorrect or object is not found\n"
    else:
        assert set(reply.json()) == CASES[system].errors


def test_unknown_path(sandbox: Sandbox) -> None:
    """404 outside all systems' prefixes."""
    reply = requests.get(f"{sandbox.url}/elsewhere", verify=sandbox.ca_file, timeout=20)
    assert reply.status_code == 404
    assert reply.json()["systems"] == list(SYSTEMS)
