"""Forgetting with a keyring that can't be reached: everything else goes, and what stays is said."""

from dataclasses import dataclass

import pytest

from tests.fakes import FakeEdges, FakeKeeper, FakeStore, keyring_ref, make_profile
from tokencli.actions.forget import clearing, forget
from tokencli.actions.logout import logout
from tokencli.errors import KeyringError
from tokencli.model import Secret, SecretRef, StoredToken, TokenSet
from tokencli.ports import TokenStore
from tokencli.stores.key import binding

PROFILE = make_profile()


@dataclass
class GoneStore(FakeStore):
    """The store of a keyring that is gone, in which something was kept."""

    noted: bool = True

    def load(self, key: str) -> StoredToken | None:
        raise KeyringError("there is no keyring")

    def forget(self, profile: str, *, force: bool = False) -> int:
        if not self.noted:
            return 0
        self.noted = not force
        raise KeyringError("there is no keyring")


@dataclass
class GoneKeeper(FakeKeeper):
    """The keyring itself."""

    def delete(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        raise KeyringError("there is no keyring")


@dataclass
class Edges(FakeEdges):
    """Edges with a keyring that is gone, and a file beside it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gone = GoneStore("keyring")
        self.keeper = GoneKeeper()
        token = TokenSet(Secret("canary-t"), "Bearer", 0.0, 1.0)
        self.the_store.kept[binding(PROFILE).key] = StoredToken(binding(PROFILE), token)

    def every_store(self, profile: object) -> list[TokenStore]:
        return [self.gone, self.the_store]


@pytest.mark.parametrize("secrets", [False, True])
def test_without_force_the_hint_names_it(secrets: bool) -> None:
    """What can be reached is forgotten, the rest is an error that says how to go on."""
    edges = Edges()
    with pytest.raises(
        KeyringError, match=r"tokens.* of profile 'p' could not be forgotten"
    ) as told:
        logout(PROFILE, edges, secrets=secrets)
    more = " --secrets" if secrets else ""
    assert f"tokencli logout p{more} --force" in (told.value.hint or "")
    assert not edges.the_store.kept
    assert edges.gone.noted


@pytest.mark.parametrize("secrets", [False, True])
def test_with_force_one_line_says_what_stays(secrets: bool) -> None:
    """With how to clear it later; after that nothing here points to the keyring any more."""
    edges = Edges()
    done = logout(PROFILE, edges, secrets=secrets, force=True)
    assert (done.tokens, done.secrets) == (1, ())
    assert not edges.gone.noted
    (line,) = edges.terminal.said
    services = ["token", *(["password", "client_secret"] if secrets else [])]
    for name in services:
        assert clearing(f"tokencli:p:{name}") in line
    assert line.count("tokencli:p:") == len(services)
    edges.terminal.said.clear()
    assert logout(PROFILE, edges, force=True).tokens == 0
    assert edges.terminal.said == []


def test_what_a_profile_names_itself_is_cleared_by_both_names() -> None:
    """Other items of that service are not the profile's."""
    theirs = SecretRef("keyring", "password", "p", ("corp", "jdoe"))
    profile = make_profile(
        secrets={"password": theirs, "client_secret": keyring_ref("client_secret")}
    )
    edges = Edges()
    forget(profile, edges, secrets=True, force=True)
    assert clearing("corp", "jdoe") in edges.terminal.said[0]
