"""`tokencli.token`: the token that the command prints, at the cost of a look at two files."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest

import tokencli
from tests.conftest import Run
from tests.fast_path_world import MEMORY, world
from tokencli.api.token_source import get_token_set
from tokencli.errors import ConfigError, InvalidTokenError, TokencliError, UsageError
from tokencli.sandbox.server import Sandbox


@pytest.fixture
def tokencli_at(tokencli: Run) -> Run:
    """Give the console script a name that does not hide the package."""
    return tokencli


@pytest.fixture(params=["isolated", "copied to memory", "in files"])
def sandbox(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Sandbox]:
    """Run a sandbox, and use its isolated configuration, or one with or without hot copies."""
    memory = Path(tempfile.mkdtemp(prefix="tokencli-test-", dir=MEMORY))
    with Sandbox() as running:
        config = Path(running.config_file)
        if request.param != "isolated":
            config = tmp_path / "config.toml"
            config.write_text(running.render_config(state_dir=str(tmp_path / "state")))
            config.chmod(0o600)
        os.utime(config, (1, 1))
        if request.param == "copied to memory":
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))
        monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
        yield running
    rmtree(memory)


def warm() -> str:
    """Return the token after three calls, of which the last found everything prepared."""
    return [tokencli.token() for _ in range(3)][-1]


def test_token_is_what_get_prints(tokencli_at: Run, sandbox: Sandbox) -> None:
    """The API and the command share one store, so there is one token and one request."""
    assert tokencli.token() + "\n" == tokencli_at("get").out
    assert tokencli.token("groupid", force=True) + "\n" == tokencli_at("get").out
    assert sandbox.database.token_requests == 2


def test_renewal_elsewhere_counts_at_once(tokencli_at: Run, sandbox: Sandbox) -> None:
    """However often the old token was returned before, and also for an auth object."""
    old = warm()
    auth = tokencli.TokenAuth()
    assert {auth._source.get().token.reveal() for _ in range(3)} == {old}
    new = tokencli_at("get", "--force").out.strip()
    assert new != old
    assert {tokencli.token(), warm(), auth._source.get().token.reveal()} == {new}


def test_logout_elsewhere_counts_at_once(tokencli_at: Run, sandbox: Sandbox) -> None:
    """A token that `logout` has revoked and deleted is never returned again."""
    old = warm()
    done = tokencli_at("logout", "--force")  # there is no keyring to search
    assert done.code == 0, done.err
    assert tokencli.token() != old
    assert sandbox.database.token_requests == 2


def test_changed_configuration_counts_at_once(sandbox: Sandbox) -> None:
    """A profile that now has another account gets its own token; a broken file is an error."""
    config = Path(os.environ["TOKENCLI_CONFIG"])
    text = config.read_text()
    old = warm()
    config.write_text(text.replace('default_profile = "groupid"', 'default_profile = "oauth2"'))
    assert tokencli.token() != old
    config.write_text("[profiles")
    with pytest.raises(ConfigError):
        tokencli.token()
    config.write_text(text)
    assert tokencli.token() == old


def test_environment_and_arguments_choose(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Profile, configuration and scope each have their own token, in whatever order they are used."""
    first = warm()
    monkeypatch.setenv("TOKENCLI_PROFILE", "oauth2")
    second = warm()
    assert first != second == tokencli.token("oauth2")
    monkeypatch.delenv("TOKENCLI_PROFILE")
    other = tmp_path / "other.toml"
    other.write_text(sandbox.render_config(state_dir=str(tmp_path / "other")))
    other.chmod(0o600)
    third = tokencli.token(config=other)
    assert third not in (first, second)
    monkeypatch.chdir(tmp_path)
    assert third == tokencli.token(config="other.toml") == tokencli.token(config=str(other))
    monkeypatch.setenv("TOKENCLI_CONFIG", "other.toml")
    assert tokencli.token() == third
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        tokencli.token()


def test_clock_decides(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is returned until it is stale, and not if the clock was set back before its issue."""
    real, old = time.time, warm()
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    later = tokencli.token()
    assert later != old
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    assert tokencli.token() != later
    assert sandbox.database.token_requests == 3


@pytest.mark.parametrize("least", ["45m", 2700, 2700.0, timedelta(minutes=45), "2700"])
def test_min_ttl_in_any_form(
    sandbox: Sandbox, least: str | float | timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that will not live so long is replaced; one that will is not."""
    sandbox.set_faults(lifetime=3600)
    old = warm()
    assert tokencli.token(min_ttl=least) == old
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1800)
    assert tokencli.token(min_ttl="10m") == old
    assert tokencli.token(min_ttl=least) != old


