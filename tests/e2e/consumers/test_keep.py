"""`tokencli keep` as readers, service managers and monitoring see it, while tokens expire."""

import ctypes
import json
import os
import pty
import resource
import select
import signal
import ssl
import struct
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import sleep
from urllib.error import HTTPError

import pytest

from tests.conftest import Run, script
from tests.e2e.consumers.keeper import (
    PATIENCE_S,
    Keeper,
    first_token,
    keep,
    managing,
    wait_until,
)
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

__all__ = ["keep"]

LIFETIME_S = 5


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose tokens live for seconds, and use its configuration."""
    with Sandbox(lifetime=f"{LIFETIME_S}s") as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


class Reader(Thread):
    """A program that reads the token anew for each call of an API, and notes what the API said."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        super().__init__(daemon=True)
        self.url = f"{sandbox.url}/GroupIDDataService/api/me"
        context = ssl.create_default_context(cafile=sandbox.ca_file)
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        self.path, self.ended = path, Event()
        self.statuses: list[int] = []
        self.tokens: list[str] = []

    def run(self) -> None:
        while not self.ended.wait(0.05):
            self.statuses.append(self.call())

    def call(self) -> int:
        """Call the API with the token in the file, and return the status."""
        token = self.path.read_text()
        if token not in self.tokens:
            self.tokens.append(token)
        request = urllib.request.Request(self.url, headers={"Authorization": f"Bearer {token}"})
        try:
            with self.opener.open(request, timeout=10) as reply:
                return int(reply.status)
        except HTTPError as error:
            error.close()
            return error.code


@contextmanager
def reading(sandbox: Sandbox, path: Path) -> Iterator[Reader]:
    """Call the API all the time while the block runs."""
    reader = Reader(sandbox, path)
    reader.start()
    yield reader
    reader.ended.set()
    reader.join()


