"""A real keyring for tests: gnome-keyring on a private D-Bus, in scratch folders.

The fixtures `keyring_env` (unlocked) and `locked_keyring_env` put the session's variables into the
test's environment and return them; the processes end with the test.
"""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

NEEDED = ("gnome-keyring-daemon", "dbus-daemon", "secret-tool")
INSTALL = "apt-get install -y --no-install-recommends gnome-keyring libsecret-tools dbus dbus-bin"
BEFORE = pytest.StashKey[set[Path]]()
SESSIONS = pytest.StashKey[IO[bytes]]()
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
"""Read before any fixture changes the environment: in CI nothing is left out."""
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={place}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
"""A session bus that starts no services by itself."""


def missing() -> list[str]:
    """Return the required programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


def summary() -> str | None:
    """Return one line about the tests that are left out and how to install what they need, or None."""
    if not missing():
        return None
    if sys.platform != "linux":
        return "left out: the tests against gnome-keyring, which is for Linux"
    return f"left out: the tests against a real keyring; to have them: {INSTALL}"


def require() -> None:
    """Skip the test if a program is missing; in CI, fail it."""
    if line := summary():
        if IN_CI:
            pytest.fail(line)
        pytest.skip(line)


def state_files() -> set[Path]:
    """Return the files in the user's own state folder.

    The keyring store's locks belong to the user, not to the environment, so no fixture can move them.
    """
    from tokencli.system.user_dirs import state_dir

    return {path for path in state_dir().glob("*/*") if path.is_file()}


def sweep(before: set[Path]) -> None:
    """Remove what tests added to the user's own state folder since `before`, except files in use.

    A credential is a test's if its lock is new. A lock file is removed while it is held, which
    leaves no moment in which two processes could hold it.
    """
    import fcntl

    for path in state_files() - before:
        # A record of a secret's account; a test in another session may still need a new one.
        if path.parent.name == "accounts" and time.time() - path.stat().st_mtime > 60:
            path.unlink(missing_ok=True)
        if path.parent.name != "locks":
            continue
        with path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            for other in path.parent.parent.glob(f"*/{path.stem}*"):
                if other not in before:
                    other.unlink()


def join_sessions() -> IO[bytes]:
    """Return a file whose lock tells other test sessions of this user that this one runs."""
    import fcntl

    path = Path(tempfile.gettempdir()) / f"tokencli-test-sessions-{os.getuid()}"
    sessions = path.open("ab")
    fcntl.flock(sessions, fcntl.LOCK_SH)
    return sessions


def is_last_session(sessions: IO[bytes]) -> bool:
    """Tell whether no other session runs, and let none begin while `sessions` is open."""
    import fcntl

    try:
        fcntl.flock(sessions, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def pytest_sessionstart(session: pytest.Session) -> None:
    """Record the files in the user's own state folder."""
    if not hasattr(session.config, "workerinput"):
        session.config.stash[SESSIONS] = join_sessions()
        session.config.stash[BEFORE] = state_files()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Restore the user's own state folder once all workers are done, and all other sessions.

    What another session's tests have stored can't be told from what this one's have.
    """
    if not hasattr(session.config, "workerinput"):
        with session.config.stash[SESSIONS] as sessions:
            if is_last_session(sessions):
                sweep(session.config.stash[BEFORE])


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Terminate the process at the end of the block."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def private_bus(place: Path) -> Iterator[str]:
    """Run a private session bus and yield its address."""
    config = place / "bus.conf"
    config.write_text(BUS_CONFIG.format(place=place))
    bus = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with ended(bus):
        assert bus.stdout is not None
        yield bus.stdout.readline().strip()


@contextmanager
def gnome_keyring(place: Path, address: str) -> Iterator[dict[str, str]]:
    """Run an unlocked gnome-keyring on that bus, and yield the session's variables."""
    (place / "data").mkdir(mode=0o700)
    (place / "run").mkdir(mode=0o700)
    variables = {
        "DBUS_SESSION_BUS_ADDRESS": address,
        "XDG_RUNTIME_DIR": str(place / "run"),
        "XDG_DATA_HOME": str(place / "data"),
    }
    daemon = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **variables, "HOME": str(place)},
    )
    with ended(daemon):
        assert daemon.stdin is not None and daemon.stdout is not None
        daemon.stdin.write("scratch-keyring-password")
        daemon.stdin.close()
        wait_for_owner(address)
        yield variables


def wait_for_owner(address: str) -> None:
    """Wait until a Secret Service owns its name on the bus."""
    import secretstorage
    from jeepney import DBusAddress, MatchRule, message_bus, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    assert secretstorage.__version__
    with open_dbus_connection(bus=address) as connection:
        rule = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")
        bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        with connection.filter(rule, bufsize=50) as changes:
            connection.send_and_get_reply(message_bus.AddMatch(rule))
            ask = new_method_call(bus, "NameHasOwner", "s", ("org.freedesktop.secrets",))
            if connection.send_and_get_reply(ask).body[0]:
                return
            while True:
                change = connection.recv_until_filtered(changes, timeout=20)
                if change.body[0] == "org.freedesktop.secrets" and change.body[2]:
                    return


def lock(variables: Mapping[str, str]) -> None:
    """Lock the default collection."""
    from jeepney import DBusAddress, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    service = DBusAddress(
        "/org/freedesktop/secrets", "org.freedesktop.secrets", "org.freedesktop.Secret.Service"
    )
    with open_dbus_connection(bus=variables["DBUS_SESSION_BUS_ADDRESS"]) as connection:
        ask = new_method_call(service, "ReadAlias", "s", ("default",))
        (collection,) = connection.send_and_get_reply(ask).body
        connection.send_and_get_reply(new_method_call(service, "Lock", "ao", ([collection],)))


def settle() -> None:
    """Close the sockets that the keyring library leaves open when it raises or hangs."""
    for thread in threading.enumerate():
        if thread.name == "tokencli-worker":
            thread.join(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def settled() -> Iterator[None]:
    """Run `settle` after the test."""
    yield
    settle()


@pytest.fixture
def keyring_env(
    hermetic: None,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, str]]:
    """Provide an unlocked gnome-keyring for the test."""
    require()
    place = tmp_path_factory.mktemp("keyring")
    with private_bus(place) as address, gnome_keyring(place, address) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables
    settle()


@pytest.fixture
def locked_keyring_env(keyring_env: dict[str, str]) -> dict[str, str]:
    """Provide a locked gnome-keyring that nobody unlocks."""
    lock(keyring_env)
    return keyring_env
