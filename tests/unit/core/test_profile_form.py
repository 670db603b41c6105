"""New profiles: only what is missing is asked for, and every answer is checked at once."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tomlkit

from tests.fakes import FakeContext, FakeTerminal
from tokencli.config.load import Config
from tokencli.config.profile_assignments import nest_keys, parse_assignments
from tokencli.core.partial_profile import PartialProfile
from tokencli.core.profile_form import ProfileForm
from tokencli.errors import ConfigError, DeadlineError, TlsError, TokencliError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.oauth.issuer_search import NoMetadataError
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin

ISSUER = "https://id.example.com/realms/acme"
ENDPOINTS = f"{ISSUER}/protocol/openid-connect"
KEYCLOAK = {
    "issuer": ISSUER,
    "token_endpoint": f"{ENDPOINTS}/token",
    "authorization_endpoint": f"{ENDPOINTS}/auth",
    "userinfo_endpoint": f"{ENDPOINTS}/userinfo",
    "jwks_uri": f"{ENDPOINTS}/certs",
}
OTHER = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/t"}
GROUPID = ["demomachine", "c", "jdoe", "1"]


@dataclass
class Server:
    """A server that answers by URL, whose certificate only the file `ca_file` verifies, if set."""

    documents: dict[str, object] = field(default_factory=dict)
    ca_file: str | None = None
    failures: list[Exception] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Answer with a document, or as a server does that has none there."""
        if self.failures:
            raise self.failures.pop(0)
        if connection.ca_file == "/bad.pem":
            raise ConfigError("the CA file '/bad.pem' contains no PEM certificate")
        if self.ca_file is not None and connection.ca_file != self.ca_file:
            error = TlsError("the certificate comes from a CA that is not trusted")
            error.untrusted_issuer = "CN=Acme CA"
            raise error
        self.requests.append(request.url)
        document = self.documents.get(request.url)
        body = b"" if document is None else json.dumps(document).encode()
        return HttpReply(
            404 if document is None else 200, {"content-type": "application/json"}, body
        )


def well_known(members: dict[str, object] | dict[str, str]) -> dict[str, object]:
    """Return a server's documents: the metadata of one issuer."""
    return {f"{members['issuer']}/.well-known/openid-configuration": members}


def form(
    provider: str, *answers: str, server: Server | None = None, **keys: object
) -> tuple[ProfileForm, FakeTerminal]:
    """Return a new profile's form, and the terminal that types the answers."""
    context = FakeContext()
    terminal = FakeTerminal(list(answers), interactive=True)
    context.terminal = terminal
    context.transport = server or Server()  # type: ignore[assignment]
    return ProfileForm("p", context, load_builtin(provider), dict(keys)), terminal


def asked(
    provider: str, *answers: str, server: Server | None = None, **keys: object
) -> dict[str, object]:
    """Return the keys after all questions; every answer was needed."""
    made, terminal = form(provider, *answers, server=server, **keys)
    made.ask()
    assert terminal.answers == []
    return made.keys


def test_groupid_asks_for_four_values() -> None:
    """Host, client ID, user name and identity store ID, but no secret, scope or grant."""
    assert asked("groupid", *GROUPID) == {
        "host": "demomachine",
        "client_id": "c",
        "username": "jdoe",
        "identity_store_id": "1",
    }


def test_given_values_are_not_asked() -> None:
    """Options answer questions, and token_url replaces the host."""
    given = {"token_url": "https://x.example/t", "client_id": "c", "identity_store_id": "1"}
    assert asked("groupid", "jdoe", **given) == {**given, "username": "jdoe"}


def test_question_mark_explains() -> None:
    """`?` shows where to find the value and asks again."""
    made, terminal = form("groupid", "?", *GROUPID)
    made.ask()
    assert "the same as in the URL of the GroupID portal; default port: 4443" in terminal.messages
    assert made.keys["host"] == "demomachine"


