"""The rules for single values: each takes what was written and returns it, or raises `Wrong`."""

import re
from collections.abc import Callable
from typing import Any

from tokencli.config.duration import duration
from tokencli.config.findings import Wrong
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.names import check_variable
from tokencli.providers.address import endpoint, host_port

PROFILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
FIELD_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONGEST_TEXT = 4096
TOKEN_TYPES = ("access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2")
"""Token types that RFC 8693 section 3 names; on the wire each has a prefix."""

_DENIED_HEADERS = frozenset(
    ("authorization", "host", "content-length", "transfer-encoding", "connection",
     "cookie", "proxy-authorization", "expect", "te", "trailer", "upgrade", "accept-encoding")
)  # fmt: skip

RESERVED: dict[str, str] = {
    "grant_type": "grant (or grant_type, for another name on the wire)",
    "client_id": "client_id",
    "client_secret": "client_secret",
    "username": "username",
    "password": "password",
    "scope": "scope",
    "audience": "audience",
    "resource": "resource",
    "client_assertion": "client_auth",
    "client_assertion_type": "client_auth",
    "refresh_token": "",
    "code": "",
    "code_verifier": "",
    "code_challenge": "",
    "code_challenge_method": "",
    "redirect_uri": "",
    "response_type": "",
    "state": "",
    "nonce": "",
    "device_code": "",
    "assertion": "assertion",
    "subject_token": "subject_token",
    "subject_token_type": "subject_token_type",
    "actor_token": "actor_token",
    "actor_token_type": "actor_token_type",
    "requested_token_type": "requested_token_type",
}
"""Request parameters that OAuth itself sets -> the profile key that stands for each, if any."""


def text(value: str) -> str:
    """Take a line of text that may be sent: not empty, no control characters."""
    if not value:
        raise Wrong("is empty", "give a value, or take the line out")
    if len(value) > LONGEST_TEXT:
        raise Wrong(f"is longer than {LONGEST_TEXT} characters")
    if _UNPRINTABLE.search(value):
        raise Wrong("contains a control character or a line break", "take it out")
    if value != value.strip():
        raise Wrong("begins or ends with a space", "take the space out")
    return value


def strings(value: object) -> tuple[str, ...]:
    """Take a string, or an array of strings."""
    items = value if isinstance(value, list) else [value]
    found = tuple(text(item) for item in items if isinstance(item, str))
    if not found or len(found) != len(items):
        raise Wrong("must be text in quotes, or an array of such")
    return found


def resources(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take absolute URIs without a fragment (RFC 8707 section 2)."""
    for value in values:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", value) or "#" in value:
            raise Wrong(
                "is no absolute URI without a fragment (RFC 8707 section 2)",
                'such as "https://api.example.com/"; other words may fit audience',
            )
    return values


def token_type(value: str) -> str:
    """Take a token type of RFC 8693 section 3 by its short name, or any other by its URI."""
    if value in TOKEN_TYPES:
        return f"urn:ietf:params:oauth:token-type:{value}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", value):
        raise Wrong("is no type of token", f"one of {', '.join(TOKEN_TYPES)}, or a URI")
    return value


def scope(value: str) -> str:
    """Take space-separated scopes (RFC 6749 section 3.3)."""
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*", value):
        raise Wrong(
            "is not a list of scopes separated by single spaces (RFC 6749 section 3.3)",
            'write it as "openid profile"',
        )
    return value


def given_scope(value: str) -> str:
    """Take scopes that were given with a call or on the command line; raises UsageError."""
    try:
        return scope(value)
    except Wrong as wrong:
        raise UsageError(f"the scope given {wrong.what}", hint='--scope "openid profile"') from None


def seconds(least: float) -> Callable[[object], float]:
    """Take a duration of at least `least` seconds."""

    def check(value: object) -> float:
        try:
            found = duration(value)
        except ValueError as error:
            raise Wrong("is not a duration", str(error)) from None
        if found < least:
            raise Wrong(f"is too short: at least {least:g}s")
        return found

    return check


def variable(value: str) -> str:
    """Take the name of an environment variable that a token may be put into."""
    try:
        check_variable(value)
    except UsageError as error:
        raise Wrong(error.message, 'such as "API_TOKEN"', clause=True) from None
    return value


def variable_to_read(value: str) -> str:
    """Take the name of an environment variable that holds a secret."""
    if not re.fullmatch(VARIABLE_NAME, value):
        raise Wrong(
            "is not a variable name; it may be the secret itself, so it is not shown",
            'name the variable that holds it: { env = "MY_SECRET" }',
            quote=False,
        )
    return value


def host(port: int | None) -> Callable[[str], str]:
    """Take `host[:port]`, with `port` where it names none."""
    return lambda value: _asked(host_port, value, port)


def url(*, query: bool) -> Callable[[str], str]:
    """Take an endpoint URL; whether http to a loopback literal is allowed is decided later."""
    return lambda value: _asked(lambda text: endpoint(text, query=query), value)


def proxy(value: str) -> str:
    """Take a proxy's URL, or `none`."""
    if value == "none":
        return value
    if "@" in value:
        raise Wrong(
            "carries a user name or password, and this file is no place for them",
            "set HTTPS_PROXY in the environment instead",
            quote=False,
        )
    if not re.fullmatch(r"https?://[^\s/?#\\]+/?", value):
        raise Wrong("is no proxy", 'write "http://proxy.example.com:3128", or "none" for none')
    _asked(host_port, value.partition("://")[2].rstrip("/"))
    return value


def params(value: object) -> dict[str, str | tuple[str, ...]]:
    """Take a table of extra request parameters, each text or an array of texts."""
    if not isinstance(value, dict):
        raise Wrong("must be a table", 'such as params = { tenant = "acme" }', quote=False)
    found: dict[str, str | tuple[str, ...]] = {}
    wrong: list[Wrong] = []
    for name, item in value.items():
        try:
            found[name] = _param(name, item)
        except Wrong as one:
            wrong.append(one)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        right = "; ".join(one.right for one in wrong if one.right)
        raise Wrong("; ".join(one.what for one in wrong), right or None, quote=False)
    return found


def _param(name: str, item: object) -> str | tuple[str, ...]:
    text(name)
    instead = RESERVED.get(name.casefold())
    if instead is not None:
        raise Wrong(
            f"may not set {name}, which OAuth itself sets",
            f"use the profile's key {instead}" if instead else f"take {name} out",
            quote=False,
        )
    try:
        taken = strings(item)
    except Wrong as wrong:
        raise Wrong(f"{name} {wrong.what}", wrong.right, quote=False) from None
    return taken if isinstance(item, list) else taken[0]


def header_name(value: str) -> str:
    """Take the name of a request header that a provider may set."""
    if not _HEADER_NAME.fullmatch(value):
        raise Wrong("is not a header name (RFC 9110 section 5.1)")
    if value.casefold() in _DENIED_HEADERS:
        raise Wrong("is a header that the program sets itself", "take it out")
    return value


def is_header_value(value: str) -> bool:
    """Tell whether text may stand in a header: visible ASCII with spaces and tabs inside."""
    return re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?", value) is not None


def _asked(check: Callable[..., str], *given: Any) -> str:
    """Turn the ConfigError of a URL rule into a `Wrong`."""
    try:
        return check(*given)
    except ConfigError as error:
        raise Wrong(error.message, error.hint, clause=True) from None
