"""The rules for single values: each takes what was written and returns it, or raises `Wrong`."""

import re
from collections.abc import Callable

from tokencli.duration import parse_duration
from tokencli.errors import UsageError
from tokencli.formats.variable_names import check_variable_name
from tokencli.problems import InvalidValueError
from tokencli.providers.endpoint_urls import check_host_port
from tokencli.providers.validation.values import PROFILE_NAME_PATTERN as PROFILE_NAME_PATTERN
from tokencli.providers.validation.values import convert_config_error as _convert_config_error
from tokencli.providers.validation.values import host_validator as host_validator
from tokencli.providers.validation.values import is_header_value as is_header_value
from tokencli.providers.validation.values import url_validator as url_validator
from tokencli.providers.validation.values import validate_text as validate_text

VARIABLE_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
TOKEN_TYPES = ("access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2")
"""Token types that RFC 8693 section 3 names; on the wire each has a prefix."""

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


def validate_strings(value: object) -> tuple[str, ...]:
    """Take a string, or an array of strings."""
    items = value if isinstance(value, list) else [value]
    found = tuple(validate_text(item) for item in items if isinstance(item, str))
    if not found or len(found) != len(items):
        raise InvalidValueError("must be text in quotes, or an array of such")
    return found


def validate_resources(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take absolute URIs without a fragment (RFC 8707 section 2)."""
    for value in values:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", value) or "#" in value:
            raise InvalidValueError(
                "is no absolute URI without a fragment (RFC 8707 section 2)",
                'such as "https://api.example.com/"; other words may fit audience',
            )
    return values


def validate_token_type(value: str) -> str:
    """Take a token type of RFC 8693 section 3 by its short name, or any other by its URI."""
    if value in TOKEN_TYPES:
        return f"urn:ietf:params:oauth:token-type:{value}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", value):
        raise InvalidValueError("is no type of token", f"one of {', '.join(TOKEN_TYPES)}, or a URI")
    return value


def validate_scope(value: str) -> str:
    """Take space-separated scopes (RFC 6749 section 3.3)."""
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*", value):
        raise InvalidValueError(
            "is not a list of scopes separated by single spaces (RFC 6749 section 3.3)",
            'write it as "openid profile"',
        )
    return value


def validate_scope_argument(value: str) -> str:
    """Take scopes that were given with a call or on the command line; raises UsageError."""
    try:
        return validate_scope(value)
    except InvalidValueError as wrong:
        raise UsageError(
            f"the scope given {wrong.message}", fix='--scope "openid profile"'
        ) from None


def duration_validator(least: float) -> Callable[[object], float]:
    """Take a duration of at least `least` seconds."""

    def check(value: object) -> float:
        try:
            found = parse_duration(value)
        except ValueError as error:
            raise InvalidValueError("is not a duration", str(error)) from None
        if found < least:
            raise InvalidValueError(f"is too short: at least {least:g}s")
        return found

    return check


def validate_variable_name(value: str) -> str:
    """Take the name of an environment variable that a token may be put into."""
    try:
        check_variable_name(value)
    except UsageError as error:
        raise InvalidValueError(error.message, 'such as "API_TOKEN"', clause=True) from None
    return value


def validate_source_variable(value: str) -> str:
    """Take the name of an environment variable that holds a secret."""
    if not re.fullmatch(VARIABLE_NAME_PATTERN, value):
        raise InvalidValueError(
            "is not a variable name; it may be the secret itself, so it is not shown",
            'name the variable that holds it: { env = "MY_SECRET" }',
            quote=False,
        )
    return value


def validate_proxy(value: str) -> str:
    """Take a proxy's URL, or `none`."""
    if value == "none":
        return value
    if "@" in value:
        raise InvalidValueError(
            "carries a user name or password, and this file is no place for them",
            "set HTTPS_PROXY in the environment instead",
            quote=False,
        )
    if not re.fullmatch(r"https?://[^\s/?#\\]+/?", value):
        raise InvalidValueError(
            "is no proxy", 'write "http://proxy.example.com:3128", or "none" for none'
        )
    _convert_config_error(check_host_port, value.partition("://")[2].rstrip("/"))
    return value


def validate_params(value: object) -> dict[str, str | tuple[str, ...]]:
    """Take a table of extra request parameters, each text or an array of texts."""
    if not isinstance(value, dict):
        raise InvalidValueError(
            "must be a table", 'such as params = { tenant = "acme" }', quote=False
        )
    found: dict[str, str | tuple[str, ...]] = {}
    wrong: list[InvalidValueError] = []
    for name, item in value.items():
        try:
            found[name] = _validate_param(name, item)
        except InvalidValueError as one:
            wrong.append(one)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        right = "; ".join(one.suggestion for one in wrong if one.suggestion)
        raise InvalidValueError("; ".join(one.message for one in wrong), right or None, quote=False)
    return found


def _validate_param(name: str, item: object) -> str | tuple[str, ...]:
    validate_text(name)
    instead = RESERVED_PARAMS.get(name.casefold())
    if instead is not None:
        raise InvalidValueError(
            f"may not set {name}, which OAuth itself sets",
            f"use the profile's key {instead}" if instead else f"take {name} out",
            quote=False,
        )
    try:
        taken = validate_strings(item)
    except InvalidValueError as wrong:
        raise InvalidValueError(f"{name} {wrong.message}", wrong.suggestion, quote=False) from None
    return taken if isinstance(item, list) else taken[0]