def test_three_expiries_without_a_refusal(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """A reader of the file is never refused, and each token costs one request."""
    path = tmp_path / "token"
    keeper = keep("groupid", "--to", str(path))
    first_token(path)
    with reading(sandbox, path) as reader:
        wait_until(lambda: len(reader.tokens) >= 5, lambda: keeper.text)
    assert set(reader.statuses) == {200}
    assert sandbox.database.token_requests == keeper.text.count("is valid until")
    assert path.stat().st_mode & 0o777 == 0o600
    assert keeper.end() == 0
    assert path.exists()


def test_directory_is_always_one_consistent_set(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """Whoever opens `..data` finds a token and its own expiry; readers of the links are never refused."""
    directory = tmp_path / "tokens"
    keeper = keep("groupid", "--to", f"{directory}/", "--mode", "0640")
    first_token(directory / "token")
    wait_until((directory / "expires_at_epoch").exists)
    seen: dict[str, str] = {}
    with reading(sandbox, directory / "token") as reader:
        while len(reader.tokens) < 4:
            opened = os.open(directory / "..data", os.O_RDONLY)
            try:
                token, expiry = (
                    Path(f"/proc/self/fd/{opened}/{name}").read_text()
                    for name in ("token", "expires_at_epoch")
                )
            finally:
                os.close(opened)
            assert seen.setdefault(token, expiry) == expiry
    assert set(reader.statuses) == {200}
    assert len(set(seen.values())) == len(seen) >= 4
    assert (directory / "token").readlink() == Path("..data/token")
    assert (directory / "token").stat().st_mode & 0o777 == 0o640
    generations = [each for each in directory.iterdir() if each.name.startswith("..2")]
    assert len(generations) == 2, "the current set and the one before"
    assert keeper.end() == 0


IN_MOVED_TO = 0x80


def test_watchers_of_data_find_the_new_set(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """inotify reports each replacement of `..data` once, and the files are then those of the new token."""
    directory = tmp_path / "tokens"
    directory.mkdir(mode=0o700)
    libc = ctypes.CDLL(None, use_errno=True)
    watcher = libc.inotify_init()
    assert libc.inotify_add_watch(watcher, bytes(directory), IN_MOVED_TO) > 0
    keep("groupid", "--to", f"{directory}/")
    seen: dict[str, str] = {}
    while len(seen) < 4:
        assert select.select([watcher], [], [], PATIENCE_S)[0]
        names, data = [], os.read(watcher, 65536)
        while data:
            length = struct.unpack_from("iIII", data)[3]
            names.append(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        assert names == ["..data"]
        token = (directory / "..data" / "token").read_text()
        assert token not in seen
        seen[token] = (directory / "..data" / "expires_at_epoch").read_text()
    os.close(watcher)
    assert sorted(seen.values(), key=int) == list(seen.values())


def test_no_torn_reads(sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path) -> None:
    """A reader in a tight loop sees whole tokens only."""
    path = tmp_path / "token"
    keeper = keep("groupid", "--to", str(path), "--format", "json")
    first_token(path)
    tokens = set()
    while len(tokens) < 4:
        tokens.add(json.loads(path.read_bytes())["access_token"])
    assert keeper.process.poll() is None


def test_server_down_for_one_expiry(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """The outage is reported once with the next attempt, the file stays, and the token comes back."""
    path = tmp_path / "token"
    keeper = keep("groupid", "--to", str(path))
    old = first_token(path)
    sandbox.set_faults(drop="before", lifetime=f"{LIFETIME_S}s")
    keeper.wait_for("expired at")
    assert keeper.text.count("error: ") == 1
    assert "stays valid until" in keeper.text and "next attempt at" in keeper.text
    assert path.read_text() == old
    sandbox.set_faults(lifetime=f"{LIFETIME_S}s")
    wait_until(lambda: path.read_text() != old, lambda: keeper.text)
    with reading(sandbox, path) as reader:
        sleep(1)
    assert set(reader.statuses) == {200}


def test_expired_token_is_removed_if_asked_for(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """With --remove-expired, no expired token misleads a reader."""
    path = tmp_path / "token"
    keeper = keep("groupid", "--to", str(path), "--remove-expired")
    first_token(path)
    sandbox.set_faults(fail="503", lifetime=f"{LIFETIME_S}s")
    keeper.wait_for("so it was removed")
    assert not path.exists()
    sandbox.set_faults(lifetime=f"{LIFETIME_S}s")
    first_token(path)


def test_killed_and_started_again(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """After kill -9 the file is whole, and another keeper goes on without a request for a new token."""
    path = tmp_path / "token"
    sandbox.set_faults(lifetime="60s")
    keeper = keep("groupid", "--to", str(path))
    token = first_token(path)
    (tmp_path / ".token.0123456789abcdef.draft").write_text("left behind")
    keeper.process.kill()
    keeper.process.wait()
    assert path.read_text() == token
    keep("groupid", "--to", str(path)).wait_for("is valid until")
    assert path.read_text() == token
    assert sandbox.database.token_requests == 1
    assert not list(tmp_path.glob(".token.*"))


def test_many_keepers_share_each_token(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """Six keepers of a profile send one request for each token."""
    keepers = [keep("groupid", "--to", str(tmp_path / f"token{n}")) for n in range(6)]
    for keeper in keepers:
        keeper.wait_for("is valid until", 3)
    tokens = max(keeper.text.count("is valid until") for keeper in keepers)
    assert sandbox.database.token_requests <= tokens + 1


def test_keepers_of_a_token_of_unknown_expiry_do_not_chase_each_other(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """Each keeper requests one at its start, all end up with the last one, and then it is quiet."""
    sandbox.set_faults(expires_in="")
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        keep("socialid", "--to", str(path))
        first_token(path)
    wait_until(lambda: paths[0].read_text() == paths[1].read_text())
    sleep(5)
    assert sandbox.database.token_requests == 2


def test_start_while_the_server_is_down_uses_the_stored_token(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """A stored token that is no longer fresh is written, the failure is said, and --once fails."""
    sandbox.set_faults(lifetime="60s")
    old = tmp_path / "old"
    first = keep("groupid", "--to", str(old), "--once")
    assert first.wait_for_end() == 0
    assert "is valid until" in first.text and "renewal at" not in first.text
    sandbox.set_faults(drop="before")
    for name, arguments in (("kept", ()), ("once", ("--once",))):
        path = tmp_path / name
        keeper = keep("groupid", "--to", str(path), "--min-ttl", "59s", *arguments)
        assert first_token(path) == old.read_text()
        keeper.wait_for("error: ")
        if arguments:
            assert keeper.wait_for_end() == 6
        else:
            assert "stays valid until" in keeper.text
            assert keeper.end() == 0


def test_wrong_credentials_are_tried_once(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """Refused credentials end the keeper with 5 after one request, so that no account is locked."""
    password_file(sandbox).write_text("canary-of-a-password")
    keeper = keep("groupid", "--to", str(tmp_path / "token"))
    assert keeper.wait_for_end() == 5
    assert sandbox.database.token_requests == 1
    assert keeper.text.count("error: ") == 1
    assert "canary" not in keeper.text


def test_waiting_for_a_corrected_password(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """With --wait-for-fix, the next attempt is made when the secret's file has changed."""
    path, secret = tmp_path / "token", password_file(sandbox)
    right = secret.read_text()
    secret.write_text("canary-of-a-password")
    keeper = keep("groupid", "--to", str(path), "--wait-for-fix")
    keeper.wait_for("not tried again until")
    sleep(3)
    assert sandbox.database.token_requests == 1
    secret.write_text(right)
    first_token(path)
    assert keeper.process.poll() is None


def test_once_waits_for_a_fix_if_asked_for(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """--once --wait-for-fix sends a wrong password once, and ends with 0 when the token is written."""
    path, secret = tmp_path / "token", password_file(sandbox)
    right = secret.read_text()
    secret.write_text("canary-of-a-password")
    keeper = keep("groupid", "--to", str(path), "--once", "--wait-for-fix")
    keeper.wait_for("not tried again until")
    secret.write_text(right)
    assert keeper.wait_for_end() == 0
    assert path.exists()
    assert sandbox.database.count_requests("refused") == 1


def test_revoked_credentials_end_it_when_the_token_has_expired(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """The old token is kept while it is valid; then the exit code says that a person is needed."""
    path = tmp_path / "token"
    sandbox.set_faults(no_refresh_token=True, lifetime=f"{LIFETIME_S}s")
    keeper = keep("groupid", "--to", str(path))
    old = first_token(path)
    password_file(sandbox).write_text("canary-of-a-password")
    keeper.wait_for("not tried again until")
    assert keeper.process.poll() is None
    assert path.read_text() == old
    assert keeper.wait_for_end() == 5
    refused = sandbox.database.count_requests("refused")
    assert refused == 1


def test_first_token_waits_for_the_server(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """A keeper that is started before the server is there waits for it; --once fails."""
    path = tmp_path / "token"
    sandbox.set_faults(drop="before")
    once = keep("groupid", "--to", str(path), "--once")
    assert once.wait_for_end() == 6
    assert once.text.count("error: ") == 1
    assert "next attempt" not in once.text
    keeper = keep("groupid", "--to", str(path))
    keeper.wait_for("no valid token; next attempt at")
    sandbox.set_faults()
    first_token(path)
    assert keeper.end() == 0


@pytest.mark.parametrize("address", ["{directory}/notify", "@tokencli-test-{pid}"])
def test_service_manager_is_told(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path, address: str
) -> None:
    """READY only when the token is written, then WATCHDOG, RELOADING and READY at SIGHUP, STOPPING."""
    path, address = tmp_path / "token", address.format(directory=tmp_path, pid=os.getpid())
    sandbox.set_faults(drop="before")
    with managing(address) as manager:
        env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
        keeper = keep("groupid", "--to", str(path), env=env)
        manager.receive_until("STATUS=groupid: ")
        manager.receive_until("WATCHDOG=1")
        assert not any("READY=1" in message for message in manager.received)
        sandbox.set_faults(lifetime="60s")
        keeper.process.send_signal(signal.SIGHUP)
        manager.receive_until("READY=1")
        token = path.read_text()
        assert "valid until" in manager.receive_until("STATUS=")
        keeper.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.receive_until("RELOADING=1")
        manager.receive_until("READY=1")
        assert path.read_text() != token, "SIGHUP renews the token at once"
        assert keeper.end() == 0
        manager.receive_until("STOPPING=1")
    assert token not in "".join(manager.received)


def test_closed_terminal_ends_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGHUP of a terminal that is gone doesn't mean a renewal: nobody would end the keeper."""
    sandbox.set_faults(lifetime="60s")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(script(), ["tokencli", "keep", "groupid", "--to", str(tmp_path / "token")])
    first_token(tmp_path / "token")
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: sandbox.database.token_requests == 2)
    os.close(terminal)
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)


def test_watchdog_of_another_process_is_left_alone(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """WATCHDOG_PID names the process that has to send WATCHDOG=1."""
    address = str(tmp_path / "notify")
    with managing(address) as manager:
        env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
        keeper = keep("groupid", "--to", str(tmp_path / "token"), env=env)
        keeper.wait_for("is valid until", 2)
        keeper.end()
        manager.receive_until("STOPPING=1")
    assert not any("WATCHDOG=1" in message for message in manager.received)


def test_command_runs_after_each_write(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """The command gets the path and the expiry, but neither the token nor the manager's variables."""
    path, log = tmp_path / "token", tmp_path / "log"
    command = f"""sh -c 'env > "{log}.new"; echo "$@" >> "{log}.new"; cat "{log}.new" >> "{log}"' - 'one word'"""
    keeper = keep("groupid", "--to", str(path), "--exec", command, env={"NOTIFY_SOCKET": "@nobody"})
    tokens = {first_token(path)}
    wait_until(lambda: log.exists() and log.read_text().count("one word") >= 3)
    tokens.add(path.read_text())
    text = log.read_text()
    assert f"ACCESS_TOKEN_FILE={path}\n" in text
    assert text.count("ACCESS_TOKEN_EXPIRES_AT=") == text.count("ACCESS_TOKEN_FILE=") >= 3
    assert "NOTIFY_SOCKET" not in text
    assert not any(token in text for token in tokens)
    assert keeper.end() == 0


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("false", "exited with code 1"),
        ("missing-program", "can't be run: no such file"),
        ("sleep 100", "did not end within 0.5 s"),
        ("sh -c 'kill -9 $$'", "was killed by signal 9"),
    ],
)
def test_failed_command_is_loud_and_changes_nothing(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path, command: str, problem: str
) -> None:
    """Each failure is reported, and the token is kept fresh all the same; --once ends with 1."""
    path = tmp_path / "token"
    options = ("groupid", "--to", str(path), "--exec", command, "--exec-timeout", "0.5")
    keeper = keep(*options)
    keeper.wait_for(problem, 2)
    assert keeper.text.count("is valid until") >= 2
    assert keeper.end() == 0
    assert keep(*options, "--once").wait_for_end() == 1


def test_disk_full_keeps_the_old_file(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """A file that can't be written is reported, its old content stays, and it is tried again."""
    path = tmp_path / "token"
    keeper = keep("groupid", "--to", str(path))
    old = first_token(path)
    soft, hard = resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE, (16, hard))
    keeper.wait_for("error: ")
    assert "the file size limit is reached" in keeper.text
    assert path.read_text() == old
    resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
    keeper.process.send_signal(signal.SIGHUP)  # don't wait for the next attempt
    wait_until(lambda: path.read_text() != old, lambda: keeper.text)
    assert keeper.process.poll() is None


@pytest.mark.parametrize("to", ["token", "tokens/"])
def test_unsafe_directory_keeps_the_old_file(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path, to: str
) -> None:
    """While the directory can't be used, that is said once and tried again; no other file is touched."""
    directory = tmp_path / "tokens of groupid"
    directory.mkdir(mode=0o700)
    path = directory / to
    token = path / "token" if to.endswith("/") else path
    keeper = keep("groupid", "--to", f"{directory}/{to}")
    old = first_token(token)
    writable = path if to.endswith("/") else directory
    writable.chmod(0o777)
    keeper.wait_for("error: other users can write to")
    assert "the old content stays; next attempt in" in keeper.text
    assert token.read_text() == old
    writable.chmod(0o700)
    wait_until(lambda: token.read_text() != old, lambda: keeper.text)
    assert keeper.text.count("error: ") == 1


def test_metrics_are_read_by_prometheus(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """The file is valid OpenMetrics and Prometheus text, and counts what happened."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
    from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

    path, metrics = tmp_path / 'to"ken', tmp_path / "tokencli.prom"
    keeper = keep("groupid", "--to", str(path), "--metrics", str(metrics), "--exec", "false")
    keeper.wait_for("is valid until", 2)
    sandbox.set_faults(fail="503", lifetime=f"{LIFETIME_S}s")

    def read() -> dict[str, float]:
        samples = [sample for family in parse(metrics.read_text()) for sample in family.samples]
        assert all(sample.labels == {"profile": "groupid", "path": str(path)} for sample in samples)
        return {
            sample.name.removeprefix("tokencli_keep_").removesuffix("_total"): sample.value
            for sample in samples
        }

    wait_until(lambda: read()["failures"] >= 1)
    values = read()
    assert values["renewals"] == values["command_failures"] == 2
    assert values["last_success_timestamp_seconds"] < values["token_expiry_timestamp_seconds"]
    assert len(list(parse_prometheus(metrics.read_text()))) >= 5
    assert metrics.stat().st_mode & 0o777 == 0o644


def test_changed_configuration_is_noticed(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """Another scope is requested without a restart; a broken file is reported and changes nothing."""
    directory = tmp_path / "tokens"
    sandbox.set_faults(lifetime="60s")
    config = Path(sandbox.config_file)
    before = config.read_text()
    keeper = keep("oauth2", "--to", f"{directory}/")
    old = first_token(directory / "token")
    config.write_text(before.replace("[profiles.oauth2]", "[profiles.oauth2]\nnonsense = 1"))
    keeper.wait_for("the configuration as it was before is used")
    assert (directory / "token").read_text() == old
    config.write_text(before.replace("[profiles.oauth2]", "[profiles.oauth2]\nmin_ttl = '59s'"))
    wait_until(lambda: (directory / "token").read_text() != old, lambda: keeper.text)
    assert keeper.process.poll() is None


def test_renewal_by_another_process_is_noticed(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path, tokencli: Run
) -> None:
    """A token that `refresh` got is written at once: the server may have ended the former one."""
    path = tmp_path / "token"
    sandbox.set_faults(lifetime="60s")
    keep("groupid", "--to", str(path)).wait_for("is valid until")
    new = tokencli("refresh", "groupid").out.strip()
    wait_until(lambda: path.read_text() == new)
    assert sandbox.database.token_requests == 2


def test_removed_file_is_written_again(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """A file that something else has removed is back within seconds, with the same token."""
    sandbox.set_faults(lifetime="60s")
    for to in ("token", "tokens/"):
        keeper = keep("groupid", "--to", f"{tmp_path}/{to}")
        path = tmp_path / to / "token" if to.endswith("/") else tmp_path / to
        token = first_token(path)
        path.unlink()
        assert first_token(path) == token
        assert keeper.end() == 0
    assert sandbox.database.token_requests == 1


def test_the_file_is_removed_at_the_end_if_asked_for(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """--remove-at-end leaves no token, neither in a file nor in a directory."""
    for to in (tmp_path / "token", f"{tmp_path}/tokens/"):
        keeper = keep("groupid", "--to", str(to), "--remove-at-end")
        keeper.wait_for("is valid until")
        assert keeper.end() == 0
        assert not Path(to).is_file() and not list(Path(tmp_path, "tokens").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("groupid",), 2, "--to is required"),
        (("groupid", "--to", "t", "--mode", "0666"), 2, "only the owner write"),
        (("groupid", "--to", "t", "--mode", "rw"), 2, "octal"),
        (("groupid", "--to", "t", "--exec", "'"), 2, "No closing quotation"),
        (("groupid", "--to", "t", "--format", "dpop"), 2, "its own proof"),
        (("groupid", "--to", "t", "--url", "https://x.example"), 2, "--url requires"),
        (("groupid", "--to", "t", "--template", "{{ nonsense }}"), 2, "nonsense"),
        (("dpop-demo", "--to", "t"), 2, "bound to a key"),
        (("corp", "--to", "t"), 4, "interactive sign-in"),
        (("missing", "--to", "t"), 3, "missing"),
        (("groupid", "--to", "missing/t"), 8, "directory does not exist"),
        (("groupid", "--to", "missing/t/", "--once"), 8, "missing"),
    ],
)
def test_what_cannot_work_ends_at_once(
    sandbox: Sandbox, tokencli: Run, tmp_path: Path, arguments: Sequence[str], code: int, text: str
) -> None:
    """Mistakes on the command line, and profiles whose tokens can't be kept, are errors."""
    result = tokencli("keep", *arguments, cwd=tmp_path)
    assert (result.code, result.out) == (code, "")
    assert text in result.err
    assert not (tmp_path / "t").exists()


def password_file(sandbox: Sandbox) -> Path:
    """Return the file with the password of profile groupid."""
    return sandbox.directory / "groupid.password"
