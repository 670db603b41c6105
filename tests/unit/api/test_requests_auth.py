"""`tokencli.TokenAuth`: requests that carry the token, are repeated with another, and are redirected."""

import copy
import io
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

import tokencli
from tests.servers.configured import Configure
from tests.unit.api.servers import TOKEN, USES, Api, apis, configure, shown_token, write_profile
from tokencli.errors import UsageError
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

__all__ = ["apis", "configure"]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide the password of the profile `p`."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


def authenticate(configure: Configure, api: Api, use: str) -> tokencli.TokenAuth:
    """Return the auth object of a profile whose provider uses the token like this."""
    return tokencli.TokenAuth("p", config=write_profile(configure, api, use))


@pytest.mark.parametrize("system", ["groupid", "socialid", "oauth2"])
def test_requests_carry_the_token(sandbox: Sandbox, system: str) -> None:
    """The resource accepts a request that TokenAuth has authenticated."""
    reply = requests.get(
        sandbox.url + load_system(system).resource_path,
        auth=tokencli.TokenAuth(system),
        verify=sandbox.ca_file,
        timeout=30,
    )
    assert reply.status_code == 200


def test_used_session_is_copied_without_tokens(sandbox: Sandbox) -> None:
    """A session that has sent a request can be pickled, e.g. for another process, and copied."""
    session = requests.Session()
    session.auth, session.verify = tokencli.TokenAuth("oauth2"), sandbox.ca_file
    url = sandbox.url + load_system("oauth2").resource_path
    assert session.get(url, timeout=30).status_code == 200
    session.cookies.clear()
    pickled = pickle.dumps(session)
    assert tokencli.token("oauth2").encode() not in pickled
    for copied in (pickle.loads(pickled), copy.deepcopy(session)):
        assert copied.get(url, timeout=30).status_code == 200
    assert sandbox.database.token_requests == 1


def test_expired_token_is_renewed_between_requests(sandbox: Sandbox) -> None:
    """Each request gets a token that is fresh at that moment."""
    sandbox.set_faults(lifetime=0)
    auth = tokencli.TokenAuth("groupid")
    seen = {
        requests.Request("GET", "https://api.example.com/", auth=auth)
        .prepare()
        .headers["Authorization"]
        for _ in range(2)
    }
    assert len(seen) == 2


def test_min_ttl_and_scope(sandbox: Sandbox) -> None:
    """They choose the token as they do for `tokencli.token`."""
    auth = tokencli.TokenAuth("oauth2", scope="read", min_ttl="5m")
    prepared = requests.Request("GET", "https://api.example.com/", auth=auth).prepare()
    token = tokencli.token("oauth2", scope="read", min_ttl="5m")
    assert prepared.headers["Authorization"] == f"Bearer {token}"
    assert token != tokencli.token("oauth2")


@pytest.mark.parametrize("api_url", ["", 'api_url = "https://api.example.com/"'])
def test_dpop_is_refused(configure: Configure, api_url: str) -> None:
    """A token that is bound to a key needs a proof for each request, which the proxy makes."""
    configure(
        f"""
[profiles.p]
{api_url}
provider = "oauth2"
grant = "client_credentials"
token_url = "https://127.0.0.1:9/token"
client_id = "x"
client_secret = {{ env = "SECRET" }}
dpop = true
"""
    )
    with pytest.raises(UsageError, match="'p'") as caught:
        tokencli.TokenAuth("p")
    assert caught.value.fix == ("tokencli proxy p" if api_url else None)


