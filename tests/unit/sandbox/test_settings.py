"""The file of `--users`: what it may say, and every problem of a wrong one."""

import json
from pathlib import Path
from typing import Any

import pytest

import tokencli
from tokencli.errors import ConfigError, UsageError
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.settings import parse_settings, read_settings

PASSWORD = "canary-password-7f3a"
TABLES = {
    "users": {"bob": {"password": PASSWORD, "claims": {"groups": ["admins"], "n": 1, "x": None}}},
    "clients": {"shop": {"secret": "canary-secret-91be", "scopes": ["a", "b"]}, "spa": {}},
    "lifetimes": {"access_token": "5m", "refresh_token": 90},
}
AS_TOML = """
[users.bob]
password = "canary-password-7f3a"
claims = { groups = ["admins"], n = 1 }
[clients.shop]
secret = "canary-secret-91be"
scopes = ["a", "b"]
[clients.spa]
[lifetimes]
access_token = "5m"
refresh_token = 90
"""


def problems(tables: dict[Any, object], reserved: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return key path and suggestion of each problem, or its message if it has no suggestion."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(tables, "users.toml", reserved)
    assert caught.value.fix == "tokencli help sandbox"
    assert PASSWORD not in str(caught.value.problems)
    return [(each.where, each.right or each.what) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users.toml", AS_TOML),
        ("users", AS_TOML.replace("\n", "\r\n")),
        ("users.toml", "\ufeff" + AS_TOML),
        ("users.json", json.dumps(TABLES)),
        ("users", f"  {json.dumps(TABLES)}"),
    ],
)
def test_toml_and_json_mean_the_same(tmp_path: Path, name: str, text: str) -> None:
    """The format is recognized by the content or the suffix."""
    (tmp_path / name).write_text(text, newline="")
    found = read_settings(str(tmp_path / name))
    assert found.check_password("bob", PASSWORD)
    assert not found.check_password("bob", "") and not found.check_password("eve", PASSWORD)
    assert found.users["bob"].claims["groups"] == ["admins"]
    assert found.clients["shop"].scopes == ("a", "b")
    assert "client_credentials" in found.clients["shop"].grants
    assert found.clients["spa"].secret is None
    assert found.lifetimes == {"access_token": 300.0, "refresh_token": 90.0}
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", b"[users", "is not valid TOML"),
        ("a.toml", b"[users.x]\n[users.x]\n", "is not valid TOML"),
        ("a.json", b"[1]", "must be a JSON object"),
        ("a", b'{"users": {}, "users": {}}', "is not valid JSON"),
        ("a", b'{"users": ', "is not valid JSON"),
        ("a.json", b'{"a":' * 100_000, "is not valid JSON"),
        ("a.toml", b"# \xff", "is not encoded in UTF-8"),
        ("a.toml", b"#" * (1 << 20) + b"#", "is larger than 1 MiB"),
    ],
)
def test_unreadable_content(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """The error names the file and what is wrong with it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_settings(str(tmp_path / name))
    assert str(tmp_path / name) in caught.value.message


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file and a directory are mistakes of the command line."""
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError, match="can't read --users"):
            read_settings(str(path))


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ({"user": {}}, [("user", "did you mean users?")]),
        ({"users": []}, [("users", "write [users.NAME]")]),
        ({"users": {"bob": "x"}}, [("users.bob", "write [users.bob]")]),
        ({"users": {"": {}}}, [('users.""', "needs a name in printable characters")]),
        ({"users": {"bob": {}}}, [("users.bob.password", 'write password = "…"')]),
        ({"users": {"bob": {"password": 7}}}, [("users.bob.password", "put it in quotes")]),
        ({"users": {"bob": {"password": ""}}}, [("users.bob.password", "is empty")]),
        (
            {"users": {"bob": {"password": "x", "claim": {}}}},
            [("users.bob.claim", "did you mean claims?")],
        ),
        (
            {"users": {"bob": {"password": "x", "claims": {"exp": 1, "aud": "a", "sub": 1}}}},
            [
                ("users.bob.claims.exp", "remove it"),
                ("users.bob.claims.aud", "set the client's audience"),
                ("users.bob.claims.sub", "must be text"),
            ],
        ),
        (
            {"clients": {"x": {"claims": {"a": [{"b": float("nan")}]}}}},
            [("clients.x.claims.a", "is not a number that JSON has")],
        ),
        (
            {"clients": {"a b": {}, "taken": {}}},
            [
                ('clients."a b"', "use letters, digits, dots, hyphens and underscores"),
                ("clients.taken", "choose another name"),
            ],
        ),
        (
            {"clients": {"x": {"grants": ["authorisation_code", "token_exchange"]}}},
            [
                ("clients.x.grants", "did you mean authorization_code?"),
                ("clients.x.grants", "add secret"),
            ],
        ),
        (
            {"clients": {"x": {"scopes": [], "redirect_uris": ["/callback"], "audience": 1}}},
            [
                ("clients.x.audience", "must be text"),
                ("clients.x.redirect_uris", "'/callback' is not a URL without a fragment"),
                ("clients.x.scopes", "remove it, or name at least one"),
            ],
        ),
        (
            {"clients": {"x": {"scopes": ["read write", "é"]}}},
            [
                ("clients.x.scopes", "name each scope by itself"),
                ("clients.x.scopes", "'é' is not a scope"),
            ],
        ),
        (
            {1: {}, "users": {2: {}, "bob": {"password": "x", "claims": {"a": {1, 2}}}}},
            [
                ("1", "known: users, clients, lifetimes"),
                ("users.2", "needs a name in printable characters"),
                ("users.bob.claims.a", "is of the type set, which JSON doesn't have"),
            ],
        ),
        (
            {"lifetimes": {"acess_token": "5m", "id_token": "soon"}},
            [
                ("lifetimes.acess_token", "did you mean access_token?"),
                (
                    "lifetimes.id_token",
                    "is not valid: a duration is written 45s, 5m, 1h30m, or as a number of seconds",
                ),
            ],
        ),
    ],
)
def test_problems_name_the_key_and_what_was_meant(
    tables: dict[Any, object], found: list[tuple[str, str]]
) -> None:
    """Each problem has its key path and, if possible, the right name or value."""
    assert problems(tables, ("taken",)) == found


