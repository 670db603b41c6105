"""Loading a configuration: valid profiles are complete, and all problems are reported together."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tokencli.config.load import Config, UnknownProfileError, load_config
from tokencli.errors import ConfigError, ConfigProblem
from tokencli.models import Connection, SecretRef

GROUPID = """
[profiles.groupid]
provider = "groupid"
host = "demomachine"
username = "jdoe"
client_id = "c"
identity_store_id = "1"
"""
OAUTH2 = """
[profiles.corp]
provider = "oauth2"
token_url = "https://login.example.com/oauth2/token?tenant=x"
client_id = "batch"
"""


def config(text: str, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of that text."""
    return Config(Path("/etc/tokencli/config.toml"), text, environ or {})


def problems(text: str) -> dict[str, ConfigProblem]:
    """Return the problems of a text by their place."""
    return {problem.where: problem for problem in config(text).find_problems()}


def test_documented_example() -> None:
    """The documented example loads with its defaults filled in."""
    found = config(
        """
        default_profile = "groupid"
        [profiles.groupid]
        provider = "groupid"
        host = "demomachine:4443"
        username = "jdoe"
        client_id = "c"
        identity_store_id = "1"
        ca_file = "demo-ca.pem"
        password = { env = "GROUPID_PASSWORD" }
        client_secret = { file = "secret" }
        [profiles.corp]
        provider = "oauth2"
        grant = "client_credentials"
        token_url = "https://login.example.com/oauth2/token"
        client_id = "batch"
        scope = "read write"
        audience = "https://api.example.com"
        resource = ["https://a.example", "https://b.example"]
        params = { tenant = "acme" }
        export = "CORP_TOKEN"
        min_ttl = "2m"
        timeout = 5
        """
    )
    assert found.find_problems() == ()
    groupid, corp = found.get_profile("groupid"), found.get_profile("corp")
    assert groupid.token_url == "https://demomachine:4443/GroupIDSecurityService/connect/token"
    assert (groupid.grant, groupid.client_auth) == ("password", "client_secret_post")
    assert groupid.secrets == {
        "client_secret": SecretRef("file", "client_secret", "groupid", ("/etc/tokencli/secret",)),
        "password": SecretRef("env", "password", "groupid", ("GROUPID_PASSWORD",)),
    }
    assert groupid.connection == Connection(ca_file="/etc/tokencli/demo-ca.pem", profile="groupid")
    assert corp.params == {
        "tenant": "acme",
        "audience": "https://api.example.com",
        "resource": ("https://a.example", "https://b.example"),
    }
    assert (corp.export, corp.min_ttl, corp.connection.timeout) == ("CORP_TOKEN", 120.0, 5.0)
    assert corp.secrets["client_secret"].target == (
        "tokencli:corp:client_secret",
        "https://login.example.com:443",
    )
    assert "password" not in corp.secrets
    assert corp.value_sources["scope"] == "config.toml"
    assert corp.value_sources["client_auth"] == "provider oauth2"