@pytest.mark.parametrize("use", USES)
def test_refused_token_is_replaced_once(
    configure: Configure, apis: tuple[Api, Api], use: str
) -> None:
    """The request is repeated with another token, which later requests use at once.

    The first reply is in the history, with the request as it was sent.
    """
    api = apis[0]
    auth = authenticate(configure, api, use)
    requests.get(f"{api.url}/a?x=1", auth=auth, timeout=30)
    api.refused = (1,)
    reply = requests.post(f"{api.url}/a?x=1", auth=auth, data={"k": "v"}, timeout=30)
    assert (reply.status_code, [r.status_code for r in reply.history]) == (200, [401])
    assert api.bodies[1:] == [b"k=v", b"k=v"]
    sent = f"{reply.history[0].request.url} {reply.history[0].request.headers}"
    assert shown_token(use, 1) in sent
    assert shown_token(use, 2) not in sent
    assert shown_token(use, 1) in api.received[1]
    assert shown_token(use, 2) in api.received[2]
    assert shown_token(use, 1) not in api.received[2]
    assert all(line.startswith("/a?x=1") for line in api.received)
    assert requests.get(f"{api.url}/a", auth=auth, timeout=30).history == []
    assert api.issued == 2


@pytest.mark.parametrize("use", USES)
def test_server_that_refuses_every_token(
    configure: Configure, apis: tuple[Api, Api], use: str
) -> None:
    """It costs one token request, however many requests follow, and its reply is returned."""
    api = apis[0]
    api.refused = (1, 2, 3, 4)
    auth = authenticate(configure, api, use)
    for _ in range(3):
        assert requests.get(f"{api.url}/a", auth=auth, timeout=30).status_code == 401
    assert api.issued == 2


def test_failed_renewal_returns_the_reply(
    configure: Configure, apis: tuple[Api, Api], capfd: pytest.CaptureFixture[str]
) -> None:
    """If there is no other token, the 401 is the result; why is a warning, and only once."""
    api = apis[0]
    auth = authenticate(configure, api, "X-Auth-Token")
    requests.get(f"{api.url}/a", auth=auth, timeout=30)
    api.refused, api.token_status = (1,), 403
    for _ in range(2):
        assert requests.get(f"{api.url}/a", auth=auth, timeout=30).status_code == 401
    assert api.issued == 2
    assert capfd.readouterr().err.count("refused the token (HTTP 401)") == 1


@pytest.mark.parametrize(
    ("challenge", "issued"),
    [
        ('Bearer realm="x", error="invalid_token"', 2),
        ('Bearer error=invalid_token, error_description="expired"', 2),
        ("Basic realm=x", 2),
        ('Bearer error="insufficient_scope"', 1),
        ('Bearer realm="x", error_description="no", error="invalid_request"', 1),
    ],
)
def test_challenge_decides(
    configure: Configure, apis: tuple[Api, Api], challenge: str, issued: int
) -> None:
    """If the server names another error than an invalid token, no other token is requested."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    api.refused, api.challenge = (1,), challenge
    requests.get(f"{api.url}/a", auth=auth, timeout=30)
    assert api.issued == issued


def test_file_is_sent_again_and_a_generator_is_not(
    configure: Configure, apis: tuple[Api, Api], tmp_path: Path
) -> None:
    """An open file is rewound to where it was; of a body that is used up, the 401 is returned."""
    api = apis[0]
    auth = authenticate(configure, api, "X-Auth-Token")
    api.refused = (1,)
    path = tmp_path / "upload"
    path.write_bytes(b"skipped, sent")
    with path.open("rb") as file:
        file.seek(9)
        reply = requests.post(f"{api.url}/a", auth=auth, data=file, timeout=30)
    assert reply.status_code == 200
    assert api.bodies == [b"sent", b"sent"]
    api.refused = (1, 2)
    reply = requests.post(f"{api.url}/a", auth=auth, data=iter([b"a", b"b"]), timeout=30)
    assert reply.status_code == 401
    assert api.bodies[2:] == [b"ab"]
    assert api.issued == 2
    reply = requests.post(f"{api.url}/a", auth=auth, files={"f": io.BytesIO(b"part")}, timeout=30)
    assert reply.status_code == 200
    assert api.issued == 3


def test_threads_replace_a_refused_token_once(configure: Configure, apis: tuple[Api, Api]) -> None:
    """Any number of threads whose token is refused at the same time share one other token."""
    api = apis[0]
    auth = authenticate(configure, api, "Authorization")
    requests.get(f"{api.url}/a", auth=auth, timeout=30)
    api.refused, api.token_delay = (1,), 0.2
    results: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(
                requests.get(f"{api.url}/a", auth=auth, timeout=30).status_code
            )
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 8
    assert api.issued == 2


def test_refused_after_a_redirect(configure: Configure, apis: tuple[Api, Api]) -> None:
    """Within the origin the request is repeated; another origin's 401 is about no token of ours."""
    api, other = apis
    auth = authenticate(configure, api, "X-Auth-Token")
    requests.get(f"{api.url}/b", auth=auth, timeout=30)
    api.refused = (1,)
    api.locations = {"/a": (302, "/b"), "/c": (302, f"{other.url}/d"), "/b": (302, "/e")}
    reply = requests.get(f"{api.url}/a", auth=auth, timeout=30)
    assert reply.status_code == 200
    assert shown_token("X-Auth-Token", 2) in api.received[-1]
    other.refused = (1, 2)
    other.locations = {"/d": (401, "")}
    assert requests.get(f"{api.url}/c", auth=auth, timeout=30).status_code == 401
    assert "canary" not in other.received[0]
    assert api.issued == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("use", USES)
