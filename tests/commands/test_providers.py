"""`tokencli providers` as a process: list, show, check, new, reference; and get --dry-run, --trace."""

import json
import socket
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import Run
from tests.zoo.storing import config_text, provider_file, secrets_of
from tokencli.config.provider_file import check_file
from tokencli.providers.catalog import BUILTIN_NAMES, read_builtin_text

RECORDINGS = Path(__file__).parents[1] / "recordings"
CURL = """curl -X POST 'https://api.example.com/v2/login/canary0a1b2c3d4e5f6a7b?f=json' \\
  -H 'Content-Type: application/json' -H 'X-Api-Key: canary-1' -H 'Authorization: Digest canary-2' \\
  -b 'sid=canary-3' --data-raw '{"user":"canary-4","password":"canary-5","pin":907431,"keep":true}'"""


def test_every_provider_is_listed_and_shown(tokencli: Run) -> None:
    """The list has each, and `show` prints its file exactly."""
    listed = json.loads(tokencli("providers", "--json").out)["providers"]
    assert {row["name"] for row in listed} == set(BUILTIN_NAMES)
    assert tokencli("providers", "show", "groupid").out == read_builtin_text("groupid")
    assert tokencli("providers", "show", "nope").code == 3


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_of_many_error_codes_the_first_are_shown(tokencli: Run, name: str) -> None:
    """The rest of the file is there, and where the other codes are is said."""
    shown = tokencli("providers", "show", name).out
    data, whole = tomllib.loads(shown), tomllib.loads(read_builtin_text(name))
    codes, all_codes = (each.get("errors", {}).pop("codes", {}) for each in (data, whole))
    assert data == whole
    assert list(codes.items()) == list(all_codes.items())[:10]
    left_out = len(all_codes) - len(codes)
    assert shown.endswith(f"# and {left_out} more: tokencli help error-codes\n") == bool(left_out)


def test_user_defined_provider_is_listed_and_shown(
    tokencli: Run, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    """[providers.NAME] is printed as a file that passes `check`."""
    write_config(config_text("vault-approle", tmp_path))
    assert "HashiCorp Vault" in tokencli("providers", "list").out
    shown = tokencli("providers", "show", "vault-approle").out
    assert check_file(shown, "vault-approle")


def test_check_shows_required_settings_and_url(tokencli: Run) -> None:
    """For a valid file."""
    done = tokencli("providers", "check", str(provider_file("vault-approle")))
    assert done.code == 0
    assert "role_id, secret_id" in done.out
    assert "/v1/auth/approle/login" in done.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('send = { a = "{usrname}" }', "did you mean username?"),
        ('send = { a = "{username|bas64}" }', "unknown filter"),
        ('methd = "GET"', "did you mean method?"),
        ('method = "FETCH"', "FETCH"),
        ('basic = "{username}"', "no colon"),
        ("headers = { Host = \"x\" }", "tokencli sets itself"),
    ],
)  # fmt: skip
def test_check_reports_mistakes_with_their_line(tokencli: Run, line: str, said: str) -> None:
    """Each with what was probably meant."""
    text = f'title = "T"\nendpoints.token = "https://h.example/t"\n[request]\n{line}\n'
    done = tokencli("providers", "check", "-", stdin=text)
    assert done.code == 3
    assert "line 4" in done.err
    assert said in done.err


HEAD = 'title = "T"\nendpoints.token = "https://{host}/t"\nfields.host.kind = "host"\n'