def test_provider_defaults() -> None:
    """A host gets the documented port, a base URL its default."""
    found = config(
        GROUPID + '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    )
    assert found.get_profile("groupid").values["host"] == "demomachine:4443"
    assert (
        found.get_profile("s").token_url == "https://api.socialidnow.com/v2/marketing/oauth/token"
    )


def test_token_url_overrides_the_template() -> None:
    """A profile with token_url needs neither host nor base URL."""
    text = GROUPID.replace('host = "demomachine"', 'token_url = "https://x.example/t"')
    assert config(text).get_profile("groupid").token_url == "https://x.example/t"


@pytest.mark.requirement(16)
@pytest.mark.parametrize(
    ("named", "origin"),
    [
        ('token_url = "https://ID.example:8443/token"', "https://id.example:8443"),
        ('issuer = "https://id.example/realm"', "https://id.example:443"),
        (
            'issuer = "https://id.example"\ntoken_url = "https://tokens.example/t"',
            "https://tokens.example:443",
        ),
    ],
)
def test_keyring_secret_is_bound_to_one_server(named: str, origin: str) -> None:
    """Its user name is the origin of the token endpoint, or of the issuer that will supply it."""
    text = f'[profiles.corp]\nprovider = "oauth2"\nclient_id = "x"\n{named}\n'
    ref = config(text).get_profile("corp").secrets["client_secret"]
    assert ref.target == ("tokencli:corp:client_secret", origin)


def test_unknown_key_gets_a_short_suggestion() -> None:
    """A near miss is named and a top-level key is sent to the top; no long list."""
    found = problems(OAUTH2 + 'scpe = "a"\nzzzz = 1\nstate_dir = "/x"\ndefault_profile = "corp"\n')
    assert found["profiles.corp.scpe"].right == "did you mean scope?"
    assert found["profiles.corp.zzzz"].what == "is not a key of provider oauth2"
    assert found["profiles.corp.zzzz"].right == "tokencli profiles schema lists them"
    for key in ("state_dir", "default_profile"):
        assert found[f"profiles.corp.{key}"].what == "belongs at the top of the file"


def test_all_problems_in_file_order() -> None:
    """Invalid values, missing and unknown keys and unknown providers come together, with lines."""
    found = config(
        """default_profile = "groupd"
colour = "red"
[profiles.groupid]
provider = "groupid"
host = "https://demomachine:4443/GroupID"
client_Id = "c"
username = 7
[profiles.other]
provider = "groupd"
[profiles.third]
client_id = "x"
"""
    ).find_problems()
    assert [(problem.line, problem.where) for problem in found] == [
        (1, "default_profile"),
        (2, "colour"),
        (3, "profiles.groupid.identity_store_id"),
        (5, "profiles.groupid.host"),
        (6, "profiles.groupid.client_Id"),
        (7, "profiles.groupid.username"),
        (9, "profiles.other.provider"),
        (10, "profiles.third.provider"),
    ]
    by_place = {problem.where: problem for problem in found}
    assert by_place["default_profile"].right == "did you mean groupid?"
    assert by_place["profiles.groupid.host"].right == 'write "demomachine:4443"'
    assert by_place["profiles.groupid.client_Id"].right == "did you mean client_id?"
    assert by_place["profiles.groupid.username"].right == 'must be text in quotes: "7"'
    assert by_place["profiles.other.provider"].right == "did you mean groupid?"


def test_valid_profile_works_despite_other_problems() -> None:
    """One profile is validated without the others; an invalid one raises with all problems."""
    text = GROUPID + '[profiles.bad]\nprovider = "nothing"\n[profiles.worse]\nx = 1\n'
    assert config(text).get_profile("groupid").name == "groupid"
    with pytest.raises(ConfigError) as error:
        config(text).get_profile("bad")
    assert {"profiles.bad.provider", "profiles.worse.provider"} == {
        problem.where for problem in error.value.problems
    }


def test_other_profiles_are_not_validated() -> None:
    """Using one profile validates one table, however many there are."""
    others = "".join(f'[profiles.p{n}]\nprovider = "nothing"\n' for n in range(10_000))
    found = config(GROUPID + others)
    found.get_profile("groupid")
    assert set(found._resolved_profiles) == {"groupid"}


@pytest.mark.parametrize("key", ["password", "client_secret", "social_access_token"])
def test_inline_secret_is_rejected_and_not_shown(key: str) -> None:
    """The error names the command that stores it, never the secret."""
    text = f'[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n{key} = "canary-password-7f3a"\n'
    problem = problems(text)[f"profiles.s.{key}"]
    assert "tokencli login s" in (problem.right or "")
    assert "canary" not in f"{problem}"


@pytest.mark.parametrize(
    "line",
    [
        'passwrod = "canary-password-7f3a"',
        'password = { value = "canary-password-7f3a" }',
        'password = { env = "canary-password-7f3a" }',
        'password = ["canary-password-7f3a"]',
        'password = { command = "canary-password-7f3a" }',
        'params = { client_secret = "canary-password-7f3a" }',
        'params = { x = 1, y = "canary-password-7f3a" }',
        'token_url = "https://u:canary-password-7f3a@h.example/"',
        'token_url = "ftp://h.example/?client_secret=canary-password-7f3a"',
        'proxy = "http://u:canary-password-7f3a@proxy.example:3128"',
    ],
)
def test_misplaced_secret_is_not_shown(line: str) -> None:
    """Wherever a secret is written by mistake, it is not repeated."""
    found = config(GROUPID + line + "\n").find_problems()
    assert found
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("line", "kind", "target"),
    [
        ('{ env = "X" }', "env", ("X",)),
        ('{ file = "~/s" }', "file", ("{home}/s",)),
        ('{ file = "/abs/s" }', "file", ("/abs/s",)),
        ('{ command = ["pass", "show", "x"] }', "command", ("pass", "show", "x")),
        ("{ prompt = true }", "prompt", ()),
        ('{ keyring = { service = "s", username = "u" } }', "keyring", ("s", "u")),
    ],
)
def test_secret_references(line: str, kind: str, target: tuple[str, ...]) -> None:
    """Each kind of secret source becomes a SecretRef, with absolute paths."""
    ref = config(f"{GROUPID}password = {line}\n").get_profile("groupid").secrets["password"]
    assert (ref.kind, ref.name) == (kind, "password")
    assert ref.target == tuple(part.replace("{home}", str(Path.home())) for part in target)


