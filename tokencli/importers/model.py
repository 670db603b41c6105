"""What a recording or a description tells: a request as somebody has it, or an OAuth server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ImportedRequest:
    """One request as somebody has it, and the reply's body where that was kept."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    uses_basic_auth: bool = False
    reply_body: str = ""
    body_format: str = ""
    """What the body is: json, form, multipart, xml or text; empty where it has to be guessed."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What `{{name}}` stands for, where that is known; only addresses and constants are taken."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Values that a description itself gives for parts of the URL."""
    optional_members: frozenset[str] = frozenset()
    """Members that may be left out, by name."""
    constant_members: frozenset[str] = frozenset()
    """Members whose text is the vendor's word, by name."""
    token_locator: str = ""
    """Where in the reply the token is, where somebody wrote it down."""
    reply_headers: tuple[str, ...] = ()
    status: int = 200
    name: str = ""
    """What the system is called."""
    notes: tuple[str, ...] = ()
    """What the reader of the format left open."""


@dataclass(frozen=True, slots=True)
class OAuthServer:
    """An OAuth server as a tool or a description has it: everything else is the standard's."""

    token_url: str = ""
    authorization_url: str = ""
    device_url: str = ""
    issuer: str = ""
    grants: tuple[str, ...] = ()
    scope: str = ""
    client_auth: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    """Further parameters of the token request."""
    variables: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()


Imported: TypeAlias = ImportedRequest | OAuthServer


def has_basic_auth(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether one of the headers is HTTP Basic's."""
    return any(n.lower() == "authorization" and v.lower().startswith("basic") for n, v in headers)