def test_redirect_to_another_origin_gets_no_token(
    configure: Configure, apis: tuple[Api, Api], use: str, status: int
) -> None:
    """Neither header nor parameter, also if the first server repeats the query in its Location.

    They aren't sent again if the other server redirects back. A redirect within the origin keeps
    the headers.
    """
    api, other = apis
    auth = authenticate(configure, api, use)
    api.locations = {
        "/a": (status, "/b?QUERY"),
        "/b": (
            status,
            f"{other.url}/c?keep=1&QUERY&next={quote(quote(api.url + '/a?'))}QUERY&to=NESTED",
        ),
    }
    other.locations = {"/c": (status, f"{api.url}/d")}
    reply = requests.post(f"{api.url}/a", auth=auth, data={"x": "1"}, timeout=30)
    assert reply.status_code == 200
    first, second, back = api.received
    assert shown_token(use) in first
    assert shown_token(use) in second
    assert ("canary-tenant" in first) == ("canary-tenant" in second) == (use != "Authorization")
    for received in (other.received[0], back):
        assert "canary" not in received
    assert other.received[0].startswith("/c?keep=1")
    assert "canary" in str(reply.history[1].request.headers) + str(reply.history[1].request.url)


@pytest.mark.parametrize(
    "location",
    [
        "{other}",
        "//127.0.0.1:{port}/c",
        "http://localhost:{own}/c",
        "http://127.0.0.1:{port}\\@127.0.0.1:{own}/c",
    ],
)
def test_any_form_of_another_origin(
    configure: Configure, apis: tuple[Api, Api], location: str
) -> None:
    """A URL without a scheme, another name of the same host, and one that parsers read differently."""
    api, other = apis
    auth = authenticate(configure, api, "X-Auth-Token")
    ports = {"port": other.server_address[1], "own": api.server_address[1]}
    api.locations = {"/a": (302, location.format(other=other.url, **ports))}
    requests.get(f"{api.url}/a", auth=auth, timeout=30)
    received = api.received[1:] + other.received
    assert len(received) == 1
    assert "canary" not in received[0]


def test_no_token_in_a_repr(configure: Configure, apis: tuple[Api, Api]) -> None:
    """Neither the auth object nor what it remembers shows a token."""
    auth = authenticate(configure, apis[0], "session")
    carrier = auth._source.get()
    assert TOKEN % 1 in str(carrier.token.reveal())
    assert "canary" not in f"{auth!r} {carrier!r} {auth._source!r} {vars(auth._source)!r}".replace(
        "canary-tenant", ""
    )