SPELLED = (
    'errors.codes.own = { what = "wrong PIN", whose = "you" }\n'
    'grants.acme.params = { v = "one", w = "one", x = "one", y = "one" }\n[spellings]\n'
)
TWO = '{} = {{ values = ["one", "two"], on = "E1" }}\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f'{HEAD}reply = {{ ttl = 60 }}\n[reply]\nscope = "s"\n', 5, "line 4 writes reply as {"),
        (f'{HEAD}reply = {{ ttl = 60 }}\nreply.scope = "s"\n', 5, "line 4 writes reply as {"),
        (f'{HEAD}[reply]\nexpires_at = "end"\ntime_format = "%Y-%m-%d %H:%M"\n', 6, 'time_zone = "UTC"'),
        (f'{HEAD}request.body = "none"\n[then]\nreply.time_format = "%H"\nreply.issued_at = "x"\n', 6, "time_zone"),
        (f'{HEAD}[reply]\nexpires_in = 12:00:00\n', 5, "must be text in quotes"),
        (f'{HEAD}[refresh]\nurl = "https://renew.example.net/r"\n', 5, 'fields.refresh_host.kind = "host"'),
        (f'{HEAD}[logout]\nmethod = "DELETE"\nurl = "https://x.{{host}}/r"\n', 6, "logout.url"),
        (f'{HEAD}request.body = "none"\n[grants.refresh_token]\n', 5, "describe the renewal as [refresh]"),
        (f"{HEAD}[grants.refresh_token]\n", 4, "stored refresh tokens are used without it"),
        (f'{HEAD}fields.key = {{ kind = "secret", default = "" }}\n', 4, "is an empty secret"),
        (f"{HEAD}fields.store = {{}}\n", 4, "rename it, e.g. to own_store"),
        (f'{HEAD}[grants.password]\n[then]\nreply.access_token = "t"\n', 5, "grants.my_password"),
        (f'{HEAD}{SPELLED}grant_type = "x"\n', 7, "list two or three"),
        (f'{HEAD}{SPELLED}grant_type = ["a", "b", "c", "d"]\n', 7, "has 4 different spellings"),
        (f'{HEAD}{SPELLED}grant_type = ["a", "a"]\n', 7, "lists a spelling twice"),
        (f'{HEAD}{SPELLED}grant_type = ["a", 1979-01-01]\n', 7, "list text, numbers or booleans"),
        (f'{HEAD}{SPELLED}grant_type = ["password", "PASSWORD"]\n', 7, "has none of the values"),
        (f'{HEAD}{SPELLED}grant_typ = ["a", "b"]\n', 7, "did you mean grant_type?"),
        (f'{HEAD}{SPELLED}v = ["one", "{{username}}"]\n', 7, "only constants have spellings"),
        (f'{HEAD}{SPELLED}v = ["one", "two"]\n', 7, 'v = { values = ["one", "two"], on = ["CODE"] }'),
        (f'{HEAD}{SPELLED}v = {{ value = ["one", "two"] }}\n', 7, "did you mean values?"),
        *(
            (f'{HEAD}{SPELLED}v = {{ values = ["one", "two"], on = "{code}" }}\n', 7, "could lock the account")
            for code in ("invalid_grant", "Invalid-Client", "401", "access_denied", "USER_LOCKED", "own")
        ),
        (f'{HEAD}{SPELLED}{TWO.format("v")}{TWO.format("w")}', 8, "unclear which constant is wrong"),
        (f'{HEAD}{SPELLED}{"".join(map(TWO.format, "vwxy"))}', 6, "list at most 3"),
    ],
)  # fmt: skip
def test_check_finds_what_would_fail_later(tokencli: Run, text: str, line: int, said: str) -> None:
    """What a server would refuse or tokencli ignore is reported with its line and what to write."""
    done = tokencli("providers", "check", "-", stdin=text)
    assert (done.code, done.out) == (3, "")
    assert f"line {line}: " in done.err
    assert said in done.err


def test_check_of_a_configuration_checks_all_of_it(tokencli: Run) -> None:
    """Profiles of built-in providers, and the top level; what is valid is listed."""
    good = '[profiles.kc]\nprovider = "keycloak"\nbase_url = "https://h.example"\nrealm = "r"\nclient_id = "c"\n'
    done = tokencli("providers", "check", "-", stdin=good)
    assert done.code == 0, done.err
    assert "keycloak: valid" in done.out and "profile kc: valid" in done.out
    for text, said in (
        (good.replace("realm", "relm"), "line 4: profiles.kc.relm"),
        (f'default_profile = "x"\n{good}', "line 1: default_profile"),
        ('default_profile = "x"\n', "line 1: default_profile"),
        ("[profiles]\n", "no provider and no profile"),
        (good.replace("[profiles", "[profile"), "profiles"),
    ):
        done = tokencli("providers", "check", "-", stdin=text)
        assert (done.code, done.out) == (3, "")
        assert said in done.err


