"""Looking at profiles: the list, one profile's settings, and what a locked keyring does to both."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes import FakeClock, FakeContext, FakeKeyring, FakeStore
from tokencli.config.load import Config
from tokencli.core.profile_status import (
    MAX_KEYRING_LOOKUPS,
    list_profiles,
    list_secret_statuses,
    list_settings,
    read_token_status,
)
from tokencli.errors import KeyringError, StorageError
from tokencli.models import Profile, Secret, SecretRef, StoredTokenSet, TokenSet
from tokencli.protocols import TokenStore
from tokencli.token_store.credential_key import derive_binding

NOW = FakeClock().now()
PROFILE = """
[profiles.{name}]
provider = "oauth2"
token_url = "https://id.example.com/token"
client_id = "x"
store = "{store}"
"""


def config(*named: tuple[str, str], more: str = "") -> Config:
    """Return a configuration with profiles of those names and stores."""
    text = "".join(PROFILE.format(name=name, store=store) for name, store in named)
    return Config(Path("/etc/config.toml"), text + more, {})


def stored(profile: Profile, left: float | None) -> StoredTokenSet:
    """Return a token set of the profile with so many seconds left of an hour."""
    ends = None if left is None else NOW + left
    began = NOW if left is None else NOW + left - 3600
    return StoredTokenSet(derive_binding(profile), TokenSet(Secret("t"), "Bearer", began, ends))


@dataclass
class CountingContext(FakeContext):
    """Edges whose store may fail, and which count how often it is asked for."""

    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def token_store(self, profile: Profile) -> TokenStore:
        self.asked.append(profile.name)
        if self.failure is not None:
            raise self.failure
        return self.fake_store


def test_the_life_of_each_token() -> None:
    """Fresh, expired, of unknown life, of a changed profile and absent are told apart."""
    names = ("fresh", "old", "unknown", "changed", "none")
    found = config(*((name, "file") for name in names))
    ctx = FakeContext()
    for name, left in {"fresh": 1800.0, "old": -5.0, "unknown": None, "changed": 1800.0}.items():
        profile = found.get_profile(name)
        entry = stored(profile, left)
        if name == "changed":
            entry = replace(
                entry, binding=replace(entry.binding, origin="https://other.example:443")
            )
        ctx.fake_store.stored_tokens[derive_binding(profile).key] = entry
    states = {
        row.name: (row.token_status.state, row.token_status.expires_at)
        for row in list_profiles(found, ctx)
    }
    assert states == {
        "fresh": ("fresh", NOW + 1800),
        "old": ("expired", NOW - 5),
        "unknown": ("unknown", None),
        "changed": ("none", None),
        "none": ("none", None),
    }


def test_a_failing_keyring_is_asked_once() -> None:
    """After its first failure the keyring is left alone; profiles stored elsewhere are still looked at."""
    names = [(f"k{n}", "keyring") for n in range(1000)] + [("f", "file")]
    ctx = CountingContext(failure=KeyringError("the keyring is locked"))
    found = list(list_profiles(config(*names), ctx))
    assert ctx.asked == ["k0", "f"]
    assert {row.token_status.state for row in found} == {"not_asked"}
    assert {row.token_status.reason for row in found} == {"the keyring is locked"}


def test_a_working_keyring_is_not_asked_endlessly() -> None:
    """A long list asks the keyring for some of its profiles and says so for the others."""
    ctx = FakeContext(fake_store=FakeStore("keyring"))
    found = list(
        list_profiles(config(*((f"k{n}", "auto") for n in range(MAX_KEYRING_LOOKUPS + 50))), ctx)
    )
    assert ctx.fake_store.events.count("load") == MAX_KEYRING_LOOKUPS
    assert sum(row.token_status.state == "not_asked" for row in found) == 50


def test_an_unsafe_store_is_told_not_raised() -> None:
    """A store that refuses to be read is a remark on its own row."""
    ctx = CountingContext(failure=StorageError("the file is open to all"))
    assert (
        read_token_status(config(("a", "file")).get_profile("a"), ctx).reason
        == "the file is open to all"
    )


def test_a_broken_profile_is_a_row() -> None:
    """The list shows a profile with problems beside the good ones."""
    found = list(
        list_profiles(config(("a", "file"), more='[profiles.b]\nprovider = "no"\n'), FakeContext())
    )
    assert [(row.name, row.profile is None, len(row.problems)) for row in found] == [
        ("a", False, 0),
        ("b", True, 1),
    ]


def test_settings_say_where_they_come_from() -> None:
    """Each value has a line of the file, the provider, or the program's default as its origin."""
    found = config(
        ("a", "file"), more='scope = "x"\nparams = { tenant = "t", api_key = "canary-9d1f" }\n'
    )
    told = {
        one.key: (one.value, one.origin) for one in list_settings(found.get_profile("a"), found)
    }
    assert told["store"] == ("file", "config.toml:6")
    assert told["scope"] == ("x", "config.toml:7")
    assert told["client_auth"] == ("client_secret_basic", "provider oauth2")
    assert told["timeout"] == ("30s", "default")
    assert told["params.tenant"] == ("t", "config.toml:8")
    assert told["params.api_key"][0] == "***"
    assert "min_ttl" not in told


