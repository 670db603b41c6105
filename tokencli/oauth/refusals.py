"""Say what a reply that brings no token means: whose fault it is, and what to do next."""

from urllib.parse import urlsplit

from tokencli.errors import RefusedError, ReplyError
from tokencli.models import HttpReply, HttpRequest, Profile
from tokencli.oauth.clock_skew import clock_skew_message
from tokencli.provider_schema import ErrorMeaning
from tokencli.providers.redaction import redact_text

MAX_QUOTE = 200
"""Characters of a reply that a message quotes at most."""
CLOCK_SENSITIVE_ERRORS = ("invalid_client", "invalid_grant", "invalid_dpop_proof")
"""Refusals that a clock which is far off can bring about: what was signed or issued has its time."""

LIKELY_CAUSES = {
    "you": "Check the credentials.",
    "profile": "Check the profile.",
    "client": "The client's registration at the server decides this.",
    "server": "The fault is the server's.",
    "provider": "Check the provider's description.",
}

SCOPE_OPTION_HINT = (
    "name other scopes after --scope, or leave it out: then those of the profile are meant"
)
"""What to do where the server refuses the scopes of the command line."""


def get_endpoint_host(profile: Profile) -> str:
    """Name the endpoint's host as a person knows it."""
    return urlsplit(profile.token_url).netloc


def refusal_error(
    profile: Profile, request: HttpRequest, reply: HttpReply, code: str | None, text: str | None
) -> RefusedError:
    """Return the error for a server's no, in the words of the provider's own table."""
    errors = profile.provider.errors
    meaning = (
        errors.codes.get(code or "")
        or errors.status.get(str(reply.status))
        or _default_meaning(reply)
    )
    said = f"HTTP {reply.status}"
    # What was sent may come back anywhere in a refusal, in its code, too.
    code = redact_text(code, request.secrets)[:80] if code else None
    text = redact_text(text, request.secrets)[:MAX_QUOTE] if text else None
    if code:
        said += f", {code}"
    if text:
        said += f": {text}"
    elif not code and reply.body.strip():
        said += f", with {_get_content_type(request, reply) or 'a body'} instead of an OAuth error"
    fix, whose = _build_hint(profile, meaning), LIKELY_CAUSES[meaning.whose]
    if refuses_scope_option(profile, code, meaning):
        fix, whose = SCOPE_OPTION_HINT, "Check what --scope names."
    elif encoding := _encoding_hint(profile, request, reply):
        fix = f"{fix}; {encoding}"
    clock = (
        clock_skew_message(reply) if reply.status == 401 or code in CLOCK_SENSITIVE_ERRORS else None
    )
    return RefusedError(
        f"{get_endpoint_host(profile)} refused ({said}): {meaning.what}. {whose}"
        + (f" Mind that {clock}." if clock else ""),
        fix=fix,
        status=reply.status,
        error=code,
        description=text,
    )


def refuses_scope_option(profile: Profile, code: str | None, meaning: ErrorMeaning | None) -> bool:
    """Tell whether a refusal is about scopes that the command line named."""
    about = code == "invalid_scope" or (meaning is not None and "scope" in meaning.what)
    return about and profile.value_sources.get("scope") == "--scope"


def _build_hint(profile: Profile, meaning: ErrorMeaning) -> str:
    login = f"tokencli login {profile.command_line_name}"
    fix = (meaning.do or "tokencli profiles show {profile}").replace(
        "tokencli login {profile}", login
    )
    if fix == f"{login} --again" and (places := _secret_sources_hint(profile)):
        return f"{places}; see also: tokencli profiles show {profile.name}"
    return fix.replace("{profile}", profile.name)


def _secret_sources_hint(profile: Profile) -> str | None:
    """Name where the secrets come from, where none of them could be typed anew."""
    refs = list(profile.secrets.values())
    if not refs or any(ref.kind in ("keyring", "prompt") for ref in refs):
        return None
    return "correct " + " and ".join(f"the {ref.name} in {ref.describe_source()}" for ref in refs)


def _default_meaning(reply: HttpReply) -> ErrorMeaning:
    if reply.status >= 500:
        return ErrorMeaning("the server failed", "server", "try again in a minute")
    return ErrorMeaning("the server does not accept the request", "profile")


RESERVED_CHARACTERS = set("%+&=: /?#")


def _encoding_hint(profile: Profile, request: HttpRequest, reply: HttpReply) -> str | None:
    """Offer the other Basic encoding where the client's id or secret needs encoding at all."""
    if reply.status not in (400, 401) or profile.client_auth != "client_secret_basic":
        return None
    parts = [profile.values.get("client_id", ""), *(s.reveal() for s in request.secrets)]
    parts = [part for part in parts if not part.startswith("Basic ")]
    if not any(set(part) & RESERVED_CHARACTERS or not part.isascii() for part in parts):
        return None
    other = "raw" if profile.basic_encoding == "rfc6749" else "rfc6749"
    return f'if the secret is right, its special characters may want basic_encoding = "{other}" in the profile'


def malformed_reply_error(
    profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    what: str,
    *,
    quote: bool = True,
    token: bool = True,
) -> ReplyError:
    """Return the error for a reply that says neither yes nor no, and should have brought a token
    unless it is said that it need not."""
    came = ""
    what = redact_text(what, request.secrets)
    if quote and reply.body.strip():
        # All of it is redacted before it is cut: half a secret is no longer recognised as one.
        text = redact_text(reply.body.decode("utf-8", "replace"), request.secrets)
        came = f". It begins: {' '.join(text[: 8 * MAX_QUOTE].split())[:MAX_QUOTE]}"
    return ReplyError(
        f"{get_endpoint_host(profile)} answered HTTP {reply.status} with {what}"
        f"{', so there is no token in it' if token else ''}"
        f" ({_get_content_type(request, reply) or 'no content type'}){came}",
        fix=f"check that {profile.token_url.split('?')[0]} is the"
        f" {'token ' if token else 'right '}endpoint: tokencli profiles show {profile.name}",
    )


def _get_content_type(request: HttpRequest, reply: HttpReply) -> str:
    kind = reply.headers.get("content-type", "").split(";")[0].strip()
    return redact_text(kind, request.secrets)[:60]