UNNAMED = """[providers.acme]
title = "Acme"
endpoints.token = "https://{host}/t"
endpoints.userinfo = "https://evil.example/u"
endpoints.revocation = "https://{rev}/r"
fields = { host.kind = "host", rev = { kind = "host", default = "other.example" } }
"""


def test_every_server_is_shown_on_check_and_on_adding(
    tokencli: Run, write_config: Callable[[str], Path]
) -> None:
    """Those that the profile doesn't name are shown with the setting without which they are refused."""
    done = tokencli("providers", "check", str(write_config(UNNAMED)))
    assert "https://{host} (token requests)\n" in done.out
    assert (
        "https://evil.example (userinfo requests); refused unless the profile sets userinfo_url"
        in done.out
    )
    assert (
        "https://other.example (revocation requests); refused unless the profile sets rev"
        in done.out
    )
    row = json.loads(tokencli("providers", "check", str(write_config(UNNAMED)), "--json").out)
    assert [server["allowed"] for server in row["servers"]] == [True, False, False]
    options = ("--set", "host=h.example:8443", "--set", "client_id=c", "--set", "rev=r.example")
    done = tokencli("profiles", "add", "a", "--provider", "acme", "--no-input", *options)
    assert "provider acme sends to https://h.example:8443 (token requests)" in done.err
    assert "provider acme sends to https://r.example (revocation requests)\n" in done.err
    assert "https://evil.example (userinfo requests); refused" in done.err


def test_check_includes_the_profiles_of_the_file(tokencli: Run) -> None:
    """A mistake in a profile is reported with its line, and a secret is not quoted."""
    text = """
[providers.acme]
title = "Acme"
endpoints.token = "https://h.example/t"
request.send = { a = "{username}", b = "{password}" }
[profiles.acme]
provider = "acme"
usrname = "demo"
password = "canary-password"
"""
    done = tokencli("providers", "check", "-", stdin=text)
    assert done.code == 3
    assert "line 8: profiles.acme.usrname" in done.err
    assert "line 9: profiles.acme.password" in done.err
    assert "canary" not in done.err
    good = text.replace("usrname", "username").replace('password = "canary-password"', "")
    assert tokencli("providers", "check", "-", stdin=good).code == 0


def test_check_rejects_values_of_a_later_reply(tokencli: Run) -> None:
    """A value from the reply can't be used in the first request."""
    text = """title = "T"
endpoints.token = "https://h.example/t"
values.mark = "{token|sha256|hex}"
request.send = { a = "{mark}" }
"""
    done = tokencli("providers", "check", "-", stdin=text)
    assert done.code == 3
    assert "line 4" in done.err
    assert "mark" in done.err
    use = 'request.send = { a = "b" }\nuse = "X-Mark: {mark}"'
    later = text.replace('request.send = { a = "{mark}" }', use)
    assert tokencli("providers", "check", "-", stdin=later).code == 0


def test_new_from_curl_contains_no_secret(tokencli: Run) -> None:
    """Every value becomes a reference, none is printed, and the result passes `check`."""
    done = tokencli("providers", "new", "Acme", "--from-curl", "-", stdin=CURL)
    assert done.code == 0
    assert "canary" not in done.out + done.err
    assert "907431" not in done.out
    assert 'send = { user = "{username}", password = "{password}"' in done.out
    assert "keep = true" in done.out
    assert "check: where the token is" in done.err
    assert check_file(done.out, "acme")