@pytest.mark.parametrize("least", ["soon", -1, float("nan"), "", True, timedelta(days=-1), 1e99])
def test_invalid_min_ttl(least: str | float | timedelta) -> None:
    """It is a usage error that shows the value."""
    with pytest.raises(UsageError, match="min_ttl is"):
        tokencli.token(min_ttl=least)


def test_threads_share_one_request(sandbox: Sandbox) -> None:
    """Any number of threads that need a token at the same time cause one request."""
    sandbox.set_faults(slow=0.2)
    auth, seen = tokencli.TokenAuth(), set()
    start = threading.Barrier(16)

    def call(number: int) -> None:
        start.wait()
        for _ in range(20):
            seen.add(tokencli.token() if number % 2 else auth._source.get().token.reveal())

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == sandbox.database.token_requests == 1


def test_forked_process_goes_on(sandbox: Sandbox) -> None:
    """A child has the same token, and renews it for its parent as well."""
    old = warm()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            same = tokencli.token() == old
            os.write(writer, json.dumps([same, tokencli.token(force=True)]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    same, new = json.loads(os.read(reader, 65536))
    os.close(reader)
    os.close(writer)
    assert same
    assert tokencli.token() == new != old


def test_lock_is_not_left_to_a_forked_child(sandbox: Sandbox, tokencli_at: Run) -> None:
    """A child that is forked while a thread gets a token doesn't hold the lock when that is done."""
    sandbox.set_faults(slow=1)
    thread = threading.Thread(target=tokencli.token)
    thread.start()
    assert sandbox.database.wait_for_requests("token")
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        thread.join()
        sandbox.set_faults()
        done = tokencli_at("get", "--force", "--lock-timeout", "5s")
        assert done.code == 0, done.err
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_child_does_not_wait_for_its_parents_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A child that is forked while a thread gets a token that is only in memory gets its own."""
    with Sandbox(slow=1.0) as running:
        config = tmp_path / "config.toml"
        changes = {"groupid": {"store": "none", "lock_timeout": "5s"}}
        config.write_text(running.render_config(changes))
        config.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
        thread = threading.Thread(target=tokencli.token)
        thread.start()
        assert running.database.wait_for_requests("token")
        child = os.fork()
        if child == 0:
            code = 4
            try:
                code = 0 if tokencli.token() else 3
            finally:
                os._exit(code)
        thread.join()
        assert os.waitpid(child, 0)[1] == 0
        assert running.database.token_requests == 2


def test_threads_and_children_use_the_keyring(
    keyring_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a copy in memory, any number of threads and forked processes read it at a time."""
    assert keyring_env
    with Sandbox() as running:
        config = tmp_path / "config.toml"
        kept = {"store": "keyring", "hot_copy": False}
        config.write_text(
            running.render_config({"groupid": kept}, state_dir=str(tmp_path / "state"))
        )
        config.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
        stored = tokencli.token()
        seen: list[str] = []

        def call() -> None:
            for _ in range(5):
                seen.append(tokencli.token())

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [stored] * 40
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                code = 4
                try:
                    code = 0 if {tokencli.token() for _ in range(5)} == {stored} else 3
                finally:
                    os._exit(code)
            children.append(child)
        call()
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert set(seen) == {stored}
        assert running.database.token_requests == 1


def test_repeated_call_opens_no_file(sandbox: Sandbox) -> None:
    """Only the times of files are looked at, whether there is a copy in memory or not."""
    warm()
    time.sleep(1)  # a copy counts from the next full second on, as shells know no fractions
    code = """
import sys, tokencli
for _ in range(3):
    tokencli.token("groupid")
    auth = tokencli.TokenAuth("groupid")
    auth._source.get()
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
modules = set(sys.modules)
tokencli.token("groupid")
auth._source.get()
assert set(sys.modules) == modules
print(opened)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_first_call_needs_only_the_fast_path() -> None:
    """With a copy in memory, a process loads what a warm `get` loads, and the API's own module."""
    with world() as place:
        place.make()
        code = "import sys, tokencli; tokencli.token('p', min_ttl=60); print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=place.environ,
            capture_output=True,
            text=True,
            check=True,
        )
    own = {name for name in done.stdout.split() if name.partition(".")[0] == "tokencli"}
    assert own == {
        "tokencli",
        "tokencli.api",
        "tokencli.duration",
        "tokencli.fastpath",
        "tokencli.fastpath.reader",
    }


def test_failures_are_tokencli_errors(tmp_path: Path) -> None:
    """An unknown profile is the same error as on the command line."""
    with pytest.raises(ConfigError):
        tokencli.token("nope", config=str(tmp_path / "none.toml"))


@pytest.mark.parametrize("call", [tokencli.token, tokencli.TokenAuth, tokencli.HttpxTokenAuth])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("profile", 5, "profile is not text: 5"),
        ("profile", False, "profile is not text"),
        ("profile", b"p", "profile is not text"),
        ("profile", ["p"], "profile is not text"),
        ("profile", Path("p"), "profile is not text"),
        ("scope", ["read"], "scope is not text"),
        ("config", b"/etc", "config is not a path"),
        ("config", 5, "config is not a path: 5"),
        ("config", "a\0b", "config is not a path"),
        ("min_ttl", b"5m", "min_ttl is b'5m'"),
    ],
)
def test_argument_of_a_wrong_type_is_a_usage_error(
    call: Callable[..., object], name: str, value: object, message: str
) -> None:
    """It is reported by its name, and nothing is guessed from it."""
    with pytest.raises(UsageError, match=message):
        call(**{name: value})