@pytest.mark.parametrize(
    "line",
    [
        "{}", "{ prompt = false }", '{ env = "X", file = "y" }', "{ command = [] }",
        '{ command = ["a", 1] }', '{ keyring = { service = "s" } }', '{ envy = "X" }', "true", "1979-05-27",
        '{ keyring = { service = "tokencli:other:password", username = "password" } }',
        '{ keyring = { service = "tokencli:groupid:password", username = "https://evil.example:443" } }',
    ],
)  # fmt: skip
def test_invalid_secret_references(line: str) -> None:
    """No source, two sources, and entries of another profile or server are problems."""
    assert problems(f"{GROUPID}password = {line}\n")


def test_one_of_username_and_email_address() -> None:
    """Social-ID needs exactly one; both or none is a problem."""
    head = '[profiles.s]\nprovider = "socialid"\nclient_id = "138"\n'
    assert "none of username, email_address" in problems(head)["profiles.s"].what
    both = problems(head + 'username = "a"\nemail_address = "a@b.c"\n')["profiles.s"]
    assert both.right == "keep one of username, email_address"
    for one in ('username = "a"\n', 'email_address = "a@b.c"\n'):
        assert config(head + one).find_problems() == ()


def test_host_and_token_url_exclude_each_other() -> None:
    """The endpoint of GroupID is set once."""
    assert "profiles.groupid" in problems(GROUPID + 'token_url = "https://x.example/"\n')


def test_password_grant_is_opt_in() -> None:
    """Plain OAuth needs explicit permission; a system with no other grant implies it."""
    text = OAUTH2 + 'grant = "password"\nusername = "j"\n'
    assert "RFC 9700" in problems(text)["profiles.corp.grant"].what
    assert config(text + "allow_password_grant = true\n").find_problems() == ()
    assert config(GROUPID).find_problems() == ()


OWN_PASSWORD = """
[providers.own]
title = "Own"
endpoints.token = "https://{host}/t"
fields.host.kind = "host"
request.send = { user = "{username}", password = "{password}" }
[profiles.p]
provider = "own"
host = "h.example"
username = "demo"
"""


def test_insecure_protects_credentials_of_user_defined_providers() -> None:
    """A password in any request, and a token to exchange."""
    assert config(OWN_PASSWORD).find_problems() == ()
    assert "profiles.p.insecure" in problems(OWN_PASSWORD + "insecure = true\n")
    traded = OAUTH2 + 'grant = "token_exchange"\n'
    traded += 'subject_token = { env = "T" }\n'
    assert config(traded).find_problems() == ()
    assert "profiles.corp.insecure" in problems(traded + "insecure = true\n")


