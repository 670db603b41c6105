"""The records of the fast path: what is written, when, and what never is."""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import FakeStore
from tests.fast_path_world import TOKENS, World, world
from tokencli.app import App
from tokencli.core.logout import log_out
from tokencli.errors import StorageError
from tokencli.fastpath import profile_cache, reader
from tokencli.fastpath.records import FastPathRecords
from tokencli.fastpath.token_cache import TokenCache
from tokencli.models import DpopKey, Profile, Secret, StoredTokenSet, TokenSet
from tokencli.system.private_files import remove_file
from tokencli.system.user_dirs import is_memory_backed
from tokencli.token_store.credential_key import derive_binding

GET = ["get", "p"]


@pytest.fixture
def place() -> Iterator[World]:
    """Prepare a configuration with cached tokens."""
    with world() as made:
        made.make()
        yield made


def fresh(profile: Profile, token: str = "canary-newer-token", **more: object) -> StoredTokenSet:
    """Return a token set that was just obtained."""
    now = time.time()
    found = TokenSet(Secret(token), "Bearer", now - 1, now + 1200)
    return StoredTokenSet(derive_binding(profile), replace(found, **more))  # type: ignore[arg-type]


def answer(place: World, argv: list[str] = GET) -> str | None:
    """Return the output of the fast path."""
    return reader.fast_path_output(argv, place.environ)


def test_get_and_export_use_the_cache(place: World) -> None:
    """With a named profile, with one from the environment, and with the default one."""
    assert answer(place) == answer(place, ["get"]) == TOKENS["p"] + "\n"
    assert answer(place, ["export", "p"]) == f"export P_TOKEN='{TOKENS['p']}';\n"
    place.environ["TOKENCLI_PROFILE"] = "q.2"
    assert answer(place, ["get"]) == TOKENS["q.2"] + "\n"


def test_records_are_private(place: World) -> None:
    """Folders have mode 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        place.make()
    finally:
        os.umask(before)
    for path in place.app_dir.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_records_hold_no_refresh_token_or_secret(place: World) -> None:
    """Only the access token is cached; a cached profile holds names and sources."""
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    secrets = {
        "refresh_token": Secret("canary-refresh-1"),
        "id_token": Secret("canary-identity-1"),
    }
    app.token_store(profile).save(fresh(profile, **secrets))
    assert answer(place) == "canary-newer-token\n"
    kept = b"".join(path.read_bytes() for path in place.run.rglob("*") if path.is_file())
    for canary in (*(s.reveal() for s in secrets.values()), place.environ["SECRET"]):
        assert canary.encode() not in kept


@pytest.mark.parametrize(
    "more",
    [
        {"dpop_key": DpopKey(Secret("{}"))},
        {"outputs": {"tenant": Secret("t")}},
        {"expires_at": None},
        {"access_token": Secret("not a b64token")},
        {"access_token": Secret("line\nbreak")},
        {"scope": "a\nb"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_insufficient_tokens_are_not_cached(place: World, more: Mapping[str, object]) -> None:
    """A token that is DPoP-bound, has outputs, an unknown expiry or odd characters needs the full program."""
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile, **more))
    assert answer(place) is None


def test_tokens_of_a_provider_with_outputs_are_not_cached(place: World) -> None:
    """Also if the reply had none: a warm `exec` doesn't know which of their variables to strip."""
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    reply = replace(profile.provider.reply, outputs={"tenant": ("tenant",)})
    profile = replace(profile, provider=replace(profile.provider, reply=reply))
    app.token_store(profile).save(fresh(profile))
    assert answer(place) is None


def test_sliding_tokens_are_not_cached(place: World) -> None:
    """Each use has to be recorded, and the fast path writes nothing."""
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile, sliding_lifetime=600.0))
    assert answer(place) is None


def test_store_none_is_not_cached(place: World) -> None:
    """`store = "none"` caches nothing and deletes an earlier cached token."""
    app = App(environ=place.environ)
    profile = replace(app.get_profile("p"), store="none")
    app.token_store(profile).save(fresh(profile))
    assert answer(place) is None


def test_hot_copy_false_deletes_the_cached_token(place: World) -> None:
    """The next run of the full program deletes what is left."""
    text = place.config.read_text()
    place.write(text.replace('export = "P_TOKEN"', "hot_copy = false"))
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile))
    assert answer(place) is None
    assert not (place.hot / "p").exists()


def test_scope_option_bypasses_the_cache(place: World) -> None:
    """`get --scope` is about another credential of the same profile name."""
    app = App(environ=place.environ)
    other = app.get_profile("p", scope="other")
    assert app.token_cache(other).load_token(derive_binding(other)) is None
    app.token_store(other).save(fresh(other))
    assert answer(place) == TOKENS["p"] + "\n"


def test_new_token_deletes_other_configurations_copies(place: World) -> None:
    """They share the keyring, so their cached tokens would be older than the stored one."""
    second = place.config.with_name("second.toml")
    second.write_text(place.config.read_text())
    second.chmod(0o600)
    os.utime(second, (1, 1))
    app = App(environ={**place.environ, "TOKENCLI_CONFIG": str(second)})
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile))
    assert answer(place) is None
    assert (
        reader.fast_path_output(GET, {**place.environ, "TOKENCLI_CONFIG": str(second)}) is not None
    )


def test_records_of_deleted_configurations_are_deleted(place: World) -> None:
    """The next token that is saved deletes them."""
    gone = place.hot.with_name("%nowhere%config.toml")
    gone.mkdir(mode=0o700)
    (gone / "p").write_text("x")
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile))
    assert not gone.exists()


