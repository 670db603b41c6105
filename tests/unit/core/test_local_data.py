"""Deleting local data if the keyring can't be reached: everything else is deleted, and the rest named."""

from dataclasses import dataclass

import pytest

from tests.fakes import FakeContext, FakeKeyring, FakeStore, keyring_ref, make_profile
from tokencli.core.local_data import delete_local_data
from tokencli.core.logout import log_out
from tokencli.errors import KeyringError
from tokencli.models import Secret, SecretRef, StoredTokenSet, TokenSet
from tokencli.protocols import TokenStore
from tokencli.token_store.credential_key import derive_binding

PROFILE = make_profile()


@dataclass
class MissingKeyringStore(FakeStore):
    """The store of an unreachable keyring that holds tokens."""

    noted: bool = True

    def load(self, key: str) -> StoredTokenSet | None:
        raise KeyringError("there is no keyring")

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        if not self.noted:
            return 0
        self.noted = not force
        raise KeyringError("there is no keyring")


@dataclass
class MissingKeyring(FakeKeyring):
    """An unreachable keyring."""

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        raise KeyringError("there is no keyring")


@dataclass
class KeyringGoneContext(FakeContext):
    """A context with an unreachable keyring and a file store."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gone = MissingKeyringStore("keyring")
        self.keyring = MissingKeyring()
        token = TokenSet(Secret("canary-t"), "Bearer", 0.0, 1.0)
        self.fake_store.stored_tokens[derive_binding(PROFILE).key] = StoredTokenSet(
            derive_binding(PROFILE), token
        )

    def all_token_stores(self, profile: object) -> list[TokenStore]:
        return [self.gone, self.fake_store]


@pytest.mark.parametrize("secrets", [False, True])
def test_unreachable_keyring_names_force(secrets: bool) -> None:
    """Everything that can be reached is deleted, and the error names --force."""
    ctx = KeyringGoneContext()
    with pytest.raises(
        KeyringError,
        match=r"deleted 1 token of profile 'p'; couldn't check the keyring for older tokens",
    ) as caught:
        log_out(PROFILE, ctx, secrets=secrets)
    more = " --secrets" if secrets else ""
    assert caught.value.fix == f"tokencli logout p{more} --force"
    assert not ctx.fake_store.stored_tokens
    assert ctx.gone.noted


@pytest.mark.parametrize("secrets", [False, True])
def test_force_lists_what_is_left(secrets: bool) -> None:
    """With the commands that delete it later. After that nothing refers to the keyring any more."""
    ctx = KeyringGoneContext()
    result = log_out(PROFILE, ctx, secrets=secrets, force=True)
    assert (result.token_count, result.secret_names) == (1, ())
    assert not ctx.gone.noted
    (line,) = ctx.terminal.messages
    services = ["token", *(["password", "client_secret"] if secrets else [])]
    for name in services:
        assert ctx.keyring.delete_command(f"tokencli:p:{name}") in line
    assert line.count("tokencli:p:") == len(services)
    ctx.terminal.messages.clear()
    assert log_out(PROFILE, ctx, force=True).token_count == 0
    assert ctx.terminal.messages == []


def test_user_defined_keyring_item() -> None:
    """The delete command names service and user, because other items of the service aren't the profile's."""
    theirs = SecretRef("keyring", "password", "p", ("corp", "jdoe"))
    profile = make_profile(
        secrets={"password": theirs, "client_secret": keyring_ref("client_secret")}
    )
    ctx = KeyringGoneContext()
    delete_local_data(profile, ctx, secrets=True, force=True)
    assert ctx.keyring.delete_command("corp", "jdoe") in ctx.terminal.messages[0]
