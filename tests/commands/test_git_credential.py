"""`tokencli git-credential`: what git gets for which server."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.servers.configured import Configure
from tests.unit.api.servers import USES, Api, apis, configure, write_profile
from tokencli.sandbox.server import Sandbox

__all__ = ["apis", "configure"]

BEARER = "capability[]=authtype\ncapability[]=state\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox for all tests."""
    with Sandbox() as running:
        yield running


def ask(
    tokencli: Run,
    sandbox: Sandbox,
    *words: str,
    url: str = "https://git.example.com",
    more: str = "",
) -> dict[str, str]:
    """Return the attributes with which the helper answers."""
    protocol, _, host = url.partition("://")
    found = tokencli(
        "git-credential",
        "oauth2",
        *words,
        "get",
        env={"TOKENCLI_CONFIG": sandbox.config_file},
        stdin=f"protocol={protocol}\nhost={host}\n{more}\n",
    )
    assert found.code == 0, found.err
    return dict(line.split("=", 1) for line in found.out.splitlines())


NAMED = ("--host", "git.example.com")


def test_older_git_gets_a_password(tokencli: Run, sandbox: Sandbox) -> None:
    """The token is the password, with its expiry for git 2.40 and later."""
    found = ask(tokencli, sandbox, *NAMED)
    (token,) = [each for each in sandbox.issued_tokens if each.token == found["password"]]
    assert found["username"] == "oauth2"
    assert abs(int(found["password_expiry_utc"]) - token.expires_at) < 5
    assert set(found) == {"username", "password", "password_expiry_utc"}


def test_newer_git_gets_a_bearer_token(tokencli: Run, sandbox: Sandbox) -> None:
    """If git can send other schemes than Basic, it gets the header, and no helper may store it."""
    found = ask(tokencli, sandbox, *NAMED, more=BEARER)
    assert found["capability[]"] == "authtype"
    assert (found["authtype"], found["ephemeral"]) == ("Bearer", "1")
    assert found["credential"] in [each.token for each in sandbox.issued_tokens]
    assert "password_expiry_utc" in found
    assert "password" not in found


@pytest.mark.parametrize(
    ("challenges", "scheme"),
    [
        (('Basic realm="GitLab"',), "Basic"),
        (('basic realm="x"',), "Basic"),
        (('Bearer realm="x"', 'Basic realm="x"'), "Bearer"),
        (("Negotiate",), "Bearer"),
        (("Negotiate, Basic",), "Basic"),
        (('Basic realm="a, Bearer"',), "Basic"),
        (('Basic realm="x", Bearer realm="y"',), "Bearer"),
        ((), "Bearer"),
    ],
)
def test_scheme_is_one_that_the_server_offers(
    tokencli: Run, sandbox: Sandbox, challenges: tuple[str, ...], scheme: str
) -> None:
    """A server that asks for Basic alone gets a password, whatever git can send."""
    more = BEARER + "".join(f"wwwauth[]={each}\n" for each in challenges)
    found = ask(tokencli, sandbox, *NAMED, more=more)
    assert ("authtype" in found) == (scheme == "Bearer")
    assert ("password" in found) == (scheme == "Basic")


@pytest.mark.parametrize(
    ("words", "more", "expected"),
    [
        ((), "", "oauth2"),
        ((), "username=alice\n", "alice"),
        (("--username", "token"), "username=alice\n", "token"),
        (("--username=token",), BEARER, "token"),
    ],
)
def test_username(
    tokencli: Run, sandbox: Sandbox, words: tuple[str, ...], more: str, expected: str
) -> None:
    """It is the option, else that of the URL, else the provider's; the option demands a password."""
    assert ask(tokencli, sandbox, *NAMED, *words, more=more)["username"] == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "https://git.example.com.evil.example",
        "https://git.example.com:8443",
        "http://git.example.com",
        "ssh://git.example.com",
        "https://git.example.com\r",
        "https://evil@git.example.com",
        "https://git.example.com/evil",
        "https://git.example.com?.evil.example",
        "https://git.example.com#@evil.example",
        "https://git.example.com:",
        "https://",
        "://",
    ],
)
@pytest.mark.parametrize("words", [(), NAMED])
def test_other_servers_get_nothing(
    tokencli: Run, sandbox: Sandbox, url: str, words: tuple[str, ...]
) -> None:
    """No token is sent to a server that the user didn't name, nor without TLS; git asks elsewhere."""
    assert ask(tokencli, sandbox, *words, url=url) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no server"),
        ("url=https://git.example.com/x\n", "names no server"),
        ("protocol=http\nhost=git.example.com\n", "http would send credentials unencrypted"),
        ("protocol=ssh\nhost=git.example.com\n", "not an https URL"),
        ("protocol=https\nhost=git.exämple.com\n", "non-ASCII letter"),
        ("protocol=https\nhost=u@git.example.com\n", "a user name"),
        ("protocol=https\nhost=git.example.com/x\n", "only a name and a port"),
        ("protocol=https\r\nhost=git.example.com\r\n", "a control character"),
        (
            "protocol=https\nhost=[::1]:8443\n",
            "git config --global --add 'credential.https://[::1]:8443.helper' '!tokencli ",
        ),
    ],
)
def test_note_says_why_a_server_gets_nothing(
    tokencli: Run, sandbox: Sandbox, text: str, reason: str
) -> None:
    """The cause is the true one, and what it suggests is safe to paste into any shell."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    found = tokencli("git-credential", "oauth2", *NAMED, "get", env=env, stdin=f"{text}\n")
    assert (found.code, found.out, found.err.count("\n")) == (0, "", 1)
    assert reason in found.err


def test_user_name_that_git_cannot_read(tokencli: Run, sandbox: Sandbox) -> None:
    """A line feed in it would be another attribute."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    words = ("git-credential", "oauth2", "--username", "a\npassword=x", "get")
    host = sandbox.url.removeprefix("https://")
    found = tokencli(*words, env=env, stdin=f"protocol=https\nhost={host}\n\n")
    assert (found.code, found.out) == (2, "quit=1\n")
    assert "user name: it contains a control character" in found.err


