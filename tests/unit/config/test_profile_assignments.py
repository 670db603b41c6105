"""`--set` and `--secret`: text becomes the value of a key, in the key's type."""

from typing import Any

import pytest

from tokencli.config.profile_assignments import parse_assignments, parse_secret_sources
from tokencli.errors import UsageError
from tokencli.providers.catalog import load_builtin

COMMAND = "tokencli profiles edit p"


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("scope=a b", "scope", "a b"),
        ("hot_copy=false", "hot_copy", False),
        ("redirect_port=8080", "redirect_port", 8080),
        ("timeout=5", "timeout", 5),
        ("timeout=2.5", "timeout", 2.5),
        ("timeout=1m30s", "timeout", "1m30s"),
        ("key_id=007", "key_id", "007"),
        ("resource=https://a.example,https://b.example", "resource",
         ["https://a.example", "https://b.example"]),
        ('resource=["https://a.example"]', "resource", ["https://a.example"]),
        ("params.tenant=acme=1", "params.tenant", "acme=1"),
        ("params.api.version=2", "params.api.version", "2"),
        ('params.scope_hint=["a", "b"]', "params.scope_hint", ["a", "b"]),
        ('params.details=[{"type": "x"}]', "params.details", '[{"type": "x"}]'),
        ("subject_token.profile=portal", "subject_token", {"profile": "portal"}),
        ("password.env=PW", "password", {"env": "PW"}),
        ("password.prompt=true", "password", {"prompt": True}),
        ("password.command=pass show 'a b'", "password", {"command": ["pass", "show", "a b"]}),
        ('password.command=["pass", "a b"]', "password", {"command": ["pass", "a b"]}),
        ("password.keyring.service=s", "password", {"keyring": {"service": "s"}}),
    ],
)  # fmt: skip
def test_values_have_the_type_of_their_key(written: str, key: str, value: Any) -> None:
    """A key is reached by its path, and its value is text, number, boolean, list or table."""
    assert parse_assignments([written], load_builtin("oauth2"), COMMAND) == {key: value}


def test_a_table_that_is_set_in_part_keeps_the_rest() -> None:
    """Both keys of a keyring entry can be set, at once or one of them later."""
    provider = load_builtin("oauth2")
    both = ["password.keyring.service=s", "password.keyring.username=u"]
    whole = {"password": {"keyring": {"service": "s", "username": "u"}}}
    assert parse_assignments(both, provider) == whole
    assert parse_assignments(both[1:], provider, COMMAND, whole) == whole
    other = {"password": {"env": "PW"}}
    assert parse_assignments(["password.prompt=true"], provider, COMMAND, other) == {
        "password": {"prompt": True}
    }


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        ("subject_token.profil=x", "'profil' is not a key of subject_token",
         f"{COMMAND} --set subject_token.profile=VALUE"),
        ("password.keyring.user=x", "'user' is not a key of password.keyring",
         f"{COMMAND} --set password.keyring.username=VALUE"),
        ("password.value=canary-7f3a", "'value' is not a key of password", None),
        ("password.keyring=canary-7f3a", "password.keyring is a table",
         f"{COMMAND} --set password.keyring.KEY=VALUE"),
        ("password.env.x=canary-7f3a", "password.env is not a table", None),
        ("scope.x=1", "scope is not a table", None),
        ("password.prompt=canary-7f3a", "password.prompt must be true or false",
         f"{COMMAND} --set password.prompt=true"),
        ("subject_token.profile", "--set subject_token.profile has no value",
         f"{COMMAND} --set subject_token.profile=VALUE"),
    ],
)  # fmt: skip
def test_unknown_nested_keys_name_the_nearest(written: str, message: str, fix: str | None) -> None:
    """The message names the part that is wrong, the fix has the nearest key, and no value is quoted."""
    with pytest.raises(UsageError) as error:
        parse_assignments([written], load_builtin("oauth2"), COMMAND)
    assert message in error.value.message
    assert error.value.fix == fix
    assert "canary" not in f"{error.value.message} {error.value.cause} {error.value.fix}"


@pytest.mark.parametrize(
    "written",
    [
        "client_secret=canary-91be",
        "password=canary-91be",
        "clientid=x",
        "scope",
        "insecure=yes",
        "scope.x=1",
    ],
)
def test_refused_assignments(written: str) -> None:
    """Secrets, unknown keys and missing values are refused, and no secret is quoted."""
    with pytest.raises(UsageError) as error:
        parse_assignments([written], load_builtin("oauth2"))
    assert "canary" not in f"{error.value.message} {error.value.fix}"


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("password=abc", "tokencli profiles edit p --secret password=env:VAR"),
        ("pasword=abc", "tokencli profiles edit p --secret password=env:VAR"),
        ("clientid=x", "tokencli profiles edit p --set client_id=VALUE"),
        ("scope", "tokencli profiles edit p --set scope=VALUE"),
        ("insecure=yes", "tokencli profiles edit p --set insecure=true"),
    ],
)
def test_refused_assignments_suggest_the_whole_command(written: str, fix: str) -> None:
    """The fix can be pasted: it has the command, the profile and the option."""
    with pytest.raises(UsageError) as error:
        parse_assignments([written], load_builtin("groupid"), "tokencli profiles edit p")
    assert error.value.fix == fix


def test_secret_sources() -> None:
    """Each source is written as in the file; a command is a list of words, not a shell line."""
    assert parse_secret_sources(
        ["password=env:P", "client_secret=command:pass show 'a b'"], load_builtin("groupid")
    ) == {"password": {"env": "P"}, "client_secret": {"command": ["pass", "show", "a b"]}}
    assert parse_secret_sources(
        ["password=prompt", "client_secret=file:/run/s"], load_builtin("groupid")
    ) == {
        "password": {"prompt": True},
        "client_secret": {"file": "/run/s"},
    }


@pytest.mark.parametrize(
    "written", ["password=canary-7f3a", "password", "passwort=env:X", "password=env:", "password=command:'", "password=command: "]
)  # fmt: skip
def test_refused_secret_sources(written: str) -> None:
    """Text without a source may be the secret itself, so it is refused and not quoted."""
    with pytest.raises(UsageError) as error:
        parse_secret_sources([written], load_builtin("groupid"))
    assert "canary" not in f"{error.value.message} {error.value.fix}"