HAR = {
    "log": {
        "entries": [
            {"request": {"method": "GET", "url": "https://h.example/logo.png", "headers": []}},
            {
                "request": {
                    "method": "POST",
                    "url": "https://h.example/api/auth/login",
                    "headers": [{"name": "Content-Type", "value": "application/json"}],
                    "postData": {"text": '{"userName": "canary-1", "password": "canary-2"}'},
                },
                "response": {
                    "content": {
                        "text": '{"data": {"refreshToken": "canary-3", "token": "canary-4"}}'
                    }
                },
            },
        ]
    }
}
POSTMAN = {
    "item": [
        {
            "name": "folder",
            "item": [
                {
                    "request": {
                        "method": "POST",
                        "url": {"raw": "{{host}}/oauth/token"},
                        "auth": {"type": "basic"},
                        "header": [],
                        "body": {
                            "mode": "urlencoded",
                            "urlencoded": [{"key": "grant_type", "value": "client_credentials"}],
                        },
                    },
                    "response": [{"body": '{"access_token": "canary", "expires_in": 1}'}],
                }
            ],
        }
    ]
}
OPENAPI = {
    "openapi": "3.1.0",
    "components": {
        "securitySchemes": {
            "o": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {
                        "tokenUrl": "https://h.example/token",
                        "scopes": {"a": ""},
                    }
                },
            }
        }
    },
}
BRUNO = """meta {
  name: login
}

post {
  url: https://h.example/login
  body: json
}

headers {
  X-Api-Key: canary-1
}

body:json {
  {"username": "canary-2", "password": "canary-3"}
}
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (json.dumps(HAR), ('access_token = "data.token"', 'refresh_token = "data.refreshToken"')),
        (
            json.dumps(POSTMAN),
            ('basic = "{client_id}:{client_secret}"', 'expires_in = "expires_in"'),
        ),
        (json.dumps(OPENAPI), ('token = "https://h.example/token"', 'scope = "a"')),
        (BRUNO, ('X-Api-Key = "{x_api_key}"', 'password = "{password}"')),
    ],
    ids=["har", "postman", "openapi", "bruno"],
)
def test_new_from_a_file(tokencli: Run, text: str, parts: tuple[str, ...]) -> None:
    """Files of other tools become providers that pass `check`, without their values."""
    done = tokencli("providers", "new", "--from", "-", stdin=text)
    assert done.code == 0, done.err
    for part in parts:
        assert part in done.out
    assert "canary" not in done.out + done.err
    assert check_file(done.out, "x")


def test_new_lists_requests_and_uses_the_picked_one(tokencli: Run) -> None:
    """The first is the likeliest; --pick chooses another, and one too high is a usage error."""
    path = str(RECORDINGS / "postman21.json")
    done = tokencli("providers", "new", "Fleet", "--from", path)
    assert "-> 1 POST https://fleet.example.com/oauth/token" in done.err
    assert "2 POST https://fleet.example.com/v1/{tenant}/login" in done.err
    other = tokencli("providers", "new", "Fleet", "--from", path, "--pick", "2")
    assert 'title = "Fleet"' in other.out
    assert "/v1/{tenant}/login" in other.out
    assert "canary" not in done.out + done.err + other.out + other.err
    assert check_file(other.out, "fleet")
    assert tokencli("providers", "new", "--from", path, "--pick", "3").code == 2


def test_pick_reaches_requests_that_are_not_listed(tokencli: Run) -> None:
    """Only the first 20 requests of a file are listed, and --pick accepts the others as well."""
    items = [
        {
            "name": f"login {number}",
            "request": {
                "method": "POST",
                "url": f"https://fleet.example.com/v{number}/login",
                "body": {"mode": "urlencoded", "urlencoded": [{"key": "password", "value": "x"}]},
            },
        }
        for number in range(1, 26)
    ]
    text = json.dumps({"info": {"name": "Fleet"}, "item": items})
    done = tokencli("providers", "new", "--from", "-", "--pick", "21", stdin=text)
    assert done.code == 0, done.err
    assert "https://fleet.example.com/v21/login" in done.out
    assert "25 token requests found" in done.err
    assert " 20 POST" in done.err
    assert "-> 21 POST" in done.err
    assert " 22 POST" not in done.err
    assert "only the first 20 are listed" in done.err
    assert tokencli("providers", "new", "--from", "-", "--pick", "26", stdin=text).code == 2


def test_new_from_a_bruno_folder(tokencli: Run) -> None:
    """Settings of the collection apply to its requests."""
    done = tokencli("providers", "new", "--from", str(RECORDINGS / "bruno"))
    assert done.code == 0, done.err
    assert 'endpoints.token = "https://parcels.example.com/oauth/token"' in done.out
    assert check_file(done.out, "parcels")


@pytest.fixture
def issuer() -> Iterator[str]:
    """Run a server with issuer metadata and one working endpoint."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"issuer": told, "token_endpoint": f"{told}/here"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            there = self.path == "/here"
            self.answer({"access_token": "x" * 20, "token_type": "Bearer", "expires_in": 3600} if there else {})  # fmt: skip

        def answer(self, body: dict[str, object]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        told = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def test_new_from_openapi_with_an_openid_issuer(
    tokencli: Run, write_config: Callable[[str], Path], issuer: str
) -> None:
    """openIdConnectUrl is enough: the issuer's metadata names the token endpoint."""
    scheme = {
        "type": "openIdConnect",
        "openIdConnectUrl": f"{issuer}/.well-known/openid-configuration",
    }
    described = {"openapi": "3.1.0", "components": {"securitySchemes": {"o": scheme}}}
    made = tokencli("providers", "new", "--from", "-", stdin=json.dumps(described)).out
    profile = (
        '[profiles.p]\nprovider = "own"\ngrant = "client_credentials"\nclient_id = "c"\nallow_http = true\n'
        'client_secret = { env = "OWN_SECRET" }\nstore = "none"\n'
    )
    write_config(f"{profile}[providers.own]\n{made}")
    done = tokencli("get", "p", env={"OWN_SECRET": "canary"})
    assert (done.code, done.out) == (0, "x" * 20 + "\n"), done.err


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        ("-sX POST -d grant_type=client_credentials -d client_secret=canary", "-s"),
        ("-so /dev/null -d grant_type=client_credentials -d client_secret=canary", "-o"),
        (
            "--retry-delay 5 -d grant_type=client_credentials -d client_secret=canary",
            "--retry-delay",
        ),
        (
            "-F grant_type=client_credentials --form 'client_secret=\"canary\"'",
            "multipart/form-data",
        ),
        (
            "--form-string grant_type=client_credentials -F client_secret=canary",
            "multipart/form-data",
        ),
    ],
)
def test_new_from_curl_reads_options_as_curl_does(tokencli: Run, options: str, listed: str) -> None:
    """The host is the URL's, the parameters arrive, and what was left out is listed."""
    command = f"curl {options} https://id.example.com/oauth2/token"
    done = tokencli("providers", "new", "--from-curl", "-", stdin=command)
    assert done.code == 0
    assert 'endpoints.token = "https://id.example.com/oauth2/token"' in done.out
    send = 'send = { grant_type = "client_credentials", client_secret = "{client_secret}" }'
    assert send in done.out
    assert listed in done.err
    assert "canary" not in done.out + done.err
    assert check_file(done.out, "acme")


