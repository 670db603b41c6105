"""Rules for single values of a profile.

Each function returns the value it accepts and raises InvalidValueError otherwise.
"""

import re
from collections.abc import Callable

from tokencli.duration import parse_duration
from tokencli.errors import UsageError
from tokencli.formats.variable_checks import check_variable_name
from tokencli.problems import InvalidValueError
from tokencli.providers.endpoint_urls import check_host_port
from tokencli.providers.validation.values import PROFILE_NAME_PATTERN as PROFILE_NAME_PATTERN
from tokencli.providers.validation.values import convert_config_error
from tokencli.providers.validation.values import host_validator as host_validator
from tokencli.providers.validation.values import is_header_value as is_header_value
from tokencli.providers.validation.values import url_validator as url_validator
from tokencli.providers.validation.values import validate_text as validate_text

VARIABLE_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
TOKEN_TYPES = ("access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2")
"""Short names of the token types of RFC 8693 section 3."""

RESERVED_PARAMS: dict[str, str] = {
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
    "redirect_uri": "redirect_host, redirect_port or redirect_path",
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
"""Request parameters that OAuth sets -> the profile key to use instead, if there is one."""


def validate_api_url(value: str) -> str:
    """Accept the base URL of an API, to which paths are appended."""
    if "?" in value:
        raise InvalidValueError(
            "has a query, but a path is appended to this URL",
            "remove the ? and everything after it",
        )
    return url_validator(query=False)(value)


def validate_strings(value: object) -> tuple[str, ...]:
    """Accept a string or an array of strings."""
    items = value if isinstance(value, list) else [value]
    strings = tuple(validate_text(item) for item in items if isinstance(item, str))
    if not strings or len(strings) != len(items):
        raise InvalidValueError("must be text in quotes, or an array of texts")
    return strings


def validate_resources(values: tuple[str, ...]) -> tuple[str, ...]:
    """Accept absolute URIs without a fragment (RFC 8707 section 2)."""
    for value in values:
        if not _ABSOLUTE_URI.fullmatch(value) or "#" in value:
            raise InvalidValueError(
                "is not an absolute URI without a fragment (RFC 8707 section 2)",
                'e.g. "https://api.example.com/"; if it is not a URI, it may belong in audience',
            )
    return values


def validate_token_type(value: str) -> str:
    """Accept a token type by its short name (RFC 8693 section 3) or its URI."""
    if value in TOKEN_TYPES:
        return f"urn:ietf:params:oauth:token-type:{value}"
    if not _ABSOLUTE_URI.fullmatch(value):
        raise InvalidValueError("is not a token type", f"use {', '.join(TOKEN_TYPES)} or a URI")
    return value


def validate_scope(value: str) -> str:
    """Accept scopes separated by single spaces (RFC 6749 section 3.3)."""
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*", value):
        raise InvalidValueError(
            "is not a list of scopes separated by single spaces (RFC 6749 section 3.3)",
            'write it as "openid profile"',
        )
    return value


def validate_scope_argument(value: str) -> str:
    """Accept the scopes of an API call or of the command line; raises UsageError."""
    try:
        return validate_scope(value)
    except InvalidValueError as error:
        raise UsageError(
            f"the value of --scope {error.message}",
            fix='separate scopes by single spaces: --scope "openid profile"',
        ) from None


def duration_validator(minimum: float) -> Callable[[object], float]:
    """Return a validator of durations of at least `minimum` seconds."""

    def check(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise InvalidValueError("is not a duration", str(error)) from None
        if seconds < minimum:
            raise InvalidValueError(f"is too short: the minimum is {minimum:g}s")
        return seconds

    return check


def validate_variable_name(value: str) -> str:
    """Accept the name of an environment variable that can be set to a token."""
    try:
        check_variable_name(value)
    except UsageError as error:
        raise InvalidValueError(error.message, 'e.g. "API_TOKEN"', clause=True) from None
    return value


def validate_source_variable(value: str) -> str:
    """Accept the name of an environment variable that holds a secret."""
    if not re.fullmatch(VARIABLE_NAME_PATTERN, value):
        raise InvalidValueError(
            "is not a variable name (not shown, because it may be the secret itself)",
            'name the variable that holds it: { env = "MY_SECRET" }',
            quote=False,
        )
    return value


def validate_proxy(value: str) -> str:
    """Accept the URL of a proxy, or `none`."""
    if value == "none":
        return value
    if "@" in value:
        raise InvalidValueError(
            "contains a user name or password, which must not be written in this file",
            "set HTTPS_PROXY in the environment instead",
            quote=False,
        )
    if not re.fullmatch(r"https?://[^\s/?#\\]+/?", value):
        raise InvalidValueError(
            "is not the URL of a proxy", 'write "http://proxy.example.com:3128" or "none"'
        )
    convert_config_error(check_host_port, value.partition("://")[2].rstrip("/"))
    return value


def validate_redirect_path(value: str) -> str:
    """Accept a URL's path, which may be empty."""
    if not re.fullmatch(r"(?:/[\w.~!$&'()*+,;=:@%-]*)*", value, re.ASCII):
        raise InvalidValueError("is not the path of a URL", 'e.g. "/callback"')
    return value


def validate_params(value: object) -> dict[str, str | tuple[str, ...]]:
    """Accept a table of request parameters, each text or an array of texts."""
    if not isinstance(value, dict):
        raise InvalidValueError("must be a table", 'e.g. params = { tenant = "acme" }', quote=False)
    params: dict[str, str | tuple[str, ...]] = {}
    errors: list[InvalidValueError] = []
    for name, item in value.items():
        try:
            params[name] = _validate_param(name, item)
        except InvalidValueError as error:
            errors.append(error)
    if errors:
        message = "; ".join(error.message for error in errors)
        suggestion = "; ".join(error.suggestion for error in errors if error.suggestion)
        raise InvalidValueError(message, suggestion or None, quote=False)
    return params


def _validate_param(name: str, item: object) -> str | tuple[str, ...]:
    validate_text(name)
    instead = RESERVED_PARAMS.get(name.casefold())
    if instead is not None:
        raise InvalidValueError(
            f"must not contain {name}, which is part of OAuth",
            f"use the profile's key {instead}" if instead else f"remove {name}",
            quote=False,
        )
    try:
        strings = validate_strings(item)
    except InvalidValueError as error:
        raise InvalidValueError(f"{name} {error.message}", error.suggestion, quote=False) from None
    return strings if isinstance(item, list) else strings[0]
