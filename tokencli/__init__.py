"""Fetch, refresh, inspect and export bearer tokens.

The manual page "Python API" (`tokencli help python-api`) describes what a program can use of this
package, `tokencli help architecture` how it is organized.
"""

TYPE_CHECKING = False  # importing typing would cost more than everything here
if TYPE_CHECKING:
    from tokencli import errors as errors
    from tokencli.api import inspect as inspect
    from tokencli.api import token as token
    from tokencli.api.httpx_auth import HttpxTokenAuth as HttpxTokenAuth
    from tokencli.api.requests_auth import TokenAuth as TokenAuth
    from tokencli.core.inspect import Inspection as Inspection
    from tokencli.errors import ConfigError as ConfigError
    from tokencli.errors import CredentialsError as CredentialsError
    from tokencli.errors import DeadlineError as DeadlineError
    from tokencli.errors import InvalidTokenError as InvalidTokenError
    from tokencli.errors import KeyringError as KeyringError
    from tokencli.errors import LockTimeoutError as LockTimeoutError
    from tokencli.errors import LoginRequiredError as LoginRequiredError
    from tokencli.errors import NoKeyringError as NoKeyringError
    from tokencli.errors import RefusedError as RefusedError
    from tokencli.errors import ReplyError as ReplyError
    from tokencli.errors import StorageError as StorageError
    from tokencli.errors import TlsError as TlsError
    from tokencli.errors import TokencliError as TokencliError
    from tokencli.errors import TokenNotStoredError as TokenNotStoredError
    from tokencli.errors import UnreachableError as UnreachableError
    from tokencli.errors import UsageError as UsageError

__version__ = "0.2.0.dev0"
__all__ = (
    "ConfigError",
    "CredentialsError",
    "DeadlineError",
    "Inspection",
    "InvalidTokenError",
    "KeyringError",
    "LockTimeoutError",
    "LoginRequiredError",
    "NoKeyringError",
    "RefusedError",
    "ReplyError",
    "StorageError",
    "TlsError",
    "TokenAuth",
    "TokenNotStoredError",
    "TokencliError",
    "UnreachableError",
    "UsageError",
    "errors",
    "inspect",
    "token",
)
# HttpxTokenAuth is not listed, because it can be imported only if httpx is installed.

_MODULES = {
    "HttpxTokenAuth": "tokencli.api.httpx_auth",
    "Inspection": "tokencli.core.inspect",
    "TokenAuth": "tokencli.api.requests_auth",
    "inspect": "tokencli.api",
    "token": "tokencli.api",
}
"""Public name -> its module; that of all others is `tokencli.errors`."""


if not TYPE_CHECKING:  # else every other name would count as an attribute

    def __getattr__(name: str) -> object:
        """Import the public names on first use (PEP 562), so that `import tokencli` costs nothing."""
        if name not in __all__ and name not in _MODULES:
            raise AttributeError(f"module 'tokencli' has no attribute {name!r}")
        from importlib import import_module

        module = import_module(_MODULES.get(name, "tokencli.errors"))
        attribute: object = module if name == "errors" else getattr(module, name)
        globals()[name] = attribute
        return attribute


def __dir__() -> list[str]:
    """List the public names as well, imported or not."""
    from importlib.util import find_spec

    optional = ["HttpxTokenAuth"] if find_spec("httpx") else []
    return sorted({*globals(), *__all__, *optional})