def test_servers_of_the_profile_need_no_option(tokencli: Run, sandbox: Sandbox) -> None:
    """The token endpoint's server has the token anyway."""
    assert "password" in ask(tokencli, sandbox, url=sandbox.url)


@pytest.mark.parametrize("operation", ["store", "capability", "approve", "", "GET"])
def test_other_operations_are_ignored(tokencli: Run, sandbox: Sandbox, operation: str) -> None:
    """As gitcredentials(7) demands of helpers."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    found = tokencli("git-credential", "oauth2", operation, env=env, stdin="protocol=https\n\n")
    assert (found.code, found.out, found.err) == (0, "", "")


@pytest.mark.parametrize("text", ["junk\n", "protocol=https\njunk\n\n"])
def test_input_that_is_not_attributes(tokencli: Run, sandbox: Sandbox, text: str) -> None:
    """The mistake is named; nothing is printed on stdout."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    found = tokencli("git-credential", "oauth2", "get", env=env, stdin=text)
    assert (found.code, found.out) == (2, "")
    assert "has no =" in found.err


def test_bound_token_is_refused(tokencli: Run, sandbox: Sandbox) -> None:
    """Git can't make a proof for each request, and is told to stop."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    host = sandbox.url.removeprefix("https://")
    found = tokencli(
        "git-credential", "dpop-demo", "get", env=env, stdin=f"protocol=https\nhost={host}\n\n"
    )
    assert (found.code, found.out) == (2, "quit=1\n")
    assert "DPoP-bound" in found.err


@pytest.mark.parametrize("use", USES)
def test_authorization_header_of_the_provider(
    tokencli: Run,
    configure: Configure,
    apis: tuple[Api, Api],
    monkeypatch: pytest.MonkeyPatch,
    use: str,
) -> None:
    """A scheme of the provider's is git's `authtype`; what is no Authorization header is refused."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    write_profile(configure, apis[0], use)
    host = apis[0].url.removeprefix("http://")
    found = tokencli(
        *("git-credential", "p", "get"), stdin=f"{BEARER}protocol=http\nhost={host}\n\n"
    )
    if use == "Authorization":
        assert "authtype=Custom\ncredential=canary/token+1==\n" in found.out
    else:
        assert (found.code, found.out) == (2, "quit=1\n")
        assert re.search(rf"sends it as .*{use}", found.err)


def test_erase_renews_only_a_refused_token(
    tokencli: Run,
    configure: Configure,
    apis: tuple[Api, Api],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Erasing itself asks for no token; an older password, or another server's, changes nothing."""
    monkeypatch.setenv("ACME_PASSWORD", "canary-password")
    write_profile(configure, apis[0], "Authorization")
    server = f"protocol=http\nhost={apis[0].url.removeprefix('http://')}\n"
    for secret, issued in {
        "password=older": 1,
        "credential=older": 1,
        "password=canary/token+1==": 2,
        "credential=canary/token+2==": 3,
    }.items():
        before = tokencli("get", "p").out
        other = f"protocol=https\nhost=evil.example\n{secret}\n\n"
        tokencli("git-credential", "p", "erase", stdin=other)
        assert tokencli("get", "p").out == before
        count = apis[0].issued
        erased = tokencli("git-credential", "p", "erase", stdin=f"{server}{secret}\n\n")
        assert (erased.code, erased.out, apis[0].issued) == (0, "", count)
        tokencli("get", "p")
        assert apis[0].issued == issued


def test_erase_keeps_the_refresh_token(tokencli: Run, sandbox: Sandbox) -> None:
    """After a refusal, the next token is obtained by a refresh, not by another login."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    token = tokencli("get", "groupid", env=env).out.strip()
    host = sandbox.url.removeprefix("https://")
    text = f"protocol=https\nhost={host}\npassword={token}\n\n"
    assert tokencli("git-credential", "groupid", "erase", env=env, stdin=text).code == 0
    assert tokencli("get", "groupid", env=env).out.strip() != token
    used = [entry.grant_type for entry in sandbox.requests if entry.system == "groupid"]
    assert [grant for grant in used if grant][-1] == "refresh_token"


def test_missing_operation(tokencli: Run, sandbox: Sandbox) -> None:
    """A profile without an operation is an error; an operation of a later git is ignored."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    done = tokencli("git-credential", "oauth2", env=env)
    assert done.code == 2 and "the operation is missing" in done.err
    assert tokencli("git-credential", "oauth2", "later", env=env).code == 0
    assert tokencli("git-credential", "store", env=env).code == 0
    assert tokencli("git-credential", "later", env=env).code == 0
