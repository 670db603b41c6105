"""The list of profiles, a profile's settings, and the effect of a locked keyring."""

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
    """A context whose store may fail, and that counts how often it is opened."""

    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def token_store(self, profile: Profile) -> TokenStore:
        self.asked.append(profile.name)
        if self.failure is not None:
            raise self.failure
        return self.fake_store


def test_token_states() -> None:
    """Fresh, expired, without expiry, of a changed profile, and missing."""
    names = ("fresh", "old", "unknown", "changed", "none")
    configuration = config(*((name, "file") for name in names))
    ctx = FakeContext()
    for name, left in {"fresh": 1800.0, "old": -5.0, "unknown": None, "changed": 1800.0}.items():
        profile = configuration.get_profile(name)
        entry = stored(profile, left)
        if name == "changed":
            entry = replace(
                entry, binding=replace(entry.binding, origin="https://other.example:443")
            )
        ctx.fake_store.stored_tokens[derive_binding(profile).key] = entry
    states = {
        row.name: (row.token_status.state, row.token_status.expires_at)
        for row in list_profiles(configuration, ctx)
    }
    assert states == {
        "fresh": ("fresh", NOW + 1800),
        "old": ("expired", NOW - 5),
        "unknown": ("unknown", None),
        "changed": ("none", None),
        "none": ("none", None),
    }


def test_failing_keyring_is_asked_once() -> None:
    """After its first failure the keyring isn't asked again; other stores still are."""
    names = [(f"k{n}", "keyring") for n in range(1000)] + [("f", "file")]
    ctx = CountingContext(failure=KeyringError("the keyring is locked"))
    rows = list(list_profiles(config(*names), ctx))
    assert ctx.asked == ["k0", "f"]
    assert {row.token_status.state for row in rows} == {"not_asked"}
    assert {row.token_status.reason for row in rows} == {"the keyring is locked"}


def test_keyring_lookups_are_limited() -> None:
    """A long list looks up some profiles in the keyring and says so for the others."""
    ctx = FakeContext(fake_store=FakeStore("keyring"))
    rows = list(
        list_profiles(config(*((f"k{n}", "auto") for n in range(MAX_KEYRING_LOOKUPS + 50))), ctx)
    )
    assert ctx.fake_store.events.count("load") == MAX_KEYRING_LOOKUPS
    assert sum(row.token_status.state == "not_asked" for row in rows) == 50


def test_unsafe_store_is_a_remark() -> None:
    """A store that can't be read is a remark in its own row."""
    ctx = CountingContext(failure=StorageError("the file is open to all"))
    assert (
        read_token_status(config(("a", "file")).get_profile("a"), ctx).reason
        == "the file is open to all"
    )


def test_invalid_profile_is_listed() -> None:
    """With its problems, next to the valid ones."""
    rows = list(
        list_profiles(config(("a", "file"), more='[profiles.b]\nprovider = "no"\n'), FakeContext())
    )
    assert [(row.name, row.profile is None, len(row.problems)) for row in rows] == [
        ("a", False, 0),
        ("b", True, 1),
    ]


def test_settings_have_an_origin() -> None:
    """A line of the file, the provider, or the default."""
    configuration = config(
        ("a", "file"), more='scope = "x"\nparams = { tenant = "t", api_key = "canary-9d1f" }\n'
    )
    settings = {
        status.key: (status.value, status.origin)
        for status in list_settings(configuration.get_profile("a"), configuration)
    }
    assert settings["store"] == ("file", "config.toml:6")
    assert settings["scope"] == ("x", "config.toml:7")
    assert settings["client_auth"] == ("client_secret_basic", "provider oauth2")
    assert settings["timeout"] == ("30s", "default")
    assert settings["params.tenant"] == ("t", "config.toml:8")
    assert settings["params.api_key"][0] == "***"
    assert "min_ttl" not in settings


@dataclass
class KeyringLockedContext(FakeContext):
    """A context where `auto` chose the runtime store because the keyring is locked."""

    in_keyring: FakeStore = field(default_factory=lambda: FakeStore("keyring"))

    def token_store(self, profile: Profile) -> TokenStore:
        return self.in_keyring if profile.store == "keyring" else self.fake_store


@dataclass
class LockedKeyringStore(FakeStore):
    """The store of a locked keyring."""

    def load(self, key: str) -> StoredTokenSet | None:
        raise KeyringError("the keyring is locked")


def test_locked_keyring_is_not_none() -> None:
    """If `auto` had to skip the keyring, only a token that never was in it is reported as missing."""
    configuration = config(("a", "auto"), ("b", "auto"), ("c", "auto"))
    ctx = KeyringLockedContext(in_keyring=LockedKeyringStore("keyring"))
    for name in ("a", "b"):
        profile = configuration.get_profile(name)
        ctx.in_keyring.stored_tokens[derive_binding(profile).key] = stored(profile, 1800.0)
    known = configuration.get_profile("b")
    ctx.fake_store.stored_tokens[derive_binding(known).key] = stored(known, 900.0)
    settings = {
        row.name: (row.token_status.state, row.token_status.reason)
        for row in list_profiles(configuration, ctx)
    }
    assert settings == {
        "a": ("not_asked", "the keyring is locked"),
        "b": ("fresh", None),
        "c": ("none", None),
    }


@dataclass
class PartlyReadableKeyring(FakeKeyring):
    """A keyring with one secret of another server."""

    def read(self, ref: SecretRef) -> Secret | None:
        if ref.name != "client_secret":
            return super().read(ref)
        error = KeyringError("the client_secret was stored for https://old.example.com:443")
        error.affects_whole_keyring = False
        raise error


def test_keyring_item_errors_are_separate() -> None:
    """An error of one keyring item is reported for that item only."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    profile = Config(Path("c.toml"), text, {}).get_profile("s")
    target = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keyring = PartlyReadableKeyring({target: Secret("canary-password-7f3a")})
    known = {
        status.ref.name: (status.present, status.reason)
        for status in list_secret_statuses(profile, FakeContext(keyring=keyring))
    }
    assert known["password"] == (True, None)
    assert known["client_secret"][0] is None
    assert "stored for" in (known["client_secret"][1] or "")


@dataclass
class LockedKeyring(FakeKeyring):
    """A locked keyring."""

    def read(self, ref: SecretRef) -> Secret | None:
        self.read_count += 1
        raise KeyringError("the keyring is locked")


def test_secret_statuses() -> None:
    """Presence is checked without showing a secret; commands and prompts aren't run."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    profile = Config(
        Path("c.toml"), text + "social_access_token = { prompt = true }\n", {}
    ).get_profile("s")
    target = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keyring = FakeKeyring({target: Secret("canary-password-7f3a")})
    known = {
        status.ref.name: status.present
        for status in list_secret_statuses(profile, FakeContext(keyring=keyring))
    }
    assert known == {"password": True, "client_secret": False, "social_access_token": None}
    locked = LockedKeyring()
    unknown = list(list_secret_statuses(profile, FakeContext(keyring=locked)))
    assert locked.read_count == 1
    assert [status.present for status in unknown] == [None, None, None]
