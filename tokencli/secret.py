"""A secret, and where one rests."""

from hmac import compare_digest
from typing import Literal, NoReturn

from tokencli.fast_dataclass import dataclass


class Secret:
    """Hold a secret that prints as `***` in every way of printing; `reveal()` is the only way out."""

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


SecretSourceKind = Literal["keyring", "env", "file", "command", "prompt", "stdin"]


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Say where a secret rests, never what it is."""

    kind: SecretSourceKind | Literal["profile"]
    name: str
    """The secret's logical name: `password`, `client_secret`, …"""
    profile: str
    target: tuple[str, ...] = ()
    """keyring: (service, username); env: (variable,); file: (path,); command: the argv; profile: (name,),
    for the token of another profile; prompt and stdin: ()."""

    def describe_source(self) -> str:
        """Name the place as a person would look for it."""
        match self.kind:
            case "keyring":
                return f"keyring {self.target[0]}"
            case "command":
                return f"command {self.target[0]}"
            case "prompt" | "stdin":
                return self.kind
            case _:
                return f"{self.kind} {self.target[0]}"