def test_fix_uses_the_same_configuration(
    sandbox: Sandbox, tokencli_at: Run, tmp_path: Path
) -> None:
    """If the call or the command names another file, so does the command that is the fix."""
    other = tmp_path / "an other.toml"
    text = sandbox.render_config(state_dir=str(tmp_path / "other"))
    other.write_text(
        f'{text}\n[profiles.tv]\nprovider = "oauth2"\ngrant = "device_code"\nclient_id = "tv"\n'
        'token_url = "https://127.0.0.1:9/token"\nstore = "file"\n'
        'device_authorization_url = "https://127.0.0.1:9/device"\n'
    )
    other.chmod(0o600)
    calls = (
        tokencli.token,
        lambda name, config: tokencli.TokenAuth(name, config=config)._source.get(),
    )
    for profile, fix in (("tv", "tokencli login tv"), ("nosuch", "tokencli profiles")):
        for call in calls:
            with pytest.raises(TokencliError) as raised:
                call(profile, config=str(other))
            assert raised.value.fix == f"{fix} --config '{other}'"
        for option in (["--config", str(other)], [f"--config={other}"]):
            done = tokencli_at("get", profile, *option)
            assert done.err.splitlines()[-1] == f"tokencli: fix: {fix} --config '{other}'"
    assert tokencli_at("get", "nosuch").err.endswith("fix: tokencli profiles\n")
    done = tokencli_at("get", "--nosuch", "--config", str(other))
    assert done.err.splitlines()[-1] == "tokencli: fix: tokencli get --help"


def test_deleted_working_directory(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configuration with a relative path is an error from then on; no other one is used."""
    config = Path(os.environ["TOKENCLI_CONFIG"])
    copy = tmp_path / "gone" / "config.toml"
    copy.parent.mkdir()
    copy.write_text(config.read_text())
    copy.chmod(0o600)
    monkeypatch.chdir(copy.parent)
    monkeypatch.setenv("TOKENCLI_CONFIG", "config.toml")
    auth = tokencli.TokenAuth()
    warm()
    rmtree(copy.parent)
    for call in (tokencli.token, auth._source.get, tokencli.TokenAuth):
        with pytest.raises(ConfigError):
            call()
    monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
    assert tokencli.token() == auth._source.get().token.reveal()


def test_token_is_remembered_if_the_store_tells_about_changes(sandbox: Sandbox) -> None:
    """A repeated call returns the very object that an earlier one found."""
    for _ in range(2):
        get_token_set()
    assert get_token_set() is get_token_set()


def test_inspect() -> None:
    """Claims, times and state, as typed attributes; also of a header, and never verified."""
    header, claims = (
        "eyJhbGciOiJub25lIn0",
        "eyJpc3MiOiJodHRwczovL2lkIiwiZXhwIjoxMDAwLCJzY29wZSI6ImEgYiJ9",
    )
    found = tokencli.inspect(f"Authorization: Bearer {header}.{claims}.")
    assert isinstance(found, tokencli.Inspection)
    assert (found.issuer, found.expires_at, found.scopes) == ("https://id", 1000.0, ("a", "b"))
    assert (found.kind, found.state) == ("jwt", "expired")
    assert tokencli.inspect("opaque-token-1234").kind == "opaque"
    with pytest.raises(UsageError, match="a token is text, not bytes"):
        tokencli.inspect(b"canary")  # type: ignore[arg-type]  # what is tested
    for text in ("", "https://id.example.com/"):
        with pytest.raises(InvalidTokenError):
            tokencli.inspect(text)


def test_import_loads_nothing_else() -> None:
    """PEP 562: the public names are loaded on first use, and there are no others."""
    code = "import sys, tokencli; print([n for n in sys.modules if n.startswith('tokencli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError):
        _ = tokencli.nothing  # type: ignore[attr-defined]  # what is tested


def test_names_are_listed() -> None:
    """`dir` lists every public name, imported or not, and each of them exists."""
    assert {*tokencli.__all__, "HttpxTokenAuth"} <= set(dir(tokencli))
    for name in dir(tokencli):
        assert getattr(tokencli, name) is not None
