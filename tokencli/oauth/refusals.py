"""Errors for a refused request and for an unreadable reply: what they mean, likely cause, fix."""

from urllib.parse import urlsplit

from tokencli.errors import RefusedError, ReplyError
from tokencli.humanize import describe_clock_skew
from tokencli.models import HttpReply, HttpRequest, Profile
from tokencli.provider_schema import ErrorMeaning
from tokencli.providers.redaction import redact_text

MAX_QUOTE = 200
"""Characters of a server's text that a message quotes at most."""
CLOCK_SENSITIVE_ERRORS = ("invalid_client", "invalid_grant", "invalid_dpop_proof")
"""Error codes that a wrong clock can cause, since assertions, proofs and codes expire."""
RESERVED_CHARACTERS = set("%+&=: /?#")
"""Characters that RFC 6749 and raw HTTP Basic authentication encode differently."""

SCOPE_OPTION_CAUSE = (
    "most likely the scopes given with --scope; without it those of the profile are used"
)
"""The cause if the server refuses the scopes of the command line."""
OVERLOAD_STATUSES = (429, 503)
"""Statuses that say more than a generic error code: the request was not processed."""
GENERIC_CODES = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "server_error",
)
"""Codes of RFC 6749 section 5.2 that some servers send with every failure."""


def get_endpoint_host(profile: Profile) -> str:
    """Return the host of the token endpoint, with its port if the URL has one."""
    return urlsplit(profile.token_url).netloc


def refusal_error(
    profile: Profile, request: HttpRequest, reply: HttpReply, code: str | None, text: str | None
) -> RefusedError:
    """Return the error for a refusal, explained by the provider's table of codes and statuses."""
    meaning = find_meaning(profile, code, reply.status) or _get_default_meaning(reply)
    # The server may echo secrets of the request anywhere in a refusal, even as its error code.
    code = redact_text(code, request.secrets)[:80] if code else None
    text = redact_text(text, request.secrets)[:MAX_QUOTE] if text else None
    quoted = f"HTTP {reply.status}"
    if code:
        quoted += f", {code}"
    if text:
        quoted += f": {text}"
    elif not code and reply.body.strip():
        quoted += f", {_get_content_type(request, reply) or 'a body'} instead of an OAuth error"
    if refuses_scope_option(profile, code, meaning):
        causes = [SCOPE_OPTION_CAUSE]
        fix: str | None = f"tokencli get {profile.name}"
    else:
        causes, fix = [_describe_cause(profile, meaning)], _build_fix(profile, meaning)
        if encoding := _describe_encoding_cause(profile, request, reply):
            causes.append(encoding)
    skew = reply.clock_skew
    if (
        skew is not None
        and reply.status not in OVERLOAD_STATUSES
        and (reply.status == 401 or code in CLOCK_SENSITIVE_ERRORS)
    ):
        causes.append(f"this computer's clock is {describe_clock_skew(skew)} of the server's")
    return RefusedError(
        f"{get_endpoint_host(profile)} refused the request ({quoted})",
        cause="; or ".join(causes),
        fix=fix,
        status=reply.status,
        error=code,
        description=text,
    )


def find_meaning(profile: Profile, code: str | None, status: int | None) -> ErrorMeaning | None:
    """Return what a refusal means by the provider's table of codes and statuses."""
    errors = profile.provider.errors
    by_code, by_status = errors.codes.get(code or ""), errors.status.get(str(status))
    if status in OVERLOAD_STATUSES and code in GENERIC_CODES:
        return by_status or by_code
    return by_code or by_status


def refuses_scope_option(profile: Profile, code: str | None, meaning: ErrorMeaning | None) -> bool:
    """Return whether a refusal is about scopes that were given on the command line."""
    about_scope = code == "invalid_scope" or (meaning is not None and "scope" in meaning.what)
    return about_scope and profile.value_sources.get("scope") == "--scope"


def malformed_reply_error(
    profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    problem: str,
    *,
    quote: bool = True,
    token: bool = True,
) -> ReplyError:
    """Return the error for a reply that is neither a refusal nor what was expected.

    `token` says whether a token was expected, `quote` whether to quote the start of the body.
    """
    start = ""
    problem = redact_text(problem, request.secrets)
    if quote and reply.body.strip():
        # Redact before cutting: half a secret is no longer recognized as one.
        text = redact_text(reply.body.decode("utf-8", "replace"), request.secrets)
        start = f"; it starts with: {' '.join(text[: 8 * MAX_QUOTE].split())[:MAX_QUOTE]}"
    content_type = _get_content_type(request, reply) or "no content type"
    return ReplyError(
        f"can't read {'a token from ' if token else ''}the reply of {get_endpoint_host(profile)}"
        f" (HTTP {reply.status}, {content_type}): {problem}{start}",
        cause=f"{profile.token_url.split('?')[0]} may not be the"
        f" {'token' if token else 'right'} endpoint",
        fix=f"tokencli profiles show {profile.name}",
    )


def _describe_cause(profile: Profile, meaning: ErrorMeaning) -> str:
    if _suggests_new_secrets(meaning) and (sources := _list_secret_sources(profile)):
        return f"{meaning.what}; the profile reads {sources}"
    return meaning.what


def _suggests_new_secrets(meaning: ErrorMeaning) -> bool:
    return meaning.do == "tokencli login {profile} --again"


def _build_fix(profile: Profile, meaning: ErrorMeaning) -> str | None:
    if meaning.do is None and meaning.whose in ("client", "server"):
        return None  # only the server's administrators can help
    login = f"tokencli login {profile.command_line_name}"
    fix = (meaning.do or "tokencli profiles show {profile}").replace(
        "tokencli login {profile}", login
    )
    if _suggests_new_secrets(meaning) and _list_secret_sources(profile):
        return f"tokencli profiles show {profile.name}"
    return fix.replace("{profile}", profile.name)


def _list_secret_sources(profile: Profile) -> str | None:
    """Return the secrets and their sources if none of them can be entered with `login`."""
    refs = list(profile.secrets.values())
    if not refs or any(ref.kind in ("keyring", "prompt") for ref in refs):
        return None
    return " and ".join(f"the {ref.name} from {ref.describe_source()}" for ref in refs)


def _get_default_meaning(reply: HttpReply) -> ErrorMeaning:
    if reply.status >= 500:
        return ErrorMeaning("the server failed; try again in a minute", "server")
    return ErrorMeaning("most likely a setting in the profile", "profile")


def _describe_encoding_cause(
    profile: Profile, request: HttpRequest, reply: HttpReply
) -> str | None:
    """Suggest the other `basic_encoding` if the client's id or secret has characters to encode."""
    if reply.status not in (400, 401) or profile.client_auth != "client_secret_basic":
        return None
    parts = [profile.values.get("client_id", ""), *(s.reveal() for s in request.secrets)]
    parts = [part for part in parts if not part.startswith("Basic ")]
    if not any(set(part) & RESERVED_CHARACTERS or not part.isascii() for part in parts):
        return None
    other = "raw" if profile.basic_encoding == "rfc6749" else "rfc6749"
    return (
        "the client id or secret has special characters, and the profile needs"
        f' basic_encoding = "{other}"'
    )


def _get_content_type(request: HttpRequest, reply: HttpReply) -> str:
    content_type = reply.headers.get("content-type", "").split(";")[0].strip()
    return redact_text(content_type, request.secrets)[:60]
