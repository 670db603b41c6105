"""A sandbox as one thing: certificates, server, systems and workspace, started and stopped together."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tokencli.errors import StorageError, UsageError
from tokencli.sandbox.faults import read
from tokencli.sandbox.https import HOST, Server
from tokencli.sandbox.keys import Keys
from tokencli.sandbox.router import Router
from tokencli.sandbox.site import Site
from tokencli.sandbox.state import State
from tokencli.sandbox.workspace import Value, Workspace


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
        self._faults = read(faults)
        self.state = State(now)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            with _storage():
                workspace = Workspace()
                undo.callback(workspace.remove)
                authority, tls = _certificates(workspace.directory)
            server = _listen(self._port, tls)
            undo.callback(server.stop)
            self.url = f"https://{HOST}:{server.server_port}"
            self.directory = workspace.directory
            self.config_file = str(workspace.config_file)
            self.ca_file = str(workspace.ca_file)
            self._site = Site(self.url, self.state, Keys(), self._faults)
            self._workspace = workspace
            with _storage():
                workspace.fill(self.url, authority)
            server.start(Router(self._site).reply, self._site.now)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def change(self, **faults: object) -> None:
        """Let these things go wrong from now on, and no others."""
        self._site.change(read(faults))

    def config_text(
        self,
        changes: Mapping[str, Mapping[str, Value | None]] | None = None,
        *,
        state_dir: str | None = None,
    ) -> str:
        """Return a configuration with a profile for each system; see `Workspace.config_text`."""
        return self._workspace.config_text(changes, state_dir=state_dir)

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which a command finds this sandbox."""
        found = {name: value for name, value in environ.items() if name != "TOKENCLI_PROFILE"}
        return found | {
            "TOKENCLI_CONFIG": self.config_file,
            "SANDBOX_URL": self.url,
            "SANDBOX_CA_FILE": self.ca_file,
        }

    def family_alive(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still good."""
        return self.state.family_alive(refresh_token)

    def current_refresh_token(self, system: str) -> str | None:
        """Return the one good refresh token of the family that the system served last."""
        return self.state.current_refresh_token(system)


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the sandbox's temporary directory can't be written: {error.strerror}",
            hint="make room there, or name another by TMPDIR",
        ) from error


def _listen(port: int, tls: ssl.SSLContext) -> Server:
    try:
        return Server(port, tls)
    except OSError as error:
        raise UsageError(
            f"port {port} can't be had on {HOST}: {error.strerror}",
            hint="tokencli sandbox without --port, which takes a free one",
        ) from error


def _certificates(directory: Path) -> tuple[bytes, ssl.SSLContext]:
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