def test_new_from_curl_with_several_requests_lists_them(tokencli: Run) -> None:
    """--pick chooses among the requests of one command line."""
    command = "curl https://h.example/login -d user=canary --next https://h.example/me"
    done = tokencli("providers", "new", "--from-curl", command, "--pick", "2")
    assert "2 token requests found" in done.err
    assert 'endpoints.token = "https://h.example/me"' in done.out


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("$ curl https://h.example/t", "contains a shell prompt"),
        ("curl -K x https://h.example/t", "with --config can't be imported"),
        ("curl --frobnicate https://h.example/t", "unknown option: --frobnicate"),
    ],
)
def test_new_from_curl_refuses_with_the_reason(tokencli: Run, command: str, reason: str) -> None:
    """A prompt, options that are elsewhere, and an option that curl doesn't know."""
    for option in ("--from-curl", "--from"):
        done = tokencli("providers", "new", option, "-", stdin=command)
        assert (done.code, done.out) == (3, "")
        assert reason in done.err


STRANGERS = """state_dir = "STATE"
[providers.acme]
title = "Acme"
client_auth = ["client_secret_post"]
grants = { client_credentials = {}, device_code = {} }
[providers.acme.endpoints]
token = "HOME/here"
device_authorization = "AWAY/device"
revocation = "AWAY/revoke"
introspection = "AWAY/introspect"
userinfo = "AWAY/userinfo"
issuer = "AWAY"
[profiles.p]
provider = "acme"
client_id = "c"
client_secret = { env = "OWN_SECRET" }
allow_http = true
store = "file"
[profiles.d]
provider = "acme"
grant = "device_code"
client_id = "c"
client_secret = { env = "OWN_SECRET" }
allow_http = true
store = "file"
"""