def test_insecure_needs_a_second_permission_for_passwords() -> None:
    """Accepting any certificate and sending a password needs allow_insecure_password."""
    assert "profiles.groupid.insecure" in problems(GROUPID + "insecure = true\n")
    assert (
        config(GROUPID + "insecure = true\nallow_insecure_password = true\n").find_problems() == ()
    )
    assert config(OAUTH2 + "insecure = true\n").find_problems() == ()


@pytest.mark.parametrize(
    ("url", "allowed", "good"),
    [
        ("https://h.example/t", False, True),
        ("http://127.0.0.1:8080/t", False, False),
        ("http://127.0.0.1:8080/t", True, True),
        ("http://[::1]:8080/t", True, True),
        ("http://localhost:8080/t", True, False),
        ("http://h.example/t", True, False),
    ],
)
def test_http_needs_loopback_and_permission(url: str, allowed: bool, good: bool) -> None:
    """http is accepted for a loopback literal, and only with allow_http."""
    text = f'[profiles.c]\nprovider = "oauth2"\nclient_id = "x"\ntoken_url = "{url}"\n'
    found = problems(text + ("allow_http = true\n" if allowed else ""))
    assert ("profiles.c.token_url" not in found) is good


@pytest.mark.parametrize(
    "line",
    [
        'export = "PATH"', 'export = "LD_PRELOAD"', 'export = "a-b"', 'export = ""', 'store = "disk"',
        'timeout = "0s"', 'timeout = "soon"', "timeout = true", "timeout = nan", "min_ttl = -1",
        'lock_timeout = "11y"', 'insecure = "yes"', "insecure = 1", "hot_copy = 1979-05-27",
        'scope = " a"', 'scope = "a  b"', 'scope = "a\\tb"', 'scope = ""', "resource = []",
        'client_id = ""', 'client_id = " x"', 'client_id = "a\\u0000b"', 'client_id = "a\\nb"',
        'client_auth = "client_secret_jwe"', 'grant = "implicit"', 'basic_encoding = "utf8"',
        'proxy = "socks5://h.example:1"', 'proxy = "h.example"', 'ca_file = ""', "params = 1",
        'params = { grant_type = "x" }', 'params = { Scope = "x" }', "params = { a = 1 }",
        'params = { a = "x\\u001by" }', 'params = { client_Id = "x" }', "tokenurl = 1",
    ],
)  # fmt: skip
def test_invalid_values(line: str) -> None:
    """Each invalid value is exactly one problem, at its key or line."""
    text = (GROUPID if "client_Id" in line else OAUTH2).replace(
        'client_id = "batch"\n', "" if line.startswith("client_id") else 'client_id = "batch"\n'
    )
    found = config(f"{text}{line}\n").find_problems()
    assert len(found) == 1
    assert found[0].line == (text + line).count("\n") + 1


def test_unknown_keys_get_suggestions() -> None:
    """Casing, misspellings and common synonyms lead to the key."""
    for written, key in {
        "client_Id": "client_id",
        "clientid": "client_id",
        "user": "username",
        "scopes": "scope",
        "tokenurl": "token_url",
        "CA_FILE": "ca_file",
    }.items():
        text = (
            OAUTH2.replace("client_id", written)
            if key == "client_id"
            else f"{OAUTH2}{written} = 'x'\n"
        )
        assert problems(text)[f"profiles.corp.{written}"].right == f"did you mean {key}?"


def test_profile_outside_profiles_gets_a_suggestion() -> None:
    """A table that looks like a profile is answered with its right name."""
    text = '[groupid]\nprovider = "groupid"\n'
    assert problems(text)["groupid"].right == "write [profiles.groupid]"


@pytest.mark.parametrize("name", ["../x", "a b", "", ".a", "a" * 65, "a/b", "é", "\\u001b[31m"])
def test_invalid_profile_names(name: str) -> None:
    """A name consists of letters, digits and few other characters: no path, no escape sequence."""
    text = OAUTH2.replace("[profiles.corp]", f'[profiles."{name}"]')
    assert [one.what for one in config(text).find_problems()] == [
        "is not a valid name for a profile"
    ]


