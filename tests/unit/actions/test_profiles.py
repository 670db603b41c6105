"""Looking at profiles: the list, one profile's settings, and what a locked keyring does to both."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.fakes import FakeClock, FakeEdges, FakeKeeper, FakeStore
from tokencli.actions.profiles import MOST_LOOKUPS, life, presences, rows, settings
from tokencli.config.load import Config
from tokencli.errors import KeyringError, StorageError
from tokencli.model import Profile, Secret, SecretRef, StoredToken, TokenSet
from tokencli.ports import TokenStore
from tokencli.stores.key import binding

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


def stored(profile: Profile, left: float | None) -> StoredToken:
    """Return a token set of the profile with so many seconds left of an hour."""
    ends = None if left is None else NOW + left
    began = NOW if left is None else NOW + left - 3600
    return StoredToken(binding(profile), TokenSet(Secret("t"), "Bearer", began, ends))


@dataclass
class CountingEdges(FakeEdges):
    """Edges whose store may fail, and which count how often it is asked for."""

    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def store(self, profile: Profile) -> TokenStore:
        self.asked.append(profile.name)
        if self.failure is not None:
            raise self.failure
        return self.the_store


def test_the_life_of_each_token() -> None:
    """Fresh, expired, of unknown life, of a changed profile and absent are told apart."""
    names = ("fresh", "old", "unknown", "changed", "none")
    found = config(*((name, "file") for name in names))
    edges = FakeEdges()
    for name, left in {"fresh": 1800.0, "old": -5.0, "unknown": None, "changed": 1800.0}.items():
        profile = found.profile(name)
        entry = stored(profile, left)
        if name == "changed":
            entry = replace(
                entry, binding=replace(entry.binding, origin="https://other.example:443")
            )
        edges.the_store.kept[binding(profile).key] = entry
    states = {row.name: (row.life.state, row.life.expires_at) for row in rows(found, edges)}
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
    edges = CountingEdges(failure=KeyringError("the keyring is locked"))
    found = list(rows(config(*names), edges))
    assert edges.asked == ["k0", "f"]
    assert {row.life.state for row in found} == {"not_asked"}
    assert {row.life.why for row in found} == {"the keyring is locked"}


def test_a_working_keyring_is_not_asked_endlessly() -> None:
    """A long list asks the keyring for some of its profiles and says so for the others."""
    edges = FakeEdges(the_store=FakeStore("keyring"))
    found = list(rows(config(*((f"k{n}", "auto") for n in range(MOST_LOOKUPS + 50))), edges))
    assert edges.the_store.events.count("load") == MOST_LOOKUPS
    assert sum(row.life.state == "not_asked" for row in found) == 50


def test_an_unsafe_store_is_told_not_raised() -> None:
    """A store that refuses to be read is a remark on its own row."""
    edges = CountingEdges(failure=StorageError("the file is open to all"))
    assert life(config(("a", "file")).profile("a"), edges).why == "the file is open to all"


def test_a_broken_profile_is_a_row() -> None:
    """The list shows a profile with problems beside the good ones."""
    found = list(rows(config(("a", "file"), more='[profiles.b]\nprovider = "no"\n'), FakeEdges()))
    assert [(row.name, row.profile is None, len(row.problems)) for row in found] == [
        ("a", False, 0),
        ("b", True, 1),
    ]


def test_settings_say_where_they_come_from() -> None:
    """Each value has a line of the file, the provider, or the program's default as its origin."""
    found = config(
        ("a", "file"), more='scope = "x"\nparams = { tenant = "t", api_key = "canary-9d1f" }\n'
    )
    told = {one.key: (one.value, one.origin) for one in settings(found.profile("a"), found)}
    assert told["store"] == ("file", "config.toml:6")
    assert told["scope"] == ("x", "config.toml:7")
    assert told["client_auth"] == ("client_secret_basic", "provider oauth2")
    assert told["timeout"] == ("30s", "default")
    assert told["params.tenant"] == ("t", "config.toml:8")
    assert told["params.api_key"][0] == "***"
    assert "min_ttl" not in told


@dataclass
class Settled(FakeEdges):
    """Edges where `auto` came to the runtime store, since the keyring is locked."""

    in_keyring: FakeStore = field(default_factory=lambda: FakeStore("keyring"))

    def store(self, profile: Profile) -> TokenStore:
        return self.in_keyring if profile.store == "keyring" else self.the_store


@dataclass
class LockedStore(FakeStore):
    """The store of a keyring that is locked."""

    def load(self, key: str) -> StoredToken | None:
        raise KeyringError("the keyring is locked")


def test_a_token_in_a_locked_keyring_is_not_none() -> None:
    """Where `auto` had to leave the keyring out, only what never was in it is said to be missing."""
    found = config(("a", "auto"), ("b", "auto"), ("c", "auto"))
    edges = Settled(in_keyring=LockedStore("keyring"))
    for name in ("a", "b"):
        profile = found.profile(name)
        edges.in_keyring.kept[binding(profile).key] = stored(profile, 1800.0)
    known = found.profile("b")
    edges.the_store.kept[binding(known).key] = stored(known, 900.0)
    told = {row.name: (row.life.state, row.life.why) for row in rows(found, edges)}
    assert told == {
        "a": ("not_asked", "the keyring is locked"),
        "b": ("fresh", None),
        "c": ("none", None),
    }


@dataclass
class Partly(FakeKeeper):
    """A keyring in which one secret is another server's."""

    def read(self, ref: SecretRef) -> Secret | None:
        if ref.name != "client_secret":
            return super().read(ref)
        error = KeyringError("the client_secret was stored for https://old.example.com:443")
        error.lasting = False
        raise error


def test_no_secret_is_told_anothers_trouble() -> None:
    """What is wrong with one item of a keyring is said of that one alone."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    found = Config(Path("c.toml"), text, {}).profile("s")
    kept = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keeper = Partly({kept: Secret("canary-password-7f3a")})
    known = {
        one.ref.name: (one.present, one.why) for one in presences(found, FakeEdges(keeper=keeper))
    }
    assert known["password"] == (True, None)
    assert known["client_secret"][0] is None
    assert "stored for" in (known["client_secret"][1] or "")


@dataclass
class Locked(FakeKeeper):
    """A keyring that is locked."""

    def read(self, ref: SecretRef) -> Secret | None:
        self.reads += 1
        raise KeyringError("the keyring is locked")


def test_secrets_are_present_missing_or_not_known() -> None:
    """Presence is looked up without showing anything; commands and prompts are left alone."""
    text = '[profiles.s]\nprovider = "socialid"\nclient_id = "1"\nusername = "j"\n'
    found = Config(Path("c.toml"), text + "social_access_token = { prompt = true }\n", {}).profile(
        "s"
    )
    kept = ("tokencli:s:password", "https://api.socialidnow.com:443")
    keeper = FakeKeeper({kept: Secret("canary-password-7f3a")})
    known = {one.ref.name: one.present for one in presences(found, FakeEdges(keeper=keeper))}
    assert known == {"password": True, "client_secret": False, "social_access_token": None}
    locked = Locked()
    unknown = list(presences(found, FakeEdges(keeper=locked)))
    assert locked.reads == 1
    assert [one.present for one in unknown] == [None, None, None]