@pytest.mark.requirement(16)
def test_nothing_is_sent_to_a_server_that_only_the_provider_names(
    tokencli: Run, write_config: Callable[[str], Path], issuer: str, tmp_path: Path
) -> None:
    """Whatever the command, until the profile names the server; the token is fetched all the same."""
    env = {"OWN_SECRET": "canary"}
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0)
        away = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        text = STRANGERS.replace("HOME", issuer).replace("AWAY", away)
        write_config(text.replace("STATE", str(tmp_path / "state")))
        assert tokencli("get", "p", env=env).code == 0
        for command in (
            ("inspect", "p", "--userinfo"),
            ("inspect", "p", "--introspect"),
            ("logout", "p"),
            ("login", "d"),
        ):
            done = tokencli(*command, env=env)
            assert done.code == 3, (command, done)
            assert "a server that the profile does not name" in done.err
            with pytest.raises(BlockingIOError):
                stranger.accept()
        assert tokencli("profiles", "edit", "p", "--set", f"userinfo_url={away}/u").code == 0
        done = tokencli("inspect", "p", "--userinfo", "--timeout", "1s", env=env)
        assert "does not name" not in done.err and done.code == 6


@pytest.mark.parametrize("text", ["", "wget x", "curl", "curl 'x", "curl -d a=canary"])
def test_invalid_curl_is_not_quoted(tokencli: Run, text: str) -> None:
    """A command that can't be parsed ends with exit code 3, and none of it is printed."""
    done = tokencli("providers", "new", "--from-curl", "-", stdin=text)
    assert (done.code, done.out) == (3, "")
    assert "canary" not in done.err


def test_reference_lists_every_key(tokencli: Run) -> None:
    """Generated from the schema: each key of each table appears once, with its type."""
    from dataclasses import fields

    from tokencli.provider_schema import (
        Call,
        ErrorMeaning,
        Errors,
        Field,
        Grant,
        IssuanceRules,
        Provider,
        Reply,
    )

    text = tokencli("providers", "reference").out
    for kind in (Provider, Field, Grant, Reply, Call, Errors, ErrorMeaning, IssuanceRules):
        for each in fields(kind):
            assert each.name == "name" or f"- `{each.name}` (" in text


def test_dry_run_shows_the_request_and_reads_no_secret(
    tokencli: Run, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    """The exact request with `***` for secrets; their sources are not read."""
    write_config(config_text("vault-approle", tmp_path))
    done = tokencli("get", "p", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "POST https://vault.example.test:8200/v1/auth/approle/login"
    assert json.loads(done.out.splitlines()[-1]) == {"role_id": "role-1", "secret_id": "***"}
    assert "X-Vault-Namespace: ns1" in done.out


def test_dry_run_of_a_standard_oauth_request(
    tokencli: Run, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    """Basic authentication and secret parameters are masked; the rest is as it will be sent."""
    write_config(config_text("zoom-s2s", tmp_path))
    out = tokencli("get", "p", "--dry-run").out
    assert "Authorization: Basic ***" in out
    assert out.splitlines()[-1] == "grant_type=account_credentials&account_id=acc+1"
    write_config(config_text("azure-ad-v1", tmp_path))
    out = tokencli("get", "p", "--dry-run").out
    assert "client_secret=***" in out
    assert out.startswith("POST https://login.microsoftonline.com/ten%2Fant/oauth2/token\n")


def test_secrets_come_from_the_profiles_sources(tmp_path: Path) -> None:
    """The zoo's profiles read their secrets from environment variables."""
    assert all(name.startswith("ZOO_") for name in secrets_of("vault-approle"))
    assert "canary" not in config_text("vault-approle", tmp_path)
