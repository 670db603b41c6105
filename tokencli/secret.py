"""A secret, and the reference to where it is stored."""

from hmac import compare_digest
from typing import NoReturn

from tokencli.fast_dataclass import dataclass


class Secret:
    """A secret that prints as `***` however it is printed; only `reveal()` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(
            self._value.encode(errors="surrogatepass"), other._value.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is stored; never the secret itself."""

    kind: str
    """A key of `secret_sources.SECRET_SOURCES`, or `profile` for the token of another profile."""
    name: str
    """The secret's logical name: `password`, `client_secret`, …"""
    profile: str
    target: tuple[str, ...] = ()
    """keyring: (service, username); env: (variable,); file: (path,); command: the argv; profile:
    (name,); prompt and stdin: ()."""

    def describe_source(self) -> str:
        """Return the kind and, if there is one, the variable, file, program, service or profile."""
        return " ".join((self.kind, *self.target[:1]))