def test_all_problems_are_listed_at_once() -> None:
    """Nobody has to correct one mistake to see the next."""
    tables = {"users": {"a": {}, "b": {"password": 1}}, "lifetime": {}, "clients": {"x": 1}}
    assert len(problems(tables)) == 4


def test_problems_of_a_toml_file_name_the_line(tmp_path: Path) -> None:
    """The lines are those of the keys, or of the tables that lack them, in the file's order."""
    (tmp_path / "users.toml").write_text(
        "# users\n[users.bob]\n\n[users.eve]\npassword = 'x'\nclaims = {\"exp\" = 1}\n"
        "[clients.shop]\nscopes = [\n  'a',\n  'b c',\n]\n[lifetimes]\naccess_tokn = 5\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_settings(str(tmp_path / "users.toml"))
    found = [(each.line, each.where) for each in caught.value.problems]
    assert found == [
        (2, "users.bob.password"),
        (6, "users.eve.claims.exp"),
        (8, "clients.shop.scopes"),
        (13, "lifetimes.access_tokn"),
    ]


def test_tuples_in_a_mapping_are_lists() -> None:
    """Python code may write either."""
    tables = {
        "users": {"bob": {"password": "x", "claims": {"groups": ("a", "b")}}},
        "clients": {"x": {"scopes": ("read", "write")}},
    }
    assert parse_settings(tables).clients["x"].scopes == ("read", "write")


def test_names_of_the_sandbox_are_reserved() -> None:
    """A client can't replace one of the sandbox's clients or profiles."""
    for name in ("batch", "public", "groupid", "corp"):
        with pytest.raises(ConfigError) as caught:
            Sandbox(users={"clients": {name: {}}})
        assert caught.value.problems[0].what == "is already used by the sandbox"


@pytest.mark.parametrize("system", ["groupid", "socialid"])
def test_users_sign_in_at_the_other_systems(system: str, tmp_path: Path) -> None:
    """The password grants of the documented systems know the file's users as well as their own."""
    (tmp_path / "users.json").write_text(json.dumps(TABLES))
    with Sandbox(users=tmp_path / "users.json") as sandbox:
        (tmp_path / "password").write_text(PASSWORD)
        (tmp_path / "password").chmod(0o600)
        own = {"username": "bob", "password": {"file": str(tmp_path / "password")}}
        config = tmp_path / "config.toml"
        config.write_text(sandbox.render_config({system: own}))
        config.chmod(0o600)
        for path in (str(config), sandbox.config_file):
            assert tokencli.token(system, config=path)
        own, built_in = (each.subject for each in sandbox.issued_tokens)
    assert own == "bob" and built_in != "bob"


def test_unknown_user_of_sign_in() -> None:
    """The error says who was probably meant."""
    with pytest.raises(UsageError) as caught:
        Sandbox(sign_in="alcie")
    assert caught.value.cause == "did you mean alice?"