@dataclass
class KeyringLockedContext(FakeContext):
    """Edges where `auto` came to the runtime store, since the keyring is locked."""

    in_keyring: FakeStore = field(default_factory=lambda: FakeStore("keyring"))

    def token_store(self, profile: Profile) -> TokenStore:
        return self.in_keyring if profile.store == "keyring" else self.fake_store


@dataclass
class LockedKeyringStore(FakeStore):
    """The store of a keyring that is locked."""

    def load(self, key: str) -> StoredTokenSet | None:
        raise KeyringError("the keyring is locked")


def test_a_token_in_a_locked_keyring_is_not_none() -> None:
    """Where `auto` had to leave the keyring out, only what never was in it is said to be missing."""
    found = config(("a", "auto"), ("b", "auto"), ("c", "auto"))
    ctx = KeyringLockedContext(in_keyring=LockedKeyringStore("keyring"))
    for name in ("a", "b"):
        profile = found.get_profile(name)
        ctx.in_keyring.stored_tokens[derive_binding(profile).key] = stored(profile, 1800.0)
    known = found.get_profile("b")
    ctx.fake_store.stored_tokens[derive_binding(known).key] = stored(known, 900.0)
    told = {
        row.name: (row.token_status.state, row.token_status.reason)
        for row in list_profiles(found, ctx)
    }
    assert told == {
        "a": ("not_asked", "the keyring is locked"),
        "b": ("fresh", None),
        "c": ("none", None),
    }


@dataclass
class PartlyReadableKeyring(FakeKeyring):
    """A keyring in which one secret is another server's."""

    def read(self, ref: SecretRef) -> Secret | None:
        if ref.name != "client_secret":
            return super().read(ref)
        error = KeyringError("the client_secret was stored for https://old.example.com:443")
        error.affects_whole_keyring = False
        raise error


def test_no_secret_is_told_anothers_trouble() -> None:
    """What is wrong with one item of a keyring is said of that one alone."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    found = Config(Path("c.toml"), text, {}).get_profile("s")
    kept = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keeper = PartlyReadableKeyring({kept: Secret("canary-password-7f3a")})
    known = {
        one.ref.name: (one.present, one.reason)
        for one in list_secret_statuses(found, FakeContext(keyring=keeper))
    }
    assert known["password"] == (True, None)
    assert known["client_secret"][0] is None
    assert "stored for" in (known["client_secret"][1] or "")


@dataclass
class LockedKeyring(FakeKeyring):
    """A keyring that is locked."""

    def read(self, ref: SecretRef) -> Secret | None:
        self.read_count += 1
        raise KeyringError("the keyring is locked")


def test_secrets_are_present_missing_or_not_known() -> None:
    """Presence is looked up without showing anything; commands and prompts are left alone."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    found = Config(
        Path("c.toml"), text + "social_access_token = { prompt = true }\n", {}
    ).get_profile("s")
    kept = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keeper = FakeKeyring({kept: Secret("canary-password-7f3a")})
    known = {
        one.ref.name: one.present
        for one in list_secret_statuses(found, FakeContext(keyring=keeper))
    }
    assert known == {"password": True, "client_secret": False, "social_access_token": None}
    locked = LockedKeyring()
    unknown = list(list_secret_statuses(found, FakeContext(keyring=locked)))
    assert locked.read_count == 1
    assert [one.present for one in unknown] == [None, None, None]
