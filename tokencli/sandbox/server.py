"""A sandbox as one thing: certificates, server, systems and workspace, started and stopped together."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tokencli.errors import StorageError, UsageError
from tokencli.sandbox.context import SandboxContext
from tokencli.sandbox.faults import parse_faults
from tokencli.sandbox.https_server import HOST, HttpsServer
from tokencli.sandbox.keys import SigningKeys
from tokencli.sandbox.router import Router
from tokencli.sandbox.token_db import TokenDatabase
from tokencli.sandbox.workspace import TomlValue, Workspace


class Sandbox:
    """Run an authorization server inside `with`; the options are the rows of `faults.FAULTS`.

    Raises:
        UsageError: an option can't be read, or the port is taken. StorageError: no room for it.
    """

    url: str
    """The address, without a slash at the end."""
    directory: Path
    """The workspace, which is removed at the end."""
    config_file: str
    """The path of a configuration with a profile for each system."""
    ca_file: str
    """The path of the CA's certificate, in PEM form."""

    def __init__(
        self, *, port: int = 0, now: Callable[[], float] = time.time, **faults: object
    ) -> None:
        self._port = port
        self._faults = parse_faults(faults)
        self.database = TokenDatabase(now)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            with _storage_errors():
                workspace = Workspace()
                undo.callback(workspace.delete_files)
                authority, tls = _create_certificates(workspace.directory)
            server = _open_server(self._port, tls)
            undo.callback(server.stop)
            self.url = f"https://{HOST}:{server.server_port}"
            self.directory = workspace.directory
            self.config_file = str(workspace.config_file)
            self.ca_file = str(workspace.ca_file)
            self._context = SandboxContext(self.url, self.database, SigningKeys(), self._faults)
            self._workspace = workspace
            with _storage_errors():
                workspace.write_files(self.url, authority)
            server.start(Router(self._context).handle_request, self._context.now)
            self._exit_stack = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def set_faults(self, **faults: object) -> None:
        """Let these things go wrong from now on, and no others."""
        self._context.set_faults(parse_faults(faults))

    def render_config(
        self,
        changes: Mapping[str, Mapping[str, TomlValue | None]] | None = None,
        *,
        state_dir: str | None = None,
    ) -> str:
        """Return a configuration with a profile for each system; see `Workspace.config_text`."""
        return self._workspace.render_config(changes, state_dir=state_dir)

    def build_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which a command finds this sandbox."""
        found = {name: value for name, value in environ.items() if name != "TOKENCLI_PROFILE"}
        return found | {
            "TOKENCLI_CONFIG": self.config_file,
            "SANDBOX_URL": self.url,
            "SANDBOX_CA_FILE": self.ca_file,
        }

    def is_family_active(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still good."""
        return self.database.is_family_active(refresh_token)

    def current_refresh_token(self, system: str) -> str | None:
        """Return the one good refresh token of the family that the system served last."""
        return self.database.current_refresh_token(system)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the sandbox's temporary directory can't be written: {error.strerror}",
            fix="make room there, or name another by TMPDIR",
        ) from error


def _open_server(port: int, tls: ssl.SSLContext) -> HttpsServer:
    try:
        return HttpsServer(port, tls)
    except OSError as error:
        raise UsageError(
            f"port {port} can't be had on {HOST}: {error.strerror}",
            fix="tokencli sandbox without --port, which takes a free one",
        ) from error


def _create_certificates(directory: Path) -> tuple[bytes, ssl.SSLContext]:
    """Make a CA and a certificate for this machine alone; return the CA's, and the server's context.

    ssl reads keys from files alone: the server's own is in `directory` for that moment.
    """
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert(HOST, "localhost", key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(directory)) as path:
        context.load_cert_chain(path)
    return authority.cert_pem.bytes(), context