def test_logout_deletes_the_cached_token(place: World) -> None:
    """A deleted token is not printed again."""
    app = App(environ=place.environ)
    log_out(app.get_profile("p"), app)
    assert answer(place) is None
    assert not (place.hot / "p").exists()


def test_new_token_elsewhere_replaces_the_copy(place: World) -> None:
    """A token that was saved under another runtime directory isn't hidden by an older copy."""
    other = place.root / "other-run"
    other.mkdir(mode=0o700)
    app = App(environ={**place.environ, "XDG_RUNTIME_DIR": str(other)})
    profile = app.get_profile("p")
    app.token_store(profile).save(fresh(profile, "canary-newer"))
    assert answer(place) is None
    assert not (place.hot / "p").exists()


@pytest.mark.parametrize("config_is_writable", [True, False])
def test_undeletable_copy_is_useless_or_an_error(
    place: World, monkeypatch: pytest.MonkeyPatch, config_is_writable: bool
) -> None:
    """After a logout the copy is no longer valid, or an error says what may still be printed."""

    def refuse(path: Path, *, durably: bool = False) -> bool:
        if path == place.hot / "p":
            raise StorageError(f"can't use {path}: permission denied")
        return remove_file(path, durably=durably)

    monkeypatch.setattr("tokencli.system.private_files.remove_file", refuse)
    if not config_is_writable:
        monkeypatch.setattr("tokencli.fastpath.records._is_made_useless", lambda *_: False)
    app = App(environ=place.environ)
    messages: list[str] = []
    monkeypatch.setattr(app.terminal, "print_warning", messages.append)
    profile = app.get_profile("p")
    if config_is_writable:
        log_out(profile, app)
        assert answer(place) is None
        assert str(place.hot / "p") in messages[0]
    else:
        with pytest.raises(StorageError, match="couldn't delete a copy") as caught:
            log_out(profile, app)
        assert str(place.hot / "p") in caught.value.message
        assert caught.value.fix is None
    assert app.token_store(profile).load(derive_binding(profile).key) is None


def test_cached_token_of_a_lost_race_is_deleted(place: World) -> None:
    """Another process may save between reading the store and writing the cache."""
    app = App(environ=place.environ)
    profile = app.get_profile("p")
    copy = TokenCache(app.fast_path_records, profile)
    older, newer = fresh(profile, "canary-older"), fresh(profile, "canary-newer")
    copy.fill_from_store(older, FakeStore(stored_tokens={older.binding.key: newer}))
    assert answer(place) is None
    copy.fill_from_store(newer, FakeStore(stored_tokens={newer.binding.key: newer}))
    assert answer(place) == "canary-newer\n"


def test_just_changed_configuration_is_not_recorded(place: World) -> None:
    """A second change could have the same modification time."""
    place.config.touch()
    records = FastPathRecords(str(place.config), place.environ)
    assert not records.write("names", "", ["p"])


def test_configuration_changed_since_reading_is_not_recorded(place: World) -> None:
    """What was read is no longer what the file says."""
    records = FastPathRecords(str(place.config), place.environ)
    place.write(place.config.read_text() + "# more\n")
    assert not records.write("names", "", ["p"])


def test_only_memory_backed_folders_are_used(place: World, tmp_path: Path) -> None:
    """A runtime directory on a disk gets no token."""
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    FastPathRecords(str(place.config), {"XDG_RUNTIME_DIR": str(disk)}).write("names", "", ["p"])
    assert is_memory_backed(disk) or list(disk.iterdir()) == []


def test_too_long_paths_have_no_records(place: World) -> None:
    """The full program runs, without a warning."""
    deep = place.root / "home" / ("x" * 100) / ("y" * 100) / ("z" * 100)
    deep.mkdir(parents=True)
    config = place.config.rename(deep / "config.toml")
    place.environ["TOKENCLI_CONFIG"] = str(config)
    assert App(environ=place.environ).get_profile("p").name == "p"
    assert answer(place) is None


def test_ten_thousand_profiles(place: World) -> None:
    """The names come from one record, and the token from its own file."""
    names = [f"n{number}" for number in range(10_000)]
    assert FastPathRecords(str(place.config), place.environ).write("names", "", names)
    listed = answer(place, ["completion", "--profiles", "n99"])
    assert listed is not None
    assert len(listed.split()) == 111
    assert answer(place) == TOKENS["p"] + "\n"


def test_cached_profile_equals_the_validated_one(place: World) -> None:
    """It is read without the configuration, and only for the same HOME."""
    app = App(environ=place.environ)
    judged = app.config.get_profile("p")
    assert profile_cache.parse_profile(profile_cache.dump_profile(judged)) == judged
    remembered = App(environ=place.environ)
    assert remembered.get_profile("p") == judged
    assert "config" not in vars(remembered)
    elsewhere = {**place.environ, "HOME": "/", "TOKENCLI_CONFIG": str(place.config)}
    moved = App(environ=elsewhere)
    assert moved.get_profile("p") == judged
    assert "config" in vars(moved)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"":"model:Secret"}', '{"":"os:system"}', '{"":"model:Profile"}', "[" * 9],
)
def test_damaged_profile_record_is_rejected(text: str) -> None:
    """Neither damage nor another version's profile is accepted, and no other class is instantiated."""
    with pytest.raises(ValueError, match="not a profile"):
        profile_cache.parse_profile(text)