def test_all_problems_of_a_profile() -> None:
    """An invalid name, provider, grant or method hides no problem that is independent of it."""
    rest = 'client_id = 138\npassword = { envv = "X" }\ntimeout = "soon"\n'
    both = 'username = "j"\nemail_address = "j@a.example"\n'
    named = problems(f'[profiles."c d"]\nprovider = "socialid"\n{both}{rest}')
    keys = {"client_id", "password.envv", "timeout"}
    assert named.keys() == {'profiles."c d"', *(f'profiles."c d".{key}' for key in keys)}
    every = [
        one.what
        for one in config(f'[profiles."c d"]\nprovider = "socialid"\n{both}{rest}').find_problems()
    ]
    assert "is not a valid name for a profile" in every
    assert "sets username and email_address" in every
    for provider in ('provider = "socialidd"', "provider = 3", "", 'provider = "own"'):
        found = problems(
            f"[profiles.p]\n{provider}\ntenant = 'mine'\n{rest}[providers.own]\nx = 1\n"
        )
        reported = {
            where.removeprefix("profiles.p.") for where in found if where.startswith("profiles.p")
        }
        assert reported - {"provider"} == keys, provider
    found = problems(
        f'[profiles.p]\nprovider = "socialid"\nclient_auth = "x"\n{both}client_id = 138\n'
    )
    assert found.keys() == {"profiles.p", "profiles.p.client_auth", "profiles.p.client_id"}
    reserved = problems(OAUTH2 + "params = { scope = 'a', state = 'b', tenant = 'c' }\n")
    assert "contain scope" in reserved["profiles.corp.params"].what
    assert "contain state" in reserved["profiles.corp.params"].what


def test_invalid_grant_requires_only_common_keys() -> None:
    """With an invalid grant, only keys that every grant needs are reported missing."""
    found = problems('[profiles.p]\nprovider = "oauth2"\ngrant = "client-credentials"\n')
    wanted = {"profiles.p.grant", "profiles.p.token_url", "profiles.p.client_id"}
    assert found.keys() == wanted
    assert found["profiles.p.grant"].right == "did you mean client_credentials?"


@pytest.mark.parametrize(
    "text",
    ["profiles = 1", "profiles = []", "providers = 1", "default_profile = 1", "profiles.a = 1",
     "state_dir = true", "providers.x = 1"],
)  # fmt: skip
def test_non_tables(text: str) -> None:
    """Anything else in place of a table is a problem, not a traceback."""
    assert config(text).find_problems()


def test_profile_selection_order() -> None:
    """The flag, TOKENCLI_PROFILE, default_profile and the only profile, in this order."""
    two = GROUPID + OAUTH2
    assert (
        config(f'default_profile = "corp"\n{two}', {"TOKENCLI_PROFILE": "x"}).choose_profile("flag")
        == "flag"
    )
    assert (
        config(f'default_profile = "corp"\n{two}', {"TOKENCLI_PROFILE": "x"}).choose_profile(None)
        == "x"
    )
    assert config(f'default_profile = "corp"\n{two}').choose_profile(None) == "corp"
    assert config(GROUPID, {"TOKENCLI_PROFILE": ""}).choose_profile(None) == "groupid"
    with pytest.raises(ConfigError, match="groupid, corp"):
        config(two).choose_profile(None)
    with pytest.raises(ConfigError, match="no profile yet") as error:
        config("").choose_profile(None)
    assert "tokencli profiles add" in (error.value.fix or "")


def test_missing_file_that_cannot_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fix names another file: `profiles add` couldn't write this one."""
    monkeypatch.setattr("tokencli.config.load.is_creatable", lambda _: False)  # root can do it
    path = tmp_path / ".config" / "tokencli" / "config.toml"
    missing = load_config(path, {"HOME": str(tmp_path)}, must_exist=False)
    error = missing.no_profile_error()
    assert "you can't create it" in (error.cause or "")
    assert (error.fix or "").startswith("export TOKENCLI_CONFIG=")


