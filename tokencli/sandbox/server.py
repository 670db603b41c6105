"""`Sandbox`: certificates, server, systems and workspace, started and stopped together."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tokencli.errors import StorageError, UsageError
from tokencli.sandbox.faults import parse_faults
from tokencli.sandbox.https_server import HOST, HttpsServer
from tokencli.sandbox.keys import SigningKeys
from tokencli.sandbox.router import Router
from tokencli.sandbox.system import SandboxContext
from tokencli.sandbox.token_db import TokenDatabase
from tokencli.sandbox.workspace import TomlValue, Workspace


class Sandbox:
    """Run an authorization server in a `with` block; the options are those of `FAULT_OPTIONS`.

    Raises:
        UsageError: an option is invalid, or the port is in use.
        StorageError: the temporary directory can't be written.
    """

    url: str
    """Base URL, without a trailing slash."""
    directory: Path
    """The workspace, removed at the end."""
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
        """Replace the injected faults."""
        self._context.set_faults(parse_faults(faults))

    def render_config(
        self,
        changes: Mapping[str, Mapping[str, TomlValue | None]] | None = None,
        *,
        state_dir: str | None = None,
    ) -> str:
        """Return a configuration with a profile for each system; see `Workspace.render_config`."""
        return self._workspace.render_config(changes, state_dir=state_dir)

    def build_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for commands that use this sandbox."""
        inherited = {name: value for name, value in environ.items() if name != "TOKENCLI_PROFILE"}
        return inherited | {
            "TOKENCLI_CONFIG": self.config_file,
            "SANDBOX_URL": self.url,
            "SANDBOX_CA_FILE": self.ca_file,
        }

    def is_family_active(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still active."""
        return self.database.is_family_active(refresh_token)

    def current_refresh_token(self, system: str) -> str | None:
        """Return the current refresh token of the family that the system used last."""
        return self.database.current_refresh_token(system)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"can't write the sandbox's temporary directory: {error.strerror}",
            fix="free some space there, or set TMPDIR to another directory",
        ) from error


def _open_server(port: int, tls: ssl.SSLContext) -> HttpsServer:
    try:
        return HttpsServer(port, tls)
    except OSError as error:
        raise UsageError(
            f"can't listen on {HOST}:{port}: {error.strerror}",
            fix="tokencli sandbox",
        ) from error


def _create_certificates(directory: Path) -> tuple[bytes, ssl.SSLContext]:
    """Create a CA and a certificate for loopback; return the CA in PEM form and the TLS context.

    ssl loads keys only from files, so the server's key is in `directory` for a moment.
    """
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert(HOST, "localhost", key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(directory)) as path:
        context.load_cert_chain(path)
    return authority.cert_pem.bytes(), context
