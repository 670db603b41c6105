"""The running sandbox: TLS, threads, connections, and cleaning up."""

import asyncio
import resource
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tokencli.config.load import load_config
from tokencli.errors import StorageError, UsageError
from tokencli.sandbox.https_server import HOST
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import SYSTEMS

ASK = (
    "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
)
FORM = "grant_type=client_credentials&client_id=batch&client_secret=made-up-secret-of-batch"
REQUEST = ASK.format(length=len(FORM), body=FORM).encode()


def trusting(sandbox: Sandbox) -> ssl.SSLContext:
    """Return a context that trusts only the sandbox's CA."""
    return ssl.create_default_context(cafile=sandbox.ca_file)


def talk(sandbox: Sandbox, data: bytes) -> bytes:
    """Send raw bytes, then read until the server closes."""
    with (
        socket.create_connection((HOST, int(sandbox.url.rpartition(":")[2])), 20) as plain,
        trusting(sandbox).wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        wire.sendall(data)
        found = b""
        while chunk := wire.recv(65536):
            found += chunk
        return found


def test_certificate_covers_both_loopback_names() -> None:
    """127.0.0.1 and localhost verify against the sandbox's CA."""
    with Sandbox() as sandbox:
        for url in (sandbox.url, sandbox.url.replace(HOST, "localhost")):
            reply = requests.get(f"{url}/oauth2/keys", verify=sandbox.ca_file, timeout=20)
            assert reply.status_code == 200


def test_ca_of_another_sandbox_is_not_trusted() -> None:
    """Each sandbox has its own CA."""
    with (
        Sandbox() as one,
        Sandbox() as other,
        pytest.raises(requests.exceptions.SSLError),
    ):
        requests.get(one.url, verify=other.ca_file, timeout=20)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Raise this process's limit of open files, for client and server."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_five_hundred_clients_at_once() -> None:
    """None is refused, dropped or forgotten."""

    async def ask(sandbox: Sandbox, context: ssl.SSLContext) -> bytes:
        port = int(sandbox.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
        writer.write(REQUEST)
        status = await reader.readline()
        writer.close()
        return status

    async def ask_all(sandbox: Sandbox) -> list[bytes]:
        context = trusting(sandbox)
        return await asyncio.gather(*(ask(sandbox, context) for _ in range(500)))

    with Sandbox() as sandbox:
        statuses = asyncio.run(ask_all(sandbox))
        assert set(statuses) == {b"HTTP/1.1 200 OK\r\n"}
        assert sandbox.database.tokens_issued == 500


def test_idle_connections_block_nobody() -> None:
    """The handshake runs in the connection's own thread, so others are served meanwhile."""
    with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        silent = [socket.create_connection((HOST, port)) for _ in range(20)]
        try:
            reply = requests.get(f"{sandbox.url}/oauth2/keys", verify=sandbox.ca_file, timeout=5)
            assert reply.status_code == 200
        finally:
            for one in silent:
                one.close()


def test_stop_closes_open_connections() -> None:
    """Idle connections and delayed responses are closed at once."""
    with Sandbox(slow="1h") as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        silent = socket.create_connection((HOST, port))
        plain = socket.create_connection((HOST, port))
        wire = trusting(sandbox).wrap_socket(plain, server_hostname="localhost")
        wire.sendall(REQUEST)
        assert sandbox.database.wait_for_requests("issued")
        began = time.monotonic()
    took = time.monotonic() - began
    silent.close()
    wire.close()
    assert took <= 5.0


def test_keep_alive() -> None:
    """HTTP/1.1: two requests and two responses on one connection."""
    last = REQUEST.replace(b"Host:", b"Connection: close\r\nHost:")
    with Sandbox() as sandbox:
        assert talk(sandbox, REQUEST + last).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /oauth2/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /oauth2/token HTTP/1.1\r\nContent-Length: 9999999999999\r\n\r\n", 413),
        (b"POST /oauth2/token HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /oauth2/token HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"BREW /coffee HTTP/1.1\r\nConnection: close\r\n\r\n", 501),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_bad_requests_get_an_error(head: bytes, status: int) -> None:
    """An invalid request gets an error status, and the next one is served."""
    with Sandbox() as sandbox:
        assert f" {status}".encode() in talk(sandbox, head)[:80]
        reply = requests.get(f"{sandbox.url}/oauth2/keys", verify=sandbox.ca_file, timeout=20)
        assert reply.status_code == 200


def test_head_has_no_body() -> None:
    """The response to HEAD ends with its headers."""
    with Sandbox() as sandbox:
        found = talk(sandbox, b"HEAD /oauth2/token HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 405")
        assert found.endswith(b"\r\n\r\n")


def test_port_in_use_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the port, and nothing is left behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)), Sandbox(port=port):
            pass
    assert list(tmp_path.glob("tokencli-sandbox-*")) == []


def test_missing_temporary_directory_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that it can't be written."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(StorageError, match="temporary directory"), Sandbox():
        pass


def test_workspace_is_private_and_deleted() -> None:
    """Directory 0700, secrets and configuration 0600, and nothing is left afterwards."""
    with Sandbox() as sandbox:
        assert stat.S_IMODE(sandbox.directory.stat().st_mode) == 0o700
        private = [path for path in sandbox.directory.iterdir() if path.suffix != ".pem"]
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in private} == {0}
        (sandbox.directory / "state" / "left").write_text("something")
    assert not sandbox.directory.exists()


def test_configuration_is_valid() -> None:
    """It has no problems, a profile for each system and more, and the default is groupid."""
    with Sandbox() as sandbox:
        config = load_config(Path(sandbox.config_file), {}, must_exist=True)
        assert config.find_problems() == ()
        assert tuple(config.profile_names()) == sandbox.profiles
        assert set(SYSTEMS) < set(sandbox.profiles)
        assert config.choose_profile(None) == "groupid"
        for name in SYSTEMS:
            profile = config.get_profile(name)
            assert profile.token_url.startswith(sandbox.url)
            assert profile.connection.ca_file == sandbox.ca_file
            assert profile.store == "file"
            assert {ref.kind for ref in profile.secrets.values()} == {"file"}


def test_configuration_with_changes(tmp_path: Path) -> None:
    """Keys are replaced, removed and added, and more profiles are based on a system."""
    with Sandbox() as sandbox:
        text = sandbox.render_config(
            {
                "socialid": {"username": None, "email_address": "john_doe@domain.com"},
                "oauth2": {"client_secret": {"env": "X"}, "min_ttl": 5},
                "two.groupid": {"provider": "groupid", "username": 'o"dd'},
            },
            state_dir=str(tmp_path),
        )
        (tmp_path / "config.toml").write_text(text)
        (tmp_path / "config.toml").chmod(0o600)
        config = load_config(tmp_path / "config.toml", {}, must_exist=True)
        assert config.find_problems() == ()
        assert "username" not in config.get_profile("socialid").values
        assert config.get_profile("oauth2").min_ttl == 5
        assert config.get_profile("two.groupid").values["username"] == 'o"dd'
        assert config.get_profile("groupid").state_dir == str(tmp_path)


def test_environment_of_a_command() -> None:
    """It selects the sandbox's configuration and drops $TOKENCLI_PROFILE."""
    with Sandbox() as sandbox:
        found = sandbox.build_environ(
            {"TOKENCLI_PROFILE": "work", "HOME": "/h", "TOKENCLI_CONFIG": "/x"}
        )
        assert found == {
            "HOME": "/h",
            "TOKENCLI_CONFIG": sandbox.config_file,
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_CA_FILE": sandbox.ca_file,
        }