def test_socialid_asks_which_of_two() -> None:
    """User name or email address is chosen first; a value with a default isn't asked for."""
    keys = asked("socialid", "password", "mail", "j@d.example", "138")
    assert keys == {"grant": "password", "email_address": "j@d.example", "client_id": "138"}


def test_invalid_answer_is_asked_again() -> None:
    """Each answer is checked at once by the configuration's own rules, and the reason is shown."""
    made, terminal = form(
        "groupid", "de mo", "demomachine:99999", "demomachine", "c", "j\x07d", "jdoe", "1"
    )
    made.ask()
    assert (made.keys["host"], made.keys["username"]) == ("demomachine", "jdoe")
    shown = " ".join(terminal.messages)
    assert "optional port from 1 to 65535" in shown
    assert "control character" in shown


@pytest.mark.parametrize(
    ("provider", "answers", "keys"),
    [
        ("groupid", ["https://d.example:4443/GroupID/x", "c", "j", "1"], {"host": "d.example:4443"}),
        ("groupid", ["https://d.example/Moved/connect/token", "c", "j", "1"],
         {"token_url": "https://d.example/Moved/connect/token"}),
        ("keycloak", ["client_credentials", f"{ENDPOINTS}/token", "c", ""],
         {"base_url": "https://id.example.com", "realm": "acme"}),
    ],
)  # fmt: skip
def test_pasted_url_is_taken_apart(provider: str, answers: list[str], keys: dict[str, str]) -> None:
    """It answers every question that its parts answer, and the note says what was read."""
    made, terminal = form(provider, *answers)
    made.ask()
    assert keys.items() <= made.keys.items()
    assert terminal.answers == []
    assert any(text.startswith("from that URL: ") for text in terminal.messages)


