"""Whose secret it is: which settings are compared, and what happens if they differ."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FakeContext
from tokencli.config.load import Config
from tokencli.core.secret_account import describe_account, read_secret
from tokencli.errors import KeyringError
from tokencli.models import Profile, Secret

OAUTH2 = {
    "provider": "oauth2",
    "grant": "password",
    "allow_password_grant": "true",
    "token_url": "https://id.example.com/t1/token",
    "client_id": "c",
    "username": "alice",
    "client_auth": "client_secret_post",
}
GROUPID = {
    "provider": "groupid", "host": "a.example", "client_id": "c", "username": "alice", "identity_store_id": "1"
}  # fmt: skip
KEYCLOAK = {
    "provider": "keycloak", "base_url": "https://id.example.com/auth", "realm": "r1", "client_id": "c",
    "grant": "client_credentials",
}  # fmt: skip


ISSUER = {
    "provider": "oauth2", "issuer": "https://id.example.com/t1", "client_id": "c", "grant": "client_credentials",
}  # fmt: skip


def profile_of(keys: Mapping[str, str], **changes: str) -> Profile:
    """Return the profile with these keys; an empty value removes one."""
    table = "".join(
        f"{key} = {value if value == 'true' else repr(value)}\n"
        for key, value in {**keys, **changes}.items()
        if value
    )
    return Config(Path("config.toml"), f"[profiles.p]\n{table}", {}).get_profile("p")


def test_account_is_what_the_profile_itself_says() -> None:
    """User or client and tenant; neither hosts nor what the provider supplies."""
    assert describe_account(profile_of(OAUTH2), "password") == {
        "username": "alice", "path": "/t1/token"
    }  # fmt: skip
    assert describe_account(profile_of(OAUTH2), "client_secret") == {
        "client_id": "c", "path": "/t1/token"
    }  # fmt: skip
    assert describe_account(profile_of(GROUPID), "password") == {
        "username": "alice", "identity_store_id": "1"
    }  # fmt: skip
    assert describe_account(profile_of(GROUPID), "client_secret") == {"client_id": "c"}
    assert describe_account(profile_of(KEYCLOAK), "client_secret") == {
        "client_id": "c", "base_url": "/auth", "realm": "r1"
    }  # fmt: skip
    assert describe_account(profile_of(OAUTH2), "private_key") == {}


def read_after_change(keys: Mapping[str, str], name: str, **changes: str) -> Secret | None:
    """Store a secret for a profile, and read it after these changes."""
    return read_as(profile_of(keys, **changes), profile_of(keys), name)


def read_as(after: Profile, before: Profile, name: str) -> Secret | None:
    """Store a secret for one profile, and read it for another."""
    ctx, ref = FakeContext(), before.secrets[name]
    ctx.keyring.store_secret(ref, Secret("canary"), describe_account(before, name))
    return read_secret(after, ref, ctx)


@pytest.mark.parametrize(
    ("keys", "name", "changes", "words"),
    [
        (OAUTH2, "password", {"username": "bob"}, "for username alice, but the profile now has username bob"),
        (OAUTH2, "password", {"token_url": "https://id.example.com/t2/token"}, "for the path /t1/token, .* has the path /t2/token"),
        (OAUTH2, "password", {"token_url": "", "issuer": "https://id.example.com"}, "for the path /t1/token, but the profile names none"),
        (GROUPID, "password", {"host": "", "token_url": "https://a.example:4443/t2"}, "before the profile had the path /t2"),
        (ISSUER, "client_secret", {"issuer": "https://id.example.com/t2"}, "for the path /t1, .* has the path /t2"),
        (ISSUER, "client_secret", {"token_url": "https://id.example.com/t2/token"}, "has the path /t2/token"),
        (OAUTH2, "client_secret", {"client_id": "d"}, "for client_id c, .* client_id d"),
        (GROUPID, "password", {"identity_store_id": "2"}, "for identity_store_id 1, .* identity_store_id 2"),
        (KEYCLOAK, "client_secret", {"realm": "r2"}, "for realm r1, .* realm r2"),
        (KEYCLOAK, "client_secret", {"base_url": "https://id.example.com/b"}, "base_url /auth, .* /b"),
    ],
)  # fmt: skip
def test_secret_of_another_account_is_not_read(
    keys: Mapping[str, str], name: str, changes: dict[str, str], words: str
) -> None:
    """The message says for whom it was stored, and the fix is to type the other account's."""
    with pytest.raises(KeyringError, match=words) as error:
        read_after_change(keys, name, **changes)
    assert error.value.fix == "tokencli login p --again"
    assert not error.value.affects_whole_keyring
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "name", "changes"),
    [
        (OAUTH2, "password", {}),
        (OAUTH2, "password", {"client_id": "d"}),
        (OAUTH2, "client_secret", {"username": "bob"}),
        (OAUTH2, "password", {"issuer": "https://id.example.com/t1"}),
        (OAUTH2, "password", {"issuer": "https://id.example.com/elsewhere"}),
        (GROUPID, "password", {"issuer": "https://a.example:4443/GroupIDSecurityService"}),
        (GROUPID, "client_secret", {"issuer": "https://a.example:4443/GroupIDSecurityService"}),
        (
            GROUPID,
            "password",
            {
                "host": "",
                "token_url": "https://a.example:4443/GroupIDSecurityService/connect/token",
            },
        ),
        (ISSUER, "client_secret", {"token_url": "https://id.example.com/t1/token"}),
        (GROUPID, "client_secret", {"identity_store_id": "2"}),
        (OAUTH2, "password", {"scope": "s", "timeout": "5s"}),
    ],
)
def test_other_changes_leave_the_secret_usable(
    keys: Mapping[str, str], name: str, changes: dict[str, str]
) -> None:
    """A change that doesn't concern the account asks for nothing again."""
    before, after = profile_of(keys), profile_of(keys, **changes)
    assert read_as(after, before, name) == Secret("canary")
    assert read_as(before, after, name) == Secret("canary"), "and so does undoing it"


def test_discovered_endpoint_is_the_same_account() -> None:
    """What the issuer's metadata fills in is not a change."""
    profile = profile_of(ISSUER)
    discovered = replace(profile, token_url="https://id.example.com/oauth2/v2/token")
    assert read_as(discovered, profile, "client_secret") == Secret("canary")


def test_secret_without_a_record_is_read() -> None:
    """Release 0.1 recorded nothing."""
    ctx, profile = FakeContext(), profile_of(OAUTH2)
    ctx.keyring.store_secret(profile.secrets["password"], Secret("canary"))
    changed = profile_of(OAUTH2, username="bob")
    assert read_secret(changed, profile.secrets["password"], ctx) == Secret("canary")
