"""Which backend of the keyring library is used, and whether it is fit for secrets."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tokencli.sources import diagnosis, secret_service
from tokencli.sources.secret_service import Service
from tokencli.sources.session import SecretServiceItems

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    Backend: TypeAlias = KeyringBackend | SecretServiceItems

_UNTRUSTED = {
    "keyring.backends.fail": diagnosis.ABSENT,
    "keyring.backends.null": diagnosis.DISABLED,
    "keyrings.alt": diagnosis.PLAIN,
}
"""Packages of backends that are not fit for secrets."""
_OF_THE_BUS = "keyring.backends.SecretService."


def choose(environ: Mapping[str, str], *, person: bool) -> tuple["Backend", Service | None]:
    """Return the backend to use, and what is known of the Secret Service where it is that one.

    With a `person` there, a locked keyring may ask to be unlocked.

    Raises:
        KeyringError: there is none, it is locked, or it is not fit for secrets.
    """
    backend: Backend | None = _configured(environ)
    service = None
    if _may_be_secret_service(backend, environ):
        service = secret_service.look()
        if service is not None:
            _usable(service, person=person)
            backend = _of_the_bus(environ)
    backend = backend or _discovered()
    _trust(backend)
    return backend, service


def name_of(backend: object) -> str:
    """Return a backend's dotted name."""
    own = f"{type(backend).__module__}.{type(backend).__qualname__}"
    return str(getattr(backend, "known_as", own))


def _may_be_secret_service(backend: "Backend | None", environ: Mapping[str, str]) -> bool:
    if backend is not None:
        return name_of(backend).startswith(_OF_THE_BUS)
    return sys.platform == "linux" and secret_service.has_bus(environ)


def _of_the_bus(environ: Mapping[str, str]) -> "Backend":
    """Return the Secret Service by name: the search among all that is installed takes a while."""
    if not any(name.startswith("KEYRING_PROPERTY_") for name in environ):
        return SecretServiceItems()
    from tokencli.sources.preferred import PreferredItems

    return PreferredItems()  # type: ignore[no-untyped-call]


def _usable(service: Service, *, person: bool) -> None:
    if not person and service.locked:
        raise diagnosis.LOCKED.error()
    if not person and service.empty:
        raise diagnosis.EMPTY.error()


def _configured(environ: Mapping[str, str]) -> "KeyringBackend | None":
    """Return the backend that the user chose for the keyring library, if they did."""
    name = environ.get("PYTHON_KEYRING_BACKEND")
    path = _library_config(environ)
    if not name and not path.is_file():
        return None
    from keyring import core

    try:
        if name:
            return core.load_env()
    except Exception as error:  # noqa: BLE001  # a module of anybody's
        words = diagnosis.reason(error)
        raise diagnosis.BAD_CHOICE.error(name=(name or "")[:200], reason=words) from None
    before = list(sys.path)
    try:
        _no_relative_path(path)
        return core.load_config()
    except Exception as error:  # noqa: BLE001  # a module of anybody's
        raise diagnosis.BAD_CONFIG.error(path=path, reason=diagnosis.reason(error)) from None
    finally:
        # `keyring-path` goes to the front of the module path, where it could stand before ours.
        sys.path[:] = before + [entry for entry in sys.path if entry not in before]


def _library_config(environ: Mapping[str, str]) -> Path:
    """Return the keyring library's own configuration file."""
    if sys.platform == "linux":  # without loading the library, to which it matters seldom
        root = environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(root, "python_keyring", "keyringrc.cfg")
    from keyring.util import platform_

    return Path(str(platform_.config_root())) / "keyringrc.cfg"


def _discovered() -> "KeyringBackend":
    """Return the best of all the backends that are installed, which takes a while to find."""
    from keyring import core

    core.init_backend()
    return core.get_keyring()


def _trust(backend: "Backend") -> None:
    """Refuse a backend that is not fit for secrets; of a chain the first counts: it is written to."""
    chain = getattr(backend, "backends", None)
    name = name_of(chain[0] if chain else backend)
    for package, known in _UNTRUSTED.items():
        if name.startswith(package + "."):
            raise known.error(name=name)
    if "plaintext" in name.lower():
        raise diagnosis.PLAIN.error(name=name)


def _no_relative_path(config: Path) -> None:
    """Refuse a `keyring-path` that means another folder wherever it is read."""
    from configparser import RawConfigParser

    parser = RawConfigParser()
    parser.read(config, encoding="utf-8")
    place = parser.get("backend", "keyring-path", fallback="/").strip()
    if not Path(place).expanduser().is_absolute():
        raise ValueError(f"keyring-path = {place[:100]} is not an absolute path")
