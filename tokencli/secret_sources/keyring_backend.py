"""Which keyring backend is used, and whether it is safe for secrets."""

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tokencli import platforms
from tokencli.secret_sources import keyring_errors, secret_service
from tokencli.secret_sources.secret_service import SecretServiceBackend, SecretServiceStatus
from tokencli.shell_words import user_shell

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from tokencli.secret_sources.credential_manager import CredentialManager

    Backend: TypeAlias = KeyringBackend | SecretServiceBackend | CredentialManager

_INSECURE_BACKENDS = {
    "keyring.backends.fail": keyring_errors.NOT_AVAILABLE,
    "keyring.backends.null": keyring_errors.BACKEND_DISABLED,
    "keyrings.alt": keyring_errors.PLAINTEXT_BACKEND,
}
"""Packages of backends that are not safe for secrets."""
_SECRET_SERVICE_PREFIX = "keyring.backends.SecretService."
_WINDOWS_PREFIX = "keyring.backends.Windows."


def load_libraries(environ: Mapping[str, str]) -> None:
    """Load the libraries for the Credential Manager.

    It doesn't count towards a call's timeout, because it can take longer on a busy machine.
    """
    if platforms.current().has_credential_manager and not environ.get("PYTHON_KEYRING_BACKEND"):
        from tokencli.secret_sources.credential_manager import load_calls

        load_calls()


def choose_backend(
    environ: Mapping[str, str], *, can_prompt: bool
) -> tuple["Backend", SecretServiceStatus | None]:
    """Return the backend to use, and the status of the Secret Service if it is that one.

    If it `can_prompt`, a locked keyring may ask the user to unlock it.

    Raises:
        KeyringError: there is none, it is locked, or it is not safe for secrets.
    """
    platform = platforms.current()
    bus = secret_service.find_session_bus(environ) if platform.has_secret_service else None
    if bus is not None and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus  # the only place where the libraries look
    backend: Backend | None = _load_configured_backend(environ)
    service = None
    if _may_be_secret_service(backend, bus):
        service = secret_service.probe_secret_service()
        if service is not None:
            if not can_prompt:
                _require_unlocked(service, environ)
            backend = _create_secret_service_backend(environ)
        elif bus is not None and (owner := secret_service.find_foreign_bus_owner(bus)) is not None:
            raise keyring_errors.FOREIGN_BUS.build_error(owner=owner, user=os.geteuid())
    if platform.has_credential_manager and (
        backend is None or backend_name(backend).startswith(_WINDOWS_PREFIX)
    ):
        from tokencli.secret_sources.credential_manager import CredentialManager

        backend = CredentialManager()
        backend.require_session()
    backend = backend or _discover_backend()
    _reject_insecure_backend(backend)
    return backend, service


def backend_name(backend: object) -> str:
    """Return a backend's dotted name."""
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    return str(getattr(backend, "known_as", name))


def _may_be_secret_service(backend: "Backend | None", bus: str | None) -> bool:
    if backend is not None:
        return backend_name(backend).startswith(_SECRET_SERVICE_PREFIX)
    return bus is not None


def _create_secret_service_backend(environ: Mapping[str, str]) -> "Backend":
    """Return the Secret Service without a slow search through all installed backends."""
    if any(name.startswith("KEYRING_PROPERTY_") for name in environ):
        return _create_library_backend()  # only the library knows what they mean
    return SecretServiceBackend()


def _create_library_backend() -> "Backend":
    """Return the library's Secret Service, except that an item is overwritten in one step."""
    from keyring.backends.SecretService import Keyring

    class LibrarySecretService(Keyring):
        known_as = SecretServiceBackend.known_as

        def set_password(self, service: str, username: str, password: str) -> None:
            """Store the text under service and user name; an older one stays until then."""
            collection = self.get_preferred_collection()  # type: ignore[no-untyped-call]
            with closing(collection.connection):
                items = list(collection.search_items(self._query(service, username)))
                for item in items:
                    self.unlock(item)  # type: ignore[no-untyped-call]
                    item.set_secret(password.encode("utf-8"))
            if not items:
                super().set_password(service, username, password)  # type: ignore[no-untyped-call]

    return LibrarySecretService()  # type: ignore[no-untyped-call]


def _require_unlocked(service: SecretServiceStatus, environ: Mapping[str, str]) -> None:
    if service.locked:
        raise keyring_errors.locked_template(environ).build_error()
    if service.lacks_default_collection:
        raise keyring_errors.NO_DEFAULT_COLLECTION.build_error()


def _load_configured_backend(environ: Mapping[str, str]) -> "KeyringBackend | None":
    """Return the backend that the user configured for the keyring library, if any."""
    name = environ.get("PYTHON_KEYRING_BACKEND")
    path = _keyring_config_path(environ)
    if not name and (path is None or not path.is_file()):
        return None
    from keyring import core

    try:
        if name:
            return core.load_env()
    except Exception as error:  # noqa: BLE001  # a module of anybody's
        raise keyring_errors.BAD_BACKEND_VARIABLE.build_error(
            name=(name or "")[:200],
            reason=keyring_errors.summarize_exception(error),
            command=user_shell().unset_variable("PYTHON_KEYRING_BACKEND"),
        ) from None
    assert path is not None
    before = list(sys.path)
    try:
        _reject_relative_keyring_path(path)
        return core.load_config()
    except Exception as error:  # noqa: BLE001  # a module of anybody's
        raise keyring_errors.BAD_BACKEND_CONFIG.build_error(
            path=path,
            reason=keyring_errors.summarize_exception(error),
            command=user_shell().remove_file(str(path)),
        ) from None
    finally:
        # The library puts `keyring-path` first in the module path, where it could shadow our modules.
        sys.path[:] = before + [entry for entry in sys.path if entry not in before]


def _keyring_config_path(environ: Mapping[str, str]) -> Path | None:
    """Return the keyring library's own configuration file; None if the user has no home directory."""
    found = platforms.current().find_keyring_config(environ)
    return Path(found) if found else None


def _discover_backend() -> "KeyringBackend":
    """Return the best of all installed backends, which is slow to find."""
    from keyring import core

    try:
        core.init_backend()
    except RuntimeError:  # also if the user has no home directory
        raise keyring_errors.NOT_AVAILABLE.build_error() from None
    return core.get_keyring()


def _reject_insecure_backend(backend: "Backend") -> None:
    """Refuse a backend that is not safe for secrets; in a chain the first counts, which is written to."""
    chain = getattr(backend, "backends", None)
    name = backend_name(chain[0] if chain else backend)
    for package, template in _INSECURE_BACKENDS.items():
        if name.startswith(package + "."):
            raise template.build_error(name=name)
    if "plaintext" in name.lower():
        raise keyring_errors.PLAINTEXT_BACKEND.build_error(name=name)


def _reject_relative_keyring_path(config: Path) -> None:
    """Refuse a `keyring-path` whose meaning depends on the current directory."""
    from configparser import RawConfigParser

    parser = RawConfigParser()
    parser.read(config, encoding="utf-8")
    path = parser.get("backend", "keyring-path", fallback="/").strip()
    if not Path(path).expanduser().is_absolute():
        raise ValueError(f"keyring-path = {path[:100]} is not an absolute path")
