"""A netrc file with the token as a password, for services that accept one in HTTP Basic.

A netrc file carries no bearer token: curl, git and Python's libraries send its entries in Basic.
"""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from tokencli.errors import ReplyError, UsageError
from tokencli.formats.variable_checks import require_one_word
from tokencli.models import Profile, TokenSet
from tokencli.providers.endpoint_urls import check_api_is_named, is_loopback_url

DEFAULT_LOGIN = "oauth2"
"""GitLab's name for an OAuth token; many services accept any."""
MAX_LINE_BYTES = 4095
"""What curl 7.88, and git with it, reads of a line; a longer one is ignored."""
_WORD = re.compile(r"[A-Za-z0-9._~:+/=@-]+")
"""What every reader of netrc files understands; they differ in quotes, backslashes and `#`."""


def render(profile: str, token: TokenSet, now: float, *, url: str) -> str:  # noqa: ARG001 - one signature for all
    """Return `machine HOST login NAME password TOKEN` and a newline.

    Raises:
        UsageError: the token isn't a bearer token. ReplyError: it has characters that a netrc file
            can't carry, or is too long for one.
    """
    address, value = urlsplit(url), token.access_token.reveal()
    if token.token_type.lower() != "bearer":
        raise UsageError(
            f"a token of type {token.token_type} can't be sent as a password",
            fix=f"tokencli get {profile} --format header",
        )
    require_one_word(value, "token")
    line = f"machine {address.hostname} login {_get_login(address)} password {value}\n"
    if not _WORD.fullmatch(value):
        problem = "it contains a character that programs read differently there"
    elif len(line) > MAX_LINE_BYTES:
        problem = f"the line has {len(line)} bytes, and curl and git read at most {MAX_LINE_BYTES}"
    else:
        return line
    raise ReplyError(
        f"the token of profile {profile!r} can't be read from a netrc file",
        cause=problem,
        fix=f"tokencli get {profile} --format curl",
    )


def check_options(profile: Profile, *, url: str | None = None) -> dict[str, str]:
    """Return the options for `render`; the host is that of `url`, or else of the profile's API.

    Raises:
        UsageError: there is no host, or the API expects something else than a bearer token.
        ConfigError: a user-defined provider names an API that the profile doesn't.
    """
    command = f"tokencli get {profile.command_line_name} --format"
    if profile.dpop or profile.provider.use:
        raise UsageError(
            f"the token of profile {profile.name!r} can't be sent as a password",
            cause="it is bound to a key, so each request needs a proof (DPoP)"
            if profile.dpop
            else f"provider {profile.provider.name!r} says how the token is sent",
            fix=f"{command} dpop --url https://api.example.com/…"
            if profile.dpop
            else f"{command} curl",
        )
    if url is None and profile.api_url:
        check_api_is_named(profile)
        url = profile.api_url
    example = f"{command} netrc --url https://{DEFAULT_LOGIN}@git.example.com"
    if url is None:
        raise UsageError("a netrc file is for one host: --url is required", fix=example)
    try:
        parts = urlsplit(url)
        words = [parts.hostname or "", _get_login(parts)]
        is_host = parts.scheme == "https" or is_loopback_url(url)
    except ValueError:
        words, is_host = [""], False
    if not is_host or not all(_WORD.fullmatch(word) for word in words) or parts.password:
        raise UsageError(
            "--url must be https://HOST or https://LOGIN@HOST, without a password", fix=example
        )
    return {"url": url}


def _get_login(address: SplitResult) -> str:
    return unquote(address.username or "") or DEFAULT_LOGIN