def test_urls_of_options_are_taken_apart_as_well() -> None:
    """In their place, so that the order of the command line is kept."""
    made, _ = form("keycloak", client_id="c", base_url=ISSUER, store="none")
    made.split_urls()
    assert list(made.keys.items()) == [
        ("client_id", "c"), ("base_url", "https://id.example.com"), ("realm", "acme"), ("store", "none"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given"), [("p", {"timeout": "soon"}), ("no name", {}), ("p", {"client_id": ""})]
)
def test_invalid_options_end_before_questions(name: str, given: dict[str, str]) -> None:
    """Errors in the command line are reported before the first question."""
    made, terminal = form("groupid", **given)
    made.name = name
    with pytest.raises(ConfigError, match="nothing was written") as caught:
        made.ask()
    assert caught.value.problems
    assert terminal.messages == []


@pytest.mark.parametrize("provider", BUILTIN_NAMES)
def test_missing_options_are_listed_at_once(provider: str) -> None:
    """One error names every missing option, and its command is complete and keeps what was given."""
    draft = PartialProfile(
        "p", load_builtin(provider), {"scope": "a b", "client_secret": {"env": "S"}}
    )
    error = draft.missing_options_error()
    assert "--client-id" in error.message
    assert error.fix is not None
    words = shlex.split(error.fix)
    assert words[:6] == ["tokencli", "profiles", "add", "p", "--provider", provider]
    assert "…" not in error.fix
    pairs = dict(zip(words[6::2], words[7::2], strict=True))
    assert (pairs["--scope"], pairs["--client-id"] != "") == ("a b", True)
    keys = [
        f"{option[2:].replace('-', '_')}={value}" if option != "--set" else value
        for option, value in zip(words[6::2], words[7::2], strict=True)
    ]
    given = parse_assignments(keys, load_builtin(provider))
    again = PartialProfile("p", load_builtin(provider), given)
    assert (again.missing_values(), again.unsatisfied_groups()) == ([], [])


def test_command_continues_with_every_kind_of_key() -> None:
    """Texts, lists, booleans, tables and sources of secrets arrive as they were."""
    given = parse_assignments(
        ["token_url=https://x.example/t?a=b&c", "client_id=it's", "params.tenant=acme", "hot_copy=false",
         "resource=https://a.example,https://b.example", "timeout=5",
         "client_secret.command=pass show 'a b'", "private_key.file=/k"],
        load_builtin("oauth2"),
    )  # fmt: skip
    words = shlex.split(PartialProfile("p", load_builtin("oauth2"), given).add_command())[6:]
    keys = [
        f"{option[2:].replace('-', '_')}={value}" if option != "--set" else value
        for option, value in zip(words[::2], words[1::2], strict=True)
    ]
    assert parse_assignments(keys, load_builtin("oauth2")) == given
    text = tomlkit.dumps({"profiles": {"p": {"provider": "oauth2", **nest_keys(given)}}})
    assert Config(Path("c.toml"), text, {}).find_problems() == ()


# The issuer behind a URL


def test_issuer_of_a_known_system_is_recognized() -> None:
    """Keycloak by all of its endpoints; grant, client and scope are asked for."""
    made, _ = form(
        "oauth2", "id.example.com/realms/acme", "browser", "n", "cli", "openid",
        server=Server(well_known(KEYCLOAK)),
    )  # fmt: skip
    made.ask()
    assert made.provider.name == "keycloak"
    assert made.keys == {
        "base_url": "https://id.example.com", "realm": "acme", "grant": "authorization_code",
        "client_auth": "none", "client_id": "cli", "scope": "openid",
    }  # fmt: skip


def test_other_issuer_is_used_as_it_is() -> None:
    """The method that the server announces for a client secret is chosen without a question."""
    server = Server(
        well_known({**OTHER, "token_endpoint_auth_methods_supported": ["client_secret_post"]})
    )
    keys = asked("oauth2", f"{ISSUER}/t", "program", "batch", "", server=server)
    assert keys == {
        "issuer": ISSUER, "grant": "client_credentials", "client_auth": "client_secret_post",
        "client_id": "batch",
    }  # fmt: skip


def test_user_chosen_provider_is_kept() -> None:
    """With `--provider oauth2`, an issuer of Keycloak stays an issuer."""
    made, _ = form("oauth2", server=Server(well_known(KEYCLOAK)))
    made.is_provider_given = True
    made.discover(ISSUER)
    assert (made.provider.name, made.keys) == ("oauth2", {"issuer": ISSUER})


@pytest.mark.parametrize(
    ("provider", "url", "keys"),
    [
        ("groupid", "https://d.example:4443/GroupID", {"host": "d.example:4443"}),
        ("screening-eagle", "https://id.example.com", {"base_url": "https://id.example.com"}),
        ("keycloak", ISSUER, {"base_url": "https://id.example.com", "realm": "acme"}),
        ("entra", "https://login.microsoftonline.com/common/v2.0", {"tenant": "common"}),
    ],
)
def test_url_of_a_named_provider_needs_no_request(
    provider: str, url: str, keys: dict[str, str]
) -> None:
    """With `--provider`, a URL is read by the templates of that provider."""
    server = Server()
    made, _ = form(provider, server=server)
    made.is_provider_given = True
    made.discover(url)
    assert (made.keys, server.requests) == (keys, [])


@pytest.mark.parametrize(
    ("provider", "url", "message"),
    [
        ("okta", "https://login.microsoftonline.com/x", "a URL of Microsoft Entra ID, not of Okta"),
        ("keycloak", "https://demomachine:4443/GroupID", "a URL of GroupID"),
        ("groupid", "https://jdoe:canary@demomachine/GroupID", "a user name or password"),
        ("keycloak", "http://kc.example/realms/acme", "unencrypted"),
    ],
)
def test_url_that_is_not_the_named_providers(provider: str, url: str, message: str) -> None:
    """Another system's URL, or one that can't be used, isn't reduced to a host."""
    made, _ = form(provider)
    made.is_provider_given = True
    with pytest.raises(TokencliError, match=message) as caught:
        made.discover(url)
    assert "canary" not in f"{caught.value.message} {caught.value.fix}"
    assert made.keys == {}


def test_another_host_is_asked_only_with_consent() -> None:
    """An API names an issuer on another server: yes asks it, no doesn't, and `--from` never does."""
    api = "https://api.example.com/v1"
    documents = {
        "https://api.example.com/.well-known/oauth-protected-resource/v1": {
            "resource": api, "authorization_servers": [ISSUER],
        },
        **well_known(OTHER),
    }  # fmt: skip
    for answers, is_asked in ((["y"], True), (["n"], False), ([], False)):
        server = Server(documents)
        made, terminal = form("oauth2", *answers, server=server)
        made.discover(api, ask_contact=bool(answers))
        assert made.keys == {"issuer": ISSUER, "resource": api}
        assert any(url.startswith("https://id.") for url in server.requests) is is_asked
        assert terminal.answers == []


def test_api_of_microsoft_needs_no_other_request() -> None:
    """Its tenant becomes Entra ID's, or with `--provider oauth2` the issuer."""

    class Api(Server):
        def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
            reply = super().send(request, connection)
            uri = "https://login.windows.net/contoso.com/oauth2/authorize"
            return HttpReply(
                401, {"www-authenticate": f'Bearer authorization_uri="{uri}"'}, reply.body
            )

    for is_given, name, keys in (
        (False, "entra", {"tenant": "contoso.com"}),
        (True, "oauth2", {"issuer": "https://login.microsoftonline.com/contoso.com/v2.0"}),
    ):
        server = Api()
        made, _ = form("oauth2", server=server)
        made.is_provider_given = is_given
        made.discover("https://api.example.com")
        assert (made.provider.name, made.keys) == (name, keys)
        assert all(url.startswith("https://api.example.com") for url in server.requests)


def test_ca_of_an_api_is_not_the_issuers() -> None:
    """A CA that was named to reach the API isn't written if the issuer is on another server."""
    api = "https://api.example.com/v1"
    resource = "https://api.example.com/.well-known/oauth-protected-resource/v1"
    documents: dict[str, object] = {resource: {"resource": api, "authorization_servers": [ISSUER]}}
    made, _ = form("oauth2", "/acme.pem", server=Server(documents, ca_file="/acme.pem"))
    assert made.discover_or_ask(api)
    assert made.keys == {"issuer": ISSUER, "resource": api}
    made, _ = form("oauth2", "/acme.pem", server=Server(well_known(OTHER), ca_file="/acme.pem"))
    assert made.discover_or_ask(f"{ISSUER}#top")
    assert made.keys == {"issuer": ISSUER, "ca_file": "/acme.pem"}


def test_portal_of_groupid_needs_no_request() -> None:
    """Its path tells which system it is, and a system with one grant needs no key for it."""
    server = Server()
    made, _ = form("oauth2", server=server)
    made.discover("https://demomachine:4443/GroupID/")
    made.choose_defaults()
    assert (made.provider.name, made.keys) == ("groupid", {"host": "demomachine:4443"})
    assert server.requests == []


def test_auth0_asks_for_the_api() -> None:
    """It may be left out, as a tenant can have a default one."""
    answers = ("program", "acme.eu.auth0.com", "c")
    keys = asked("auth0", *answers, "https://api.example.com", "")
    assert keys["audience"] == "https://api.example.com"
    assert "audience" not in asked("auth0", *answers, "", "")


def test_defaults_follow_the_server() -> None:
    """Without questions: the first grant that the server announces, and for a user a public client."""
    server = Server(well_known({**OTHER, "grant_types_supported": ["authorization_code"]}))
    made, _ = form("oauth2", server=server)
    made.discover(ISSUER)
    made.choose_defaults()
    assert (made.keys["grant"], made.keys["client_auth"]) == ("authorization_code", "none")


def test_server_without_metadata() -> None:
    """A token endpoint needs no metadata; of another URL the user says what it is."""
    keys = asked("oauth2", "https://id.example.com/token", "program", "c", "")
    assert keys["token_url"] == "https://id.example.com/token"
    keys = asked(
        "oauth2",
        "https://id.example.com/a",
        "another",
        "https://id.example.com/b",
        "token",
        "program",
        "c",
        "",
    )
    assert keys["token_url"] == "https://id.example.com/b"
    made, _ = form("oauth2")
    with pytest.raises(NoMetadataError):
        made.discover("https://id.example.com/a")


def test_offline_the_form_goes_on() -> None:
    """What the URL is can be said without the server, and trying again is possible."""
    gone = [UnreachableError("refused"), DeadlineError("too slow")]
    server = Server(failures=gone)
    made, _ = form("oauth2", ISSUER, "again", "issuer", "program", "c", "", server=server)
    made.ask()
    assert made.keys["issuer"] == ISSUER


# The server's certificate


def test_private_ca_is_asked_for_and_used(tmp_path: Path) -> None:
    """The CA is named; a file that can't be used or has another CA is asked for again."""
    server = Server(ca_file="/acme.pem")
    made, terminal = form("groupid", *GROUPID, "/bad.pem", "/other.pem", "/acme.pem", server=server)
    made.ask()
    assert made.keys["ca_file"] == "/acme.pem"
    shown = " ".join(terminal.messages)
    assert "the CA is: CN=Acme CA" in shown
    assert "/other.pem does not contain that CA" in shown
    assert "insecure" not in shown
    assert server.requests == ["https://demomachine:4443/"]


def test_ca_can_be_set_later() -> None:
    """Enter goes on, with the command that sets it."""
    made, terminal = form("groupid", *GROUPID, "", server=Server(ca_file="/acme.pem"))
    made.ask()
    assert "ca_file" not in made.keys
    assert any("--set ca_file=" in text for text in terminal.messages)


def test_given_ca_file_is_checked_as_well() -> None:
    """`--ca-file` with another CA: the right one is asked for."""
    server = Server(ca_file="/acme.pem")
    keys = asked("groupid", *GROUPID, "/acme.pem", server=server, ca_file="/wrong.pem")
    assert keys["ca_file"] == "/acme.pem"


def test_discovery_needs_the_ca_too() -> None:
    """The issuer's certificate is from a private CA: it is asked for, and the search goes on."""
    server = Server(well_known(OTHER), ca_file="/acme.pem")
    keys = asked("oauth2", ISSUER, "/acme.pem", "program", "c", "", server=server)
    assert keys["ca_file"] == "/acme.pem"
    assert keys["issuer"] == ISSUER


def test_host_can_be_corrected() -> None:
    """A host that doesn't exist is asked for again; the other answers stay."""
    server = Server(failures=[UnreachableError("there is no host named demomachine")])
    keys = asked("groupid", *GROUPID, "another", "d.example", server=server)
    assert keys == {
        "host": "d.example",
        "client_id": "c",
        "username": "jdoe",
        "identity_store_id": "1",
    }
    keys = asked("groupid", *GROUPID, "", server=Server(failures=[UnreachableError("no route")]))
    assert keys["host"] == "demomachine"


def test_host_that_only_the_provider_names_is_not_contacted() -> None:
    """Google's own servers are not contacted for a form."""
    server = Server()
    asked("google", "device", "n", "c", "openid", server=server)
    assert server.requests == []


def test_password_grant_needs_a_yes() -> None:
    """Where the provider offers other grants: no asks for the grant again."""
    given = {"token_url": "https://id.example.com/t", "client_id": "c", "username": "j"}
    keys = asked("oauth2", "password", "n", "password", "y", "y", "", **given)
    assert keys["allow_password_grant"] is True