@pytest.mark.parametrize(
    ("environ", "usual_exists", "named_by", "fix"),
    [
        ({"TOKENCLI_CONFIG": "{path}"}, True, "TOKENCLI_CONFIG", "unset TOKENCLI_CONFIG"),
        ({"TOKENCLI_CONFIG": "{path}"}, False, "TOKENCLI_CONFIG", "tokencli profiles add"),
        ({}, True, "--config", "--config {path}"),
        ({"TOKENCLI_CONFIG": "/other"}, True, "--config", "--config {path}"),
    ],
)
def test_missing_file_is_named_with_its_origin(
    environ: dict[str, str], usual_exists: bool, named_by: str, fix: str, tmp_path: Path
) -> None:
    """A file that doesn't exist isn't "no profile yet": what names it is named, and a way out."""
    path = tmp_path / "none.toml"
    usual = tmp_path / ".config" / "tokencli" / "config.toml"
    if usual_exists:
        usual.parent.mkdir(parents=True)
        usual.touch()
    variables = {name: value.format(path=path) for name, value in environ.items()}
    missing = load_config(path, {"HOME": str(tmp_path)} | variables, must_exist=False)
    for get in (lambda: missing.choose_profile(None), lambda: missing.get_profile("p")):
        with pytest.raises(UnknownProfileError, match=f"{path} does not exist") as error:
            get()
        assert named_by in (error.value.cause or "")
        assert fix.format(path=path) in (error.value.fix or "")


def test_unknown_profile_gets_a_suggestion() -> None:
    """A misspelled name gets a suggestion and the list."""
    with pytest.raises(UnknownProfileError) as error:
        config(GROUPID + OAUTH2).get_profile("group-id")
    assert "did you mean groupid?" in error.value.message
    assert "groupid, corp" in (error.value.cause or "")
    assert error.value.fix == "tokencli profiles"


def test_provider_scope_is_the_default() -> None:
    """The provider's scope is requested if the profile sets none."""
    own = """
    [providers.p]
    title = "P"
    scope = "api"
    endpoints = { token = "https://p.example/token" }
    grants = { client_credentials = {} }
    [profiles.a]
    provider = "p"
    client_id = "x"
    [profiles.b]
    provider = "p"
    client_id = "x"
    scope = "other"
    """
    found = config(own)
    assert (found.get_profile("a").scope, found.get_profile("b").scope) == ("api", "other")
    assert found.get_profile("a").value_sources["scope"] == "provider p"


def test_header_values_are_checked() -> None:
    """A value that a provider sends in a header must be valid there."""
    own = """
    [providers.p]
    title = "P"
    endpoints = { token = "https://p.example/token" }
    grants = { client_credentials = {} }
    request = { headers = { X-Tenant = "{tenant}" } }
    fields = { tenant = { ask = "Tenant" } }
    [profiles.a]
    provider = "p"
    client_id = "x"
    tenant = "TENANT"
    """
    assert config(own).find_problems() == ()
    assert "header" in problems(own.replace('"TENANT"', '"é"'))["profiles.a.tenant"].what


def test_relative_state_dir() -> None:
    """Relative paths start at the directory of the file."""
    assert (
        config(f'state_dir = "state"\n{GROUPID}').get_profile("groupid").state_dir
        == "/etc/tokencli/state"
    )


def test_grant_type_override() -> None:
    """grant_type sets the value on the wire for servers with a non-standard one."""
    assert (
        config(GROUPID + 'grant_type = "password"\n').get_profile("groupid").values["grant_type"]
        == "password"
    )


def test_isolated_configuration_requires_a_state_dir() -> None:
    """Without one it would share the files of all configurations."""
    text = f"isolated = true\n{OAUTH2}"
    assert problems(text)["isolated"].right == 'add state_dir = "…"'
    assert not config(text).isolated
    assert config(f'state_dir = "/s"\n{text}').get_profile("corp").isolated
